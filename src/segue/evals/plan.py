"""What a run has to ask: which calls are missing, and what they are likely to cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from segue.model import Bundle, Case, Usage
from segue.store.base import Store

ArmName = Literal["incumbent", "candidate"]
CHARACTERS_PER_TOKEN = 4.0
"""A rule of thumb for text not yet seen by a tokenizer; the estimate says that it is one."""
GUESSED_OUTPUT_TOKENS = 400
"""Assumed for a bundle with no stored reply and no `max_output_tokens`."""
MOST_LOOKED_AT = 500
"""A mean cost is taken of this many stored calls at most."""

Price = Callable[[Bundle, Usage], float | None]
"""Cost of one call in millionths of a dollar, or `None` where the price is unknown."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is missing: a case, asked of one arm, for one repeat."""

    arm: ArmName
    bundle: Bundle
    case: Case
    repeat: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        """The key its exchange will have."""
        return (self.bundle.behaviour, self.case.case_id, self.case.input_digest, self.repeat)


@dataclass(frozen=True, slots=True)
class ArmEstimate:
    """What one arm has to ask. `cost_microusd` is `None` where the price is unknown, which is not zero.

    `most_calls` are asked at most, with repeats and re-runs; their cost is by the same price.
    """

    arm: ArmName
    calls: int
    kept: int
    cost_microusd: float | None
    basis: str
    most_calls: int = 0
    most_microusd: float | None = 0.0


def missing_calls(
    store: Store, arms: Sequence[tuple[ArmName, Bundle]], cases: Callable[[], Iterable[Case]], repeats: Iterable[int]
) -> Iterator[Call]:
    """Calls that have no reply yet, arms alternating case by case, so that both meet the same hour of the provider.

    What failed before is asked again. Two arms with the same behaviour share their exchanges.
    """
    wanted = tuple(repeats)
    finished = {bundle.behaviour: store.finished(bundle.behaviour) for _, bundle in arms}
    once = {bundle.behaviour: (arm, bundle) for arm, bundle in reversed(arms)}
    first_to_ask = tuple(reversed(once.values()))
    for repeat in wanted:
        for case in cases():
            for arm, bundle in first_to_ask:
                if (case.case_id, case.input_digest, repeat) not in finished[bundle.behaviour]:
                    yield Call(arm, bundle, case, repeat)


def estimate(
    store: Store,
    arms: Sequence[tuple[ArmName, Bundle]],
    cases: Callable[[], Iterable[Case]],
    repeats: Sequence[int],
    price: Price,
    *,
    at_most: Sequence[Sequence[int]] = (),
) -> tuple[ArmEstimate, ...]:
    """What these repeats would cost, an arm at a time, before anything is spent.

    From the mean cost of the arm's stored exchanges if it has any; otherwise from the length of the prompts and a guess of
    the length of the answers. `at_most` are the ways a run may grow; the longest of them is told as well.
    """
    estimates = []
    ways = [list(repeats), *map(list, at_most)]
    for arm, bundle in arms:
        finished = store.finished(bundle.behaviour)
        missing = [0] * len(ways)
        n_cases = characters = 0
        for case in cases():
            n_cases += 1
            characters += _characters(bundle, case)
            for index, wanted in enumerate(ways):
                missing[index] += sum((case.case_id, case.input_digest, repeat) not in finished for repeat in wanted)
        calls, most = missing[0], max(missing)
        each, basis = _cost_of_one(store, bundle, characters / max(1, n_cases), price) if most else (0.0, "")
        estimates.append(
            ArmEstimate(
                arm,
                calls,
                n_cases * len(ways[0]) - calls,
                None if each is None and calls else calls * (each or 0.0),
                basis if calls else "everything is stored",
                most,
                None if each is None else most * each,
            )
        )
    return tuple(estimates)


def mean_cost(store: Store, behaviour: str) -> tuple[float, int] | None:
    """The mean cost of what is stored of a behaviour, and of how many calls; `None` where nothing is known."""
    seen, total = 0, 0.0
    for row in store.iter_arm(behaviour, ()):
        if row.cost_microusd is not None:
            seen += 1
            total += row.cost_microusd
        if seen >= MOST_LOOKED_AT:
            break
    return (total / seen, seen) if seen else None


def _cost_of_one(store: Store, bundle: Bundle, characters: float, price: Price) -> tuple[float | None, str]:
    known = mean_cost(store, bundle.behaviour)
    if known is not None:
        return known[0], f"mean of {known[1]} stored calls"
    output = bundle.parameters.max_output_tokens or GUESSED_OUTPUT_TOKENS
    mean_input = characters / CHARACTERS_PER_TOKEN
    one = price(bundle, Usage(input_tokens=round(mean_input), output_tokens=output))
    if one is None:
        return None, "no price is known for this model"
    return one, f"about {mean_input:.0f} tokens in, at most {output} out"


def _characters(bundle: Bundle, case: Case) -> int:
    return (
        len(bundle.prompt.system)
        + len(bundle.prompt.template)
        + sum(len(message.text) for message in case.messages)
        + sum(len(value) for value in case.variables.values())
    )
