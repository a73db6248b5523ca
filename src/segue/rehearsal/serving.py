"""One stretch of traffic: each request is assigned by the gateway's routing, answered, scored, and written to the log.

What a record says is what a gateway would have said (`gateway/serving`, `gateway/shadow`, `gateway/enriching`): which bundle
the route chose, which answered in the end, what it took, the scores. Beside it is counted what only a rehearsal can know:
what the incumbent would have answered those who met the candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from segue.exchanges.record import BodyNote, ServedExchange, keep_body
from segue.model import Case, Failure
from segue.model.exchange import FailureKind
from segue.model.route import Route, RouteRevision
from segue.providers.base import ModelOutcome
from segue.rehearsal.answers import Answer, Answers
from segue.rehearsal.arrivals import Arrivals
from segue.rehearsal.bodies import DIALECT, body_of
from segue.rehearsal.crowd import Asker, Crowd
from segue.rehearsal.feedback import Feedback
from segue.rehearsal.troubles import FORMS, ArmName, Trouble
from segue.routing import Asked, Assigned, RoutingTable, point_of, share_limit

Append = Callable[[ServedExchange], None]
AppendWhole = Callable[[ServedExchange, bytes, bytes], None]
OUTAGE: FailureKind = "connection"
_RETRY_NS = 500_000_000
"""What a provider that does not answer costs a request before the next bundle is asked."""


@dataclass
class Tally:
    """What became of the requests of a stretch. `worse`: exposed requests that the incumbent would have answered right and the
    candidate did not; `better` the other way round. `right` by arm: how many of so many answers were right.
    """

    n: int = 0
    exposed: int = 0
    units: set[str] = field(default_factory=set)
    shadowed: int = 0
    failed: int = 0
    fell_back: int = 0
    worse: int = 0
    better: int = 0
    right: dict[str, tuple[float, int]] = field(default_factory=dict)
    cost_microusd: float = 0.0

    def add_right(self, arm: str, value: float | None) -> None:
        if value is not None:
            total, n = self.right.get(arm, (0.0, 0))
            self.right[arm] = (total + value, n + 1)


@dataclass(frozen=True, slots=True)
class Active:
    """Troubles as they are at the moment, for one arm, each with the share of its slice's requests that it befalls."""

    forms: tuple[tuple[Trouble, float], ...] = ()
    factors: tuple[Trouble, ...] = ()
    outages: tuple[Trouble, ...] = ()


