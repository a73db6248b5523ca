"""What a rehearsal writes into the exchange log: what a gateway would have written, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import ServedExchange
from segue.model.route import Route, RouteRevision, ShadowRule
from segue.rehearsal.arrivals import Arrivals
from segue.rehearsal.clock import DAY_S, MONDAY, VirtualClock
from segue.rehearsal.crowd import Crowd
from segue.rehearsal.feedback import Feedback
from segue.rehearsal.log import RehearsalLog
from segue.rehearsal.preparing import Prepared
from segue.rehearsal.serving import Counter, Tally, sort_troubles
from segue.rehearsal.troubles import ArmName, Known, read_troubles
from segue.routing import Asked, RoutingTable
from segue.simulation import Traffic
from tests.rehearsal.conftest import a_plan

pytestmark = pytest.mark.xdist_group("rehearsal")

KNOWN = Known(["right"], [], ["task=refund"])


def serve(
    prepared: Prepared, *, share: float = 0.3, shadow: bool = False, seed: int = 1, trouble: str = "", n: int = 400
) -> tuple[list[ServedExchange], Tally]:
    """A day of traffic under one route."""
    old, new = prepared.incumbent.bundle.digest, prepared.candidate.bundle.digest
    route = Route(
        workflow="triage", incumbent=old, candidate=new, share=share, shadow=ShadowRule() if shadow else None, salt="s"
    )
    records: list[ServedExchange] = []
    arms: dict[str, ArmName] = {old: "incumbent", new: "candidate"}
    plan = a_plan()
    counter = Counter(
        "triage",
        prepared.cases,
        prepared.answers,
        arms,
        arrivals=Arrivals(Traffic.daily(n), begin=MONDAY, seed=seed),
        crowd=Crowd(prepared.cases, plan, seed=seed),
        primary="right",
        append=records.append,
        seed=seed,
    )
    troubles = read_troubles([trouble], KNOWN) if trouble else ()
    shares = {
        (one.text, arm): prepared.answers[digest].chance(one, counter_weights(prepared))
        for one in troubles
        for digest, arm in arms.items()
    }
    tally = counter.serve(MONDAY, MONDAY + DAY_S, RouteRevision(3, route, "a", "r", ""), sort_troubles(troubles, shares))
    return records, tally


def counter_weights(prepared: Prepared):  # type: ignore[no-untyped-def]
    """As the crowd has them."""
    from segue.rehearsal.crowd import case_weights

    return case_weights(prepared.cases, a_plan().slices)


def test_each_request_is_where_the_gateways_routing_puts_it(prepared: Prepared) -> None:
    """The same function on the same route, unit and attributes."""
    records, _ = serve(prepared)
    old, new = prepared.incumbent.bundle.digest, prepared.candidate.bundle.digest
    table = RoutingTable(Route(workflow="triage", incumbent=old, candidate=new, share=0.3, salt="s"))
    for one in records:
        assigned = table.assign(Asked(one.unit or one.id, one.attributes))
        assert (one.bundle, one.arm) == (assigned.bundle, assigned.arm)


def test_scores_are_those_of_the_real_scorers_on_that_output(prepared: Prepared) -> None:
    """By the digest of the body, each is found among what the scorers said of that bundle's outputs."""
    records, _ = serve(prepared)
    for one in records:
        assert one.answered_by is not None
        table = prepared.answers[one.answered_by].table
        known = [answer.scores for row in table for answer in row if answer.note == one.response]
        assert one.scores in known


def test_a_mirrored_request_has_its_shadow(prepared: Prepared) -> None:
    """Under one pair, and seen by nobody: the tally counts no exposed unit."""
    records, tally = serve(prepared, share=0.0, shadow=True)
    served = {one.pair for one in records if one.arm != "shadow"}
    shadows = {one.pair for one in records if one.arm == "shadow"}
    assert served == shadows
    assert tally.shadowed == len(shadows) == tally.n
    assert tally.exposed == 0


