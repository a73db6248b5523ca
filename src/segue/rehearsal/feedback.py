"""What users say afterwards, scripted: outcomes that the plan gates on, told late, bad news sooner, into the exchange log.

At its baseline a user says the bad thing as often as the plan says they do of the incumbent; somewhat oftener where the answer
was wrong. So a candidate that is wrong more often is complained about more often, and a trouble can move the rate itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segue.exchanges import Outcome, ServedExchange
from segue.model.plan import Plan, PlanGate
from segue.rehearsal.clock import DAY_S, NS
from segue.rehearsal.troubles import ArmName, Trouble

WRONG_TIMES = 4.0
"""How much oftener a wrong answer is complained about than a right one."""
SOURCE = "rehearsed users"


@dataclass(frozen=True, slots=True)
class _Kind:
    """One outcome. `right` and `wrong`: how often the bad thing is said of a right answer and of a wrong one."""

    gate: PlanGate
    right: float
    wrong: float

    @property
    def speaks_up(self) -> bool:
        """Whether only the bad is ever told, as thumbs down are, and silence is its absence."""
        return self.gate.better == "lower" and self.gate.answered >= 1 and self.gate.sampled >= 1


class Feedback:
    """Draws outcomes of served exchanges, and tells them when their time comes. `share_right` is the incumbent's rate."""

    def __init__(self, workflow: str, plan: Plan, share_right: float, *, seed: int) -> None:
        self._workflow = workflow
        self._rng = np.random.default_rng([seed, 5])
        gates = {gate.metric: gate for gate in reversed(plan.gates) if gate.source == "outcome" and gate.baseline is not None}
        self._kinds = [_kind_of(gate, share_right) for gate in gates.values()]
        self._due: list[tuple[int, int, Outcome]] = []
        self._n = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """The outcomes there are."""
        return tuple(one.gate.metric for one in self._kinds)

    def hear(self, served: Sequence[tuple[ServedExchange, bool]], troubles: Sequence[Trouble]) -> None:
        """Draw what will be said of these exchanges, each with whether its answer was right."""
        if not self._kinds or not served:
            return
        luck = self._rng.random((len(served), len(self._kinds), 4)).tolist()
        for (record, is_right), row in zip(served, luck, strict=True):
            arm: ArmName = "candidate" if record.arm == "candidate" else "incumbent"
            for kind, (said, answers, sampled, late) in zip(self._kinds, row, strict=True):
                self._draw(record, arm, kind, is_right, troubles, said, answers, sampled, late)

    def _draw(
        self,
        record: ServedExchange,
        arm: ArmName,
        kind: _Kind,
        is_right: bool,
        troubles: Sequence[Trouble],
        said: float,
        answers: float,
        sampled: float,
        late: float,
    ) -> None:
        gate = kind.gate
        rate, answered = (kind.right if is_right else kind.wrong), gate.answered
        for one in troubles:
            if arm in one.arms and one.meets(record.attributes):
                if one.kind == "outcome" and one.metric == gate.metric:
                    rate += _as_badness(one, gate)
                if one.kind == "answers" and gate.answered < 1:
                    answered *= 1 + (one.amount if one.is_relative else one.amount / gate.answered)
        if sampled >= gate.sampled or answers >= answered:
            return
        is_bad = said < rate
        if not is_bad and kind.speaks_up:
            return
        # Bad news comes within the first half of the age, the rest at any time of it.
        delay_s = (late * 0.45 + 0.05 if is_bad else late * 0.85 + 0.1) * gate.age * DAY_S
        value = 1.0 if is_bad == (gate.better == "lower") else 0.0
        at_ns = record.at_ns + round(delay_s * NS)
        outcome = Outcome(record.id, gate.metric, SOURCE, record.id, at_ns, value=value, workflow=self._workflow)
        self._n += 1
        heapq.heappush(self._due, (at_ns, self._n, outcome))

    def tell(self, until_ns: int, append: Callable[[Outcome], None]) -> None:
        """All that is said by then, in the order in which it is said."""
        for outcome in self._said_by(until_ns):
            append(outcome)

    def _said_by(self, until_ns: int) -> Iterator[Outcome]:
        while self._due and self._due[0][0] < until_ns:
            yield heapq.heappop(self._due)[2]


def probabilities_of(plan: Plan) -> Mapping[str, float]:
    """Metrics that are asked of a sample alone, with how likely a unit is among them."""
    return {gate.metric: gate.sampled for gate in plan.gates if gate.sampled < 1}


def _kind_of(gate: PlanGate, share_right: float) -> _Kind:
    assert gate.baseline is not None, "asked for before"
    bad = gate.baseline if gate.better == "lower" else 1 - gate.baseline
    right = bad / (share_right + WRONG_TIMES * (1 - share_right))
    return _Kind(gate, right, min(1.0, WRONG_TIMES * right))


def _as_badness(trouble: Trouble, gate: PlanGate) -> float:
    assert gate.baseline is not None, "asked for before"
    change = trouble.amount * (gate.baseline if trouble.is_relative else 1.0)
    return change if gate.better == "lower" else -change