class Counter:
    """Serves requests. `answers` by digest of a bundle; `primary` is the metric that says which answers are right.

    With `append_whole` answers are kept with their bodies, for whoever reads them. `mark` tells its records from another's.
    """

    def __init__(
        self,
        workflow: str,
        cases: Sequence[Case],
        answers: Mapping[str, Answers],
        arms: Mapping[str, ArmName],
        *,
        arrivals: Arrivals,
        crowd: Crowd,
        primary: str,
        append: Append,
        seed: int,
        feedback: Feedback | None = None,
        sampled: Mapping[str, float] | None = None,
        append_whole: AppendWhole | None = None,
        mark: str = "",
    ) -> None:
        self._workflow, self._cases, self._answers, self._arms = workflow, cases, answers, arms
        self._arrivals, self._crowd, self._append = arrivals, crowd, append
        self._primary, self._feedback, self._sampled = primary, feedback, sampled or {}
        self._append_whole, self._mark = append_whole, mark
        better = next((one.better.get(primary, "higher") for one in answers.values()), "higher")
        self._lower = better == "lower"
        self._rng, self._trouble_rng = np.random.default_rng([seed, 3]), np.random.default_rng([seed, 4])
        self._requests = [keep_body("\n".join(turn.text for turn in case.messages).encode(), "digest")[0] for case in cases]
        self._known: dict[str | None, int] = {}
        self._tables: dict[tuple[int, float], RoutingTable] = {}
        self._n = 0

    def serve(
        self,
        begin: float,
        end: float,
        revision: RouteRevision,
        active: Mapping[ArmName, Active],
        extra: float = 1.0,
        said: Sequence[Trouble] = (),
    ) -> Tally:
        """One stretch under one route. `extra` times its shares is what the candidate really gets; `said` are troubles with
        what users say."""
        moments = self._arrivals.between(begin, end)
        return self.answer_all(moments, self._crowd.draw(len(moments)), revision, active, extra, said)

    def answer_all(
        self,
        moments: Sequence[int],
        askers: Sequence[Asker],
        revision: RouteRevision,
        active: Mapping[ArmName, Active],
        extra: float = 1.0,
        said: Sequence[Trouble] = (),
    ) -> Tally:
        """Requests that are known already, each at its moment."""
        luck = self._rng.random(len(moments)).tolist()
        width = 1 + max((len(one.forms) for one in active.values()), default=0)
        # From a generator of their own: troubles change neither who comes nor what they would have been answered.
        chances = self._trouble_rng.random((len(moments), width)).tolist() if active else [()] * len(moments)
        assign = self._table(revision, extra).assign
        tally, served = Tally(n=len(moments)), []
        digest, shadow = revision.route.incumbent, revision.route.candidate
        for at_ns, asker, which, chance in zip(moments, askers, luck, chances, strict=True):
            self._n += 1
            name = f"{at_ns // 1_000_000:012x}{self._mark}{self._n:08x}"
            assigned = assign(Asked(asker.unit or name, asker.attributes))
            record, answer = self._record(name, at_ns, asker, assigned, revision, which, chance, active, tally)
            self._keep(record, answer)
            if self._feedback is not None:
                served.append((record, self._is_right(record.scores.get(self._primary))))
            if assigned.is_shadowed and shadow is not None:
                self._keep(*self._shadow(record, name, shadow, asker, which, chance, active))
                tally.shadowed += 1
            if assigned.arm == "candidate":
                self._compare(record, name, digest, asker, which, tally)
        if self._feedback is not None:
            self._feedback.hear(served, said)
        return tally

    def _keep(self, record: ServedExchange, answer: Answer) -> None:
        reply = answer.outcome.reply
        if self._append_whole is None or reply is None or record.status != 200:
            self._append(record)
            return
        note, body = body_of(reply)
        self._append_whole(msgspec.structs.replace(record, response=note, dialect_out=DIALECT), b"", body)

    def case_of(self, digest: str | None) -> int | None:
        """Which case a recorded request was, by what the log keeps of it."""
        if not self._known:
            self._known = {note.digest: place for place, note in reversed(list(enumerate(self._requests)))}
        return self._known.get(digest)

    def _is_right(self, value: float | None) -> bool:
        """An answer that could not be scored, or never came, is not."""
        return value is not None and (value < 0.5 if self._lower else value > 0.5)

    def _asked(self, name: str) -> dict[str, float]:
        """For which metrics this request is among the sample, and how likely that was."""
        return {metric: share for metric, share in self._sampled.items() if point_of(metric, name) < share_limit(share)}

    def _table(self, revision: RouteRevision, extra: float) -> RoutingTable:
        key = (revision.revision, extra)
        if key not in self._tables:
            route = revision.route if extra == 1.0 else _with_more(revision.route, extra)
            self._tables = {key: RoutingTable(route)}
        return self._tables[key]

    def _record(
        self,
        name: str,
        at_ns: int,
        asker: Asker,
        assigned: Assigned,
        revision: RouteRevision,
        which: float,
        chances: Sequence[float],
        active: Mapping[ArmName, Active],
        tally: Tally,
    ) -> tuple[ServedExchange, Answer]:
        """What the gateway's log would say of this request, and what was answered."""
        route, chosen = revision.route, assigned.bundle
        answer, answered_by, why, waited, factor, price = self._first_answer(route, chosen, asker, which, chances, active)
        fell = answered_by is not None and answered_by != chosen
        is_answered = answered_by is not None
        tally.failed += not is_answered
        tally.fell_back += fell
        cost = None if answer.cost_microusd is None else answer.cost_microusd * price
        tally.cost_microusd += cost or 0.0
        tally.add_right(assigned.arm, answer.scores.get(self._primary))
        record = ServedExchange(
            id=name,
            at_ns=at_ns,
            workflow=self._workflow,
            environment=route.environment,
            route_revision=revision.revision,
            arm=assigned.arm,
            bundle=chosen,
            answered_by=answered_by,
            unit=asker.unit,
            segment=assigned.segment,
            attributes=asker.attributes,
            status=200 if is_answered else 502,
            latency_ns=_times(answer.latency_ns, factor, waited) if is_answered else waited,
            ttft_ns=_times(answer.ttft_ns, factor, waited) if is_answered else None,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            reasoning_tokens=answer.reasoning_tokens,
            cost_microusd=cost,
            finish_reason=answer.finish_reason,
            failure=None if is_answered else why,
            fallback_from=chosen if fell else None,
            fallback_reason=why if fell else None,
            pair=name if assigned.is_shadowed else None,
            probabilities=self._asked(name) if self._sampled else {},
            scores=answer.scores,
            request=self._requests[asker.case],
            response=answer.note if is_answered else BodyNote(),
        )
        return record, answer

    def _first_answer(
        self,
        route: Route,
        chosen: str,
        asker: Asker,
        which: float,
        chances: Sequence[float],
        active: Mapping[ArmName, Active],
    ) -> tuple[Answer, str | None, str | None, int, float, float]:
        """Of the bundles asked one after the other: the answer, whose, why the first gave none, what waiting for it took, and
        by what time and price are multiplied."""
        why: str | None = None
        waited, factor, price = 0, 1.0, 1.0
        answer = _OUT
        for digest in dict.fromkeys((chosen, route.incumbent, route.fallback or route.incumbent)):
            if digest not in self._answers:
                continue
            answer, factor, price = self.answer(digest, asker, which, chances, active)
            if answer.failure is None:
                return answer, digest, why, waited, factor, price
            why = why or answer.failure
            waited += answer.latency_ns or _RETRY_NS
        return answer, None, why, waited, factor, price

    def _shadow(
        self,
        served: ServedExchange,
        name: str,
        digest: str,
        asker: Asker,
        which: float,
        chances: Sequence[float],
        active: Mapping[ArmName, Active],
    ) -> tuple[ServedExchange, Answer]:
        """The same request as the candidate answers it, seen by nobody."""
        answer, factor, price = self.answer(digest, asker, which, chances, active)
        is_answered = answer.failure is None
        record = ServedExchange(
            id=f"{name}s",
            at_ns=served.at_ns,
            workflow=self._workflow,
            environment=served.environment,
            route_revision=served.route_revision,
            arm="shadow",
            bundle=digest,
            answered_by=digest,
            unit=asker.unit,
            segment=served.segment,
            attributes=asker.attributes,
            status=200 if is_answered else 502,
            latency_ns=_times(answer.latency_ns, factor, 0) if is_answered else _RETRY_NS,
            ttft_ns=_times(answer.ttft_ns, factor, 0) if is_answered else None,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            reasoning_tokens=answer.reasoning_tokens,
            cost_microusd=None if answer.cost_microusd is None else answer.cost_microusd * price,
            finish_reason=answer.finish_reason,
            failure=answer.failure,
            pair=name,
            scores=answer.scores,
            request=served.request,
            response=answer.note if is_answered else BodyNote(),
        )
        return record, answer

    def answer(
        self, digest: str, asker: Asker, which: float, chances: Sequence[float], active: Mapping[ArmName, Active]
    ) -> tuple[Answer, float, float]:
        """The answer of one bundle, and by what its time and its price are multiplied now."""
        answers = self._answers[digest]
        row = answers.table[asker.case]
        draw = int(which * len(row))
        now = active.get(self._arms[digest])
        if now is None:
            return row[draw], 1.0, 1.0
        if any(one.meets(asker.attributes) for one in now.outages):
            return _OUT, 1.0, 1.0
        factor = price = 1.0
        for one in now.factors:
            if one.meets(asker.attributes) and chances[0] < one.part:
                factor *= one.factor if one.kind == "slow" else 1.0
                price *= one.factor if one.kind == "cost" else 1.0
        befallen = tuple(
            one for place, (one, share) in enumerate(now.forms) if one.meets(asker.attributes) and chances[1 + place] < share
        )
        return (answers.changed(asker.case, draw, befallen) if befallen else row[draw]), factor, price

    def _compare(self, record: ServedExchange, name: str, incumbent: str, asker: Asker, which: float, tally: Tally) -> None:
        """What those who met the candidate would have got without it."""
        tally.exposed += 1
        tally.units.add(asker.unit or name)
        row = self._answers[incumbent].table[asker.case]
        old, new = row[int(which * len(row))].scores.get(self._primary), record.scores.get(self._primary)
        if old is None or new is None:
            return
        change = (old - new) if self._lower else (new - old)
        tally.worse += change < 0
        tally.better += change > 0


