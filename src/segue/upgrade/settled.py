"""What the plan of an upgrade means for the evidence: the same setting that was simulated, from the opening alone. Pure."""

from __future__ import annotations

from segue.simulation.setting import Facts, Setting, settle
from segue.upgrade.log import Opening


def setting_of(opening: Opening) -> Setting:
    """The setting of an upgrade. Its plan stands alone (`fill_plan`); which slices are critical, the opening says."""
    return settle(opening.plan, Facts(critical=frozenset(opening.critical)), name=opening.plan_name or opening.workflow)
