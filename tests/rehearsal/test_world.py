"""Whole upgrades on virtual time, with the controller, evidence, routing, scorers and log that ship. Break one: it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segue.errors import InputError
from segue.exchanges.query import ExchangeLog
from segue.rehearsal import serving
from segue.rehearsal.answers import Answers
from segue.rehearsal.course import Course
from segue.rehearsal.log import RehearsalLog
from segue.rehearsal.preparing import Prepared
from segue.rehearsal.result import Rehearsed
from segue.rehearsal.running import rehearse
from segue.rehearsal.troubles import Known, read_troubles
from segue.rehearsal.world import Listener, Rehearsal
from segue.routing import Asked, Assigned, RoutingTable
from segue.simulation import Traffic
from segue.store import open_store
from tests.rehearsal.conftest import a_plan

pytestmark = pytest.mark.xdist_group("rehearsal")

KNOWN = Known(["right", "usable"], ["thumbs_down"], ["task=delivery", "task=refund"])
QUICK: dict[str, Any] = {
    "steps": [{"share": 0.2, "hold": 0.25}, {"share": 0.5, "hold": 0.25}],
    "gates": [
        {
            "metric": "right",
            "baseline": 0.9,
            "better": "higher",
            "hold": "6 points",
            "rollback": "7 points",
            "age": 0.01,
            "watch": "total",
        }
    ],
    "shadow": {"length": 0.25},
    "soak": 0.25,
    "cycle": 0.25,
}


def a_course(*troubles: str, **changes: Any) -> Course:
    """A quarter of a day for each stage; a look every three hours."""
    given: dict[str, Any] = {
        "plan": a_plan(**QUICK),
        "traffic": Traffic(6_000, tuple([1 / 24] * 24)),
        "look_s": 10_800.0,
        "troubles": read_troubles(troubles, KNOWN),
        "plan_name": "triage/quick",
        "most_days": 3.0,
        "patience_s": 3_600.0,
        **changes,
    }
    return Course(**given)


@pytest.fixture(scope="module")
def unbroken(prepared: Prepared) -> Rehearsed:
    """The upgrade with nothing wrong."""
    return rehearse(prepared, a_course())


def test_a_better_candidate_completes(unbroken: Rehearsed) -> None:
    """Through every stage, in order, with nothing skipped."""
    assert unbroken.ending == "completed"
    assert unbroken.exit_code == 0
    places = list(dict.fromkeys(one.where for one in unbroken.story))
    assert places == [
        "eval",
        "staging",
        "staging (holding)",
        "shadow",
        "canary 20 %",
        "canary 50 %",
        "soak",
        "completed",
    ]
    assert unbroken.alarms == 0
    assert unbroken.exposed_units > 0


def test_units_are_exposed_by_the_plans_shares_and_nobody_before(unbroken: Rehearsed) -> None:
    """Until the canary nobody meets the candidate."""
    before = next(one.exposed for one in unbroken.story if one.where == "canary 20 %")
    assert before == 0
    assert sum(row.exposed for row in unbroken.by_day) == unbroken.exposed_requests
    assert sum(row.requests for row in unbroken.by_day) == unbroken.requests


def test_a_drop_in_the_canary_is_rolled_back(prepared: Prepared, unbroken: Rehearsed) -> None:
    """Forty points, from the second step on."""
    found = rehearse(prepared, a_course("right -40pts from 50%"))
    assert found.ending == "rolled_back"
    assert found.exit_code == 12
    assert found.story[-1].event == "harm"
    assert found.story[-1].because
    assert found.exposed_units < unbroken.exposed_units
    assert found.worse > 0


def test_harm_that_comes_with_the_soak_is_rolled_back(prepared: Prepared) -> None:
    """Late, and seen all the same."""
    found = rehearse(prepared, a_course("right -50pts from soak"))
    assert found.ending in ("rolled_back", "holding")
    assert "soak" in found.story[-2].where


def test_a_candidate_that_fails_the_suite_holds_and_nobody_meets_it(prepared_worse: Prepared) -> None:
    """Re-tuning is by hand: the rehearsal ends there."""
    found = rehearse(prepared_worse, a_course())
    assert (found.ending, found.exposed_units) == ("holding", 0)
    assert found.where == "retune (holding)"


def test_forced_past_the_suite_it_is_stopped_in_shadow(prepared_worse: Prepared) -> None:
    """By a person, with a reason in the log."""
    found = rehearse(prepared_worse, a_course(past=frozenset(("eval",))))
    assert (found.ending, found.exposed_units) == ("holding", 0)
    assert found.where == "shadow (holding)"
    assert any(one.event == "advance" and one.by for one in found.story)


def test_forced_past_shadow_it_is_rolled_back_in_the_canary(prepared_worse: Prepared) -> None:
    """After few units."""
    found = rehearse(prepared_worse, a_course(past=frozenset(("eval", "shadow")), patience_s=86_400.0))
    assert found.ending == "rolled_back"
    assert 0 < found.exposed_units < 1_000


def test_without_an_approval_it_waits(prepared: Prepared) -> None:
    """Whom the plan asks has to say yes; nobody here does."""
    plan = a_plan(**QUICK, approvals=[{"name": "legal", "who": ["ada"], "before": "everyone"}])
    found = rehearse(prepared, a_course(plan=plan, approve_after_s=None, most_days=1.5))
    assert found.ending == "unfinished"
    assert found.where.startswith("canary 50 %")
    assert any(one.event == "needs_approval" for one in found.story)


def test_with_an_approval_it_goes_on(prepared: Prepared) -> None:
    """By name, in the log."""
    plan = a_plan(**QUICK, approvals=[{"name": "legal", "who": ["ada"], "before": "everyone"}])
    found = rehearse(prepared, a_course(plan=plan, approve_after_s=3_600.0))
    assert found.ending == "completed"
    assert [one.by for one in found.story if one.event == "approve"] == ["ada"]


def test_ctrl_c_ends_it_with_what_there_is(prepared: Prepared) -> None:
    """Story and days as far as they went, and exit code 130."""

    def press(day: float, *_: object) -> None:
        if day >= 0.5:
            raise KeyboardInterrupt

    found = rehearse(prepared, a_course(), Listener(looked=press))
    assert (found.ending, found.exit_code) == ("interrupted", 130)
    assert found.story
    assert found.requests > 0


def test_a_plan_that_gates_on_what_nobody_scores_is_refused(prepared: Prepared) -> None:
    """Silence would keep it waiting for ever."""
    gate = {"metric": "tone", "baseline": 0.9, "better": "higher"}
    with pytest.raises(InputError) as caught:
        rehearse(prepared, a_course(plan=a_plan(**{**QUICK, "gates": [gate]})))
    assert "tone" in caught.value.faults[0].what


def test_while_the_incumbent_is_out_people_look(prepared: Prepared) -> None:
    """There would be nothing to go back to."""
    found = rehearse(prepared, a_course("incumbent outage from canary for 1d"))
    assert found.ending == "holding"
    assert any(one.event == "incumbent_silent" for one in found.story)


# Every part in turn.


class _NobodyMeetsIt(RoutingTable):
    """Assignment that ignores the share."""

    def assign(self, asked: Asked) -> Assigned:
        return Assigned(self.route.incumbent, "incumbent", "everyone", self.route.shadow is not None)


def _break_routing(patch: pytest.MonkeyPatch, prepared: Prepared) -> None:
    patch.setattr(serving, "RoutingTable", _NobodyMeetsIt)


def _break_output(patch: pytest.MonkeyPatch, prepared: Prepared) -> None:
    """The candidate says to each case what it said to the next."""
    answers = prepared.answers[prepared.candidate.bundle.digest]
    table = answers.table
    wrong = [[answers._answer(case, table[(at + 1) % len(table)][0].outcome, 0)] for at, case in enumerate(prepared.cases)]
    patch.setattr(answers, "table", wrong)


def _break_scorer(patch: pytest.MonkeyPatch, prepared: Prepared) -> None:
    """A scorer that takes nothing for right."""
    answers: Answers = prepared.answers[prepared.candidate.bundle.digest]
    from dataclasses import replace

    patch.setattr(
        answers, "table", [[replace(one, scores={**one.scores, "right": 0.0}) for one in row] for row in answers.table]
    )


def _break_log(patch: pytest.MonkeyPatch, prepared: Prepared) -> None:
    """What is appended gets lost."""
    patch.setattr(RehearsalLog, "append", lambda *_: None)


@pytest.mark.parametrize(
    "break_part",
    [_break_routing, _break_output, _break_scorer, _break_log],
    ids=["routing", "output", "scorer", "log"],
)
def test_with_a_part_broken_the_outcome_is_another(
    break_part: Callable[[pytest.MonkeyPatch, Prepared], None],
    prepared: Prepared,
    unbroken: Rehearsed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So the controller's evidence really goes through each of them."""
    break_part(monkeypatch, prepared)
    found = rehearse(prepared, a_course())
    assert found.ending != unbroken.ending


def test_the_same_seed_makes_the_same_upgrade_and_the_same_log(prepared: Prepared, tmp_path: Path) -> None:
    """Entry by entry and record by record; another seed makes others."""

    def run(seed: int, folder: str) -> tuple[list[Any], list[Any]]:
        store = open_store("memory:")
        prepared.furnish(store)
        root = tmp_path / folder
        Rehearsal(
            prepared, a_course("cost x2", seed=seed, most_days=0.4, traffic=Traffic(1_500, tuple([1 / 24] * 24))), store, root
        ).run()
        log = ExchangeLog(root / "spool", root / "exchanges")
        records = sorted((one.exchange for one in log.iterate()), key=lambda one: one.id)
        (upgrade,) = store.list_upgrades()
        chain = [(one.kind, one.body) for one in store.iter_log() if one.kind != "bundle-added"]
        return [*upgrade.entries, chain], records

    first, again, other = run(5, "one"), run(5, "two"), run(6, "three")
    assert first == again
    assert first[1] != other[1]