_OUT = Answer(
    scores={},
    latency_ns=_RETRY_NS,
    ttft_ns=None,
    input_tokens=None,
    output_tokens=None,
    reasoning_tokens=None,
    cost_microusd=None,
    finish_reason=None,
    failure=OUTAGE,
    note=BodyNote(),
    body=b"",
    outcome=ModelOutcome(failure=Failure(OUTAGE, "The provider is out.")),
)


def _times(ns: int | None, factor: float, waited: int) -> int | None:
    return None if ns is None else int(ns * factor) + waited


def _with_more(route: Route, extra: float) -> Route:
    """The route as a gateway that assigns wrongly would serve it."""
    segments = tuple(one.model_copy(update={"share": min(1.0, one.share * extra)}) for one in route.segments)
    return route.model_copy(update={"share": min(1.0, route.share * extra), "segments": segments})


def sort_troubles(troubles: Sequence[Trouble], shares: Mapping[tuple[str, ArmName], float]) -> dict[ArmName, Active]:
    """By arm, and by what they do. `shares`: in which part of the requests a change of outputs befalls an arm, by its text."""
    found: dict[ArmName, Active] = {}
    arms: tuple[ArmName, ...] = ("incumbent", "candidate")
    for arm in arms:
        own = [one for one in troubles if arm in one.arms]
        forms = tuple((one, shares[one.text, arm]) for one in own if one.kind == "metric" or one.kind in FORMS)
        factors = tuple(one for one in own if one.kind in ("slow", "cost"))
        outages = tuple(one for one in own if one.kind == "outage")
        if forms or factors or outages:
            found[arm] = Active(forms, factors, outages)
    return found
