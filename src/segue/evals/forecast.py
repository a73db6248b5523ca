"""What an eval may cost before anything is spent: the calls to both bundles, and the questions to judges.

Two figures: of the first pass, which is what a budget is held against, and of the longest way the run may go, with every repeat
and re-run, and every judge asked a second time in other words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from segue.evals.judge_calls import judge_behaviour
from segue.evals.plan import CHARACTERS_PER_TOKEN, GUESSED_OUTPUT_TOKENS, ArmEstimate, mean_cost
from segue.gates.tally import CONFIRMATION
from segue.model import Case, Parameters, Usage
from segue.scoring.when import Condition, applies
from segue.store.base import Store

CONFIRMING = 2
"""Flips seen in few runs are run this many times more on both arms before they are called regressions."""
FEW_RUNS = 3
"""From this many uniform repeats on, flips are not run again."""
INSTRUCTIONS = 1_800
"""Characters of Segue's own words to a judge, roughly."""
GUESSED_VERDICT_TOKENS = 80
"""Assumed for a judge without a stored verdict and without `max_output_tokens`."""

PriceOf = Callable[[str, str, Usage], float | None]
"""Cost of one call to a provider's model, in millionths of a dollar, or `None` where the price is unknown."""


@dataclass(frozen=True)
class JudgeNeed:
    """One judge and whom it judges: `sides` are the `(behaviour, key)` its scores are kept under; of a pair, the new arm's."""

    metric: str
    provider: str
    snapshot: str
    parameters: Parameters
    rubric_characters: int
    sides: tuple[tuple[str, str], ...]
    is_pair: bool
    when: Condition


@dataclass(frozen=True, slots=True)
class JudgeEstimate:
    """What one judge has to be asked. `None` is a cost nobody knows; `kept` outputs, or pairs, are judged already."""

    metric: str
    calls: int
    kept: int
    cost_microusd: float | None
    basis: str
    most_calls: int
    most_microusd: float | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole estimate. `runs` of each case make the first pass."""

    arms: tuple[ArmEstimate, ...]
    judges: tuple[JudgeEstimate, ...]
    runs: int

    @property
    def parts(self) -> tuple[ArmEstimate | JudgeEstimate, ...]:
        """Arms, then judges."""
        return (*self.arms, *self.judges)

    @property
    def calls(self) -> int:
        """Calls of the first pass, to bundles and judges."""
        return sum(one.calls for one in self.parts)

    @property
    def cost_microusd(self) -> float | None:
        """What they cost; `None` where a price is unknown."""
        return _sum(one.cost_microusd for one in self.parts)

    @property
    def most_calls(self) -> int:
        """Calls of the longest way."""
        return sum(one.most_calls for one in self.parts)

    @property
    def most_microusd(self) -> float | None:
        """What these cost."""
        return _sum(one.most_microusd for one in self.parts)


def longest_ways(first: int, max_repeats: int, *, adaptive: bool) -> tuple[tuple[int, ...], ...]:
    """The repeats a run may come to: as many as the noise may ask for, or few and the flips once more."""
    if not adaptive:
        return (tuple(range(first)),)
    few = range(min(max_repeats, FEW_RUNS - 1))
    return tuple(range(max_repeats)), (*few, *range(CONFIRMATION, CONFIRMATION + CONFIRMING))


def estimate_judges(
    store: Store,
    needs: Sequence[JudgeNeed],
    cases: Callable[[], Iterable[Case]],
    ways: Sequence[Sequence[int]],
    price: PriceOf,
) -> tuple[JudgeEstimate, ...]:
    """What the judges have to be asked, once all outputs are there. The first of `ways` is the first pass.

    Outputs that turn out to be equal are asked about once, and two equal ones not at all: it may be less.
    """
    return tuple(_estimate(store, one, cases, ways, price) for one in needs)


def _estimate(
    store: Store, one: JudgeNeed, cases: Callable[[], Iterable[Case]], ways: Sequence[Sequence[int]], price: PriceOf
) -> JudgeEstimate:
    scored = [store.scored(behaviour, key) for behaviour, key in one.sides]
    missing = [0] * len(ways)
    n_asked = characters = 0
    for case in cases():
        if not applies(one.when, case):
            continue
        n_asked += 1
        characters += sum(len(message.text) for message in case.messages) + sum(map(len, case.variables.values()))
        for index, wanted in enumerate(ways):
            missing[index] += sum((case.case_id, case.input_digest, repeat) not in done for done in scored for repeat in wanted)
    per_output = 2 if one.is_pair else 1
    calls, most = missing[0] * per_output, 2 * max(missing) * per_output
    if not most:
        return JudgeEstimate(one.metric, 0, n_asked * len(ways[0]) * len(scored), 0.0, "everything is stored", 0, 0.0)
    each, basis = _cost_of_one(store, one, characters / max(1, n_asked), price)
    return JudgeEstimate(
        one.metric,
        calls,
        n_asked * len(ways[0]) * len(scored) - missing[0],
        None if each is None and calls else calls * (each or 0.0),
        basis if calls else "everything is stored",
        most,
        None if each is None else most * each,
    )


def _cost_of_one(store: Store, one: JudgeNeed, characters: float, price: PriceOf) -> tuple[float | None, str]:
    known = mean_cost(store, judge_behaviour(one.provider, one.snapshot, one.parameters))
    if known is not None:
        return known[0], f"mean of {known[1]} stored calls"
    outputs = 2 if one.is_pair else 1
    read = (INSTRUCTIONS + one.rubric_characters + characters) / CHARACTERS_PER_TOKEN + outputs * GUESSED_OUTPUT_TOKENS
    written = one.parameters.max_output_tokens or GUESSED_VERDICT_TOKENS
    cost = price(one.provider, one.snapshot, Usage(input_tokens=round(read), output_tokens=written))
    if cost is None:
        return None, "no price is known for this model"
    return cost, f"about {read:.0f} tokens in, {written} out"


def _sum(costs: Iterable[float | None]) -> float | None:
    total = 0.0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total
