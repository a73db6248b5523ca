"""What an upgrade itself costs, worked out before it begins: evals, shadow's double calls, keeping two bundles warm. Pure.

Shown when an upgrade is opened. What nobody knows is named and makes the sum unknown; it is never taken for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from segue.model import Json
from segue.model.plan import Plan
from segue.model.plan_text import days_text

PROBES_PER_DAY = 288.0
"""The incumbent is probed every five minutes."""


@dataclass(frozen=True, slots=True)
class CostFacts:
    """What is known before an upgrade. Costs in millionths of a dollar; `None` is unknown.

    `eval_microusd` is the regression eval's longest way (`segue.evals.forecast`). `incumbent_microusd` and
    `candidate_microusd` are of one live request. `daily_cases` are asked of both bundles every day. `standing_usd_per_day` is
    what a bundle costs that is only kept ready (provisioned capacity, an own server); pay-per-call providers have 0.
    """

    eval_microusd: float | None = None
    requests_per_day: float | None = None
    incumbent_microusd: float | None = None
    candidate_microusd: float | None = None
    daily_cases: int | None = None
    standing_usd_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class CostPart:
    """One part of the bill. `usd` is `None` where it is unknown; `basis` says what it rests on, or what is not known."""

    name: str
    usd: float | None
    basis: str


@dataclass(frozen=True, slots=True)
class UpgradeCost:
    """The whole bill of an upgrade that goes through as planned, without extensions. `days` is how long that takes."""

    parts: tuple[CostPart, ...]
    days: float

    @property
    def usd(self) -> float | None:
        """The sum; `None` where a part is unknown."""
        known = [one.usd for one in self.parts if one.usd is not None]
        return sum(known) if len(known) == len(self.parts) else None

    @property
    def known_usd(self) -> float:
        """The sum of what is known: at least so much."""
        return sum(one.usd for one in self.parts if one.usd is not None)

    @property
    def sentence(self) -> str:
        """One line for whoever opens the upgrade."""
        if self.usd is not None:
            return f"The upgrade itself costs about ${self.usd:,.2f} over {days_text(self.days)}."
        missing = ", ".join(one.name for one in self.parts if one.usd is None)
        return f"The upgrade itself costs at least ${self.known_usd:,.2f} over {days_text(self.days)}; not known: {missing}."

    def as_json(self) -> dict[str, Json]:
        """For a program."""
        parts: list[Json] = [{"name": one.name, "usd": one.usd, "basis": one.basis} for one in self.parts]
        return {"usd": self.usd, "known_usd": self.known_usd, "days": self.days, "parts": parts, "sentence": self.sentence}


def estimate_upgrade_cost(plan: Plan, facts: CostFacts) -> UpgradeCost:
    """What the plan costs beside the serving itself, from its first eval to the end of its soak."""
    days = plan_days(plan)
    parts = (_eval(facts), _daily(facts, days), _shadow(plan, facts), _warm(facts, days))
    return UpgradeCost(parts, days)


def plan_days(plan: Plan) -> float:
    """From the beginning of shadow to the end of the soak, where nothing extends."""
    return plan.shadow.length + sum(step.hold for step in plan.canary) + plan.soak


def _eval(facts: CostFacts) -> CostPart:
    if facts.eval_microusd is None:
        return CostPart("regression eval", None, "no price is known for a bundle or a judge")
    return CostPart("regression eval", facts.eval_microusd / 1e6, "both bundles on the whole suite, with repeats and judges")


def _daily(facts: CostFacts, days: float) -> CostPart:
    name = "daily evals"
    if facts.daily_cases is None:
        return CostPart(name, None, "it is not known how many cases are asked a day")
    if facts.incumbent_microusd is None or facts.candidate_microusd is None:
        return CostPart(name, None, "what a request costs is not known of both bundles")
    both = facts.incumbent_microusd + facts.candidate_microusd
    return CostPart(
        name, facts.daily_cases * both * days / 1e6, f"{facts.daily_cases:,} cases on both bundles for {days_text(days)}"
    )


def _shadow(plan: Plan, facts: CostFacts) -> CostPart:
    shadow, name = plan.shadow, "shadow"
    if shadow.length == 0 or shadow.share == 0:
        return CostPart(name, 0.0, "the plan has no shadow")
    cap = shadow.usd_per_day
    most = None if cap is None else cap * shadow.length
    if facts.requests_per_day is None or facts.candidate_microusd is None:
        missing = "the traffic" if facts.requests_per_day is None else "what a request costs on the candidate"
        if most is not None:
            return CostPart(name, most, f"its cap of ${cap:g} a day; {missing} is not known")
        return CostPart(name, None, f"{missing} is not known, and the plan caps nothing (shadow: usd_per_day)")
    usd = facts.requests_per_day * shadow.share * shadow.length * facts.candidate_microusd / 1e6
    if most is not None and most < usd:
        return CostPart(
            name, most, f"its cap of ${cap:g} a day is reached: full coverage would take ${usd / shadow.length:,.2f}"
        )
    calls = facts.requests_per_day * shadow.share
    return CostPart(name, usd, f"{calls:,.0f} second calls a day for {days_text(shadow.length)}")


def _warm(facts: CostFacts, days: float) -> CostPart:
    name = "keeping both warm"
    if facts.standing_usd_per_day is None:
        return CostPart(name, None, "what capacity kept ready costs is not known; write 0 for providers paid by the call")
    if facts.incumbent_microusd is None:
        return CostPart(name, None, "what a probe of the incumbent costs is not known")
    probes = PROBES_PER_DAY * facts.incumbent_microusd / 1e6
    return CostPart(name, (facts.standing_usd_per_day + probes) * days, f"capacity and probes for {days:g} days")
