"""What has too few cases to be asked for proof: it is shown and named, and its silence does not stop an upgrade.

Harm that is shown there counts all the same, and so does what a critical slice leaves open (`finding_reasons`).
"""

from __future__ import annotations

from collections.abc import Sequence

from segue.evidence.sample_size import cases_without_churn
from segue.gates.findings import Finding
from segue.model import GateSettings

MOST_NAMED = 6


def is_too_small(finding: Finding, settings: GateSettings) -> bool:
    """Whether its being undecided says nothing but that it has few cases.

    A primary metric: on an ordinary slice of fewer than `min_slice_cases`. A guardrail, which `when` may limit to a handful
    of cases: also where so few are asked that no outcome, not even one without any flip, could exclude the margin.
    """
    if finding.is_primary:
        is_ordinary = not finding.is_total and not finding.is_critical
        return is_ordinary and finding.n_applicable < settings.min_slice_cases
    without_churn = cases_without_churn(finding.margin, alpha=settings.alpha)
    return without_churn is None or finding.n_applicable < max(settings.min_slice_cases, without_churn)


def tell_too_small(findings: Sequence[Finding], settings: GateSettings, *, is_part: bool = False) -> str | None:
    """The sentence that names them, so that nobody takes them for cleared; `None` where there are none.

    `is_part`: the totals are those of a chosen part, which is asked for no proof either, and told elsewhere.
    """
    small = [
        one
        for one in findings
        if one.is_gated and one.verdict == "inconclusive" and is_too_small(one, settings) and not (is_part and one.is_total)
    ]
    if not small:
        return None
    primary = settings.primary[0] if settings.primary else ""
    names = [
        (one.where or "all cases") + ("" if one.metric == primary else f" for {one.metric}") + f" ({one.n_applicable:,})"
        for one in small[:MOST_NAMED]
    ]
    more = f" and {len(small) - MOST_NAMED} more" if len(small) > MOST_NAMED else ""
    return f"Undecided with too few cases to be asked for proof, so shown only: {', '.join(names)}{more}."
