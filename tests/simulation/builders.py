"""The smallest plan worth simulating, so that a test shows only what matters to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from segue.model.plan import Plan, PlanGate, PlanStep
from segue.simulation import Facts, Runs, Scenario, Setting, Simulator, Traffic, read_scenario, settle, share_out
from segue.simulation.canary import Canary, CanaryRuns
from segue.simulation.chunk import join
from segue.simulation.outcomes import Outcomes

QUALITY: dict[str, Any] = {"metric": "quality", "better": "higher", "baseline": 0.9, "age": 0.0}
ERRORS: dict[str, Any] = {"metric": "errors", "better": "lower", "baseline": 0.05, "age": 0.0}
TWO_STEPS: tuple[PlanStep, ...] = (PlanStep(share=0.05, hold=2), PlanStep(share=0.25, hold=2))


def a_plan(*gates: dict[str, Any], **fields: Any) -> Plan:
    """Two steps and one gate on quality, unless said otherwise; no shadow, a short soak."""
    given = {"steps": TWO_STEPS, "shadow": {"length": 0}, "soak": 2.0, **fields}
    return Plan(gates=tuple(PlanGate(**gate) for gate in gates or (QUALITY,)), **given)


def a_setting(*gates: dict[str, Any], critical: tuple[str, ...] = (), **fields: Any) -> Setting:
    return settle(a_plan(*gates, **fields), Facts(critical=frozenset(critical)))


def flat(per_day: float) -> Traffic:
    """The same at every hour."""
    return Traffic(per_day, (1 / 24,) * 24)


def a_scenario(setting: Setting, text: str | None) -> Scenario:
    return Scenario("no change") if text is None else read_scenario(text, setting)


def canary(
    setting: Setting, text: str | None, *, per_day: float = 20_000, runs: int = 100, seed: int = 1, drift: float = 0.0
) -> CanaryRuns:
    """The canary alone, a look every six hours."""
    outcomes = Outcomes(setting, a_scenario(setting, text), drift)
    return Canary(setting, outcomes, flat(per_day), 6).run(runs, np.random.default_rng(seed))


def whole(setting: Setting, text: str | None, *, per_day: float = 20_000, runs: int = 100, seed: int = 1) -> Runs:
    """Shadow, canary and soak."""
    simulator = Simulator(setting, (a_scenario(setting, text),), flat(per_day), 6)
    return join([simulator.run(one) for one in share_out(1, runs, seed)])