def test_in_an_outage_the_incumbent_answers(prepared: Prepared) -> None:
    """A broken candidate falls back, and the record says so."""
    records, tally = serve(prepared, trouble="outage day 0 for 2d")
    fallen = [one for one in records if one.arm == "candidate"]
    assert fallen
    assert tally.fell_back == len(fallen)
    for one in fallen:
        assert one.answered_by == one.fallback_from or one.answered_by == prepared.incumbent.bundle.digest
        assert one.fallback_from == prepared.candidate.bundle.digest
        assert one.failure is None


def test_a_share_of_the_outputs_is_fenced(prepared: Prepared) -> None:
    """About a half of the candidate's, and none of the incumbent's."""
    records, _ = serve(prepared, trouble="fence +50%", n=2_000)
    broken = {arm: [one.scores["usable"] == 0 for one in records if one.arm == arm] for arm in ("incumbent", "candidate")}
    assert sum(broken["incumbent"]) == 0
    assert 0.4 < sum(broken["candidate"]) / len(broken["candidate"]) < 0.6


def test_trouble_changes_neither_who_comes_nor_where_they_go(prepared: Prepared) -> None:
    """So that runs with and without it can be compared request by request."""
    plain, _ = serve(prepared)
    troubled, _ = serve(prepared, trouble="cost x3")
    assert [(one.id, one.bundle, one.response) for one in plain] == [(one.id, one.bundle, one.response) for one in troubled]
    assert any(a.cost_microusd != b.cost_microusd for a, b in zip(plain, troubled, strict=True))


def test_the_same_seed_writes_the_same_records(prepared: Prepared) -> None:
    """To the last field; another seed does not."""
    assert serve(prepared)[0] == serve(prepared)[0]
    assert serve(prepared)[0] != serve(prepared, seed=2)[0]


def test_what_is_appended_is_read_back_from_the_log(prepared: Prepared, tmp_path: Path) -> None:
    """Through spool, shipper and archive."""
    records, _ = serve(prepared, n=100)
    clock = VirtualClock()
    log = RehearsalLog(tmp_path / "spool", tmp_path / "exchanges", clock_ns=clock.now_ns, run="s1")
    for one in records:
        log.append(one)
    log.ship()
    log.close()
    found = {one.exchange.id: one.exchange for one in ExchangeLog(tmp_path / "spool", tmp_path / "exchanges").iterate()}
    assert found == {one.id: one for one in records}


def test_users_complain_at_the_plans_rate_and_oftener_of_wrong_answers(prepared: Prepared) -> None:
    """The incumbent's mean is the baseline; of wrong answers it is four times that of right ones."""
    gate = {"metric": "thumbs_down", "source": "outcome", "better": "lower", "baseline": 0.1, "age": 0.5}
    records, _ = serve(prepared, share=0.0, n=8_000)
    share = sum((one.scores["right"] or 0.0) for one in records) / len(records)
    feedback = Feedback("triage", a_plan(gates=[gate]), share, seed=1)
    feedback.hear([(one, one.scores["right"] == 1.0) for one in records], ())
    said: set[str] = set()
    feedback.tell(2**62, lambda one: said.add(one.exchange))
    rate = {right: [one.id in said for one in records if (one.scores["right"] == 1.0) == right] for right in (True, False)}
    overall = [one.id in said for one in records]
    assert sum(overall) / len(overall) == pytest.approx(0.1, abs=0.02)
    assert 2.5 < (sum(rate[False]) / len(rate[False])) / (sum(rate[True]) / len(rate[True])) < 6


def test_outcomes_are_told_only_when_their_time_comes(prepared: Prepared) -> None:
    """Nothing before, each once."""
    gate = {"metric": "solved", "source": "outcome", "better": "higher", "baseline": 0.8, "age": 0.5, "answered": 0.5}
    records, _ = serve(prepared, share=0.0, n=300)
    feedback = Feedback("triage", a_plan(gates=[gate]), 0.9, seed=1)
    feedback.hear([(one, True) for one in records], ())
    told: list[int] = []
    for until in range(records[0].at_ns, records[-1].at_ns + 10**14, 10**13):
        before = len(told)
        feedback.tell(until, lambda one: told.append(one.at_ns))
        assert all(at < until for at in told[before:])
    assert told == sorted(told)
    assert 0.35 < len(told) / len(records) < 0.65
