"""The gate of staging: what keeps a candidate out, what a person may accept, and what nobody's silence passes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from segue.controller.staging_facts import StagingResult, accept, accepted_of, read_result, write_result
from segue.controller.staging_gate import Accepted, IntegrationSeen, judge_staging, moved_questions
from segue.controller.staging_integration import IntegrationSample
from segue.drift.drift_report import DriftReport
from segue.drift.live_pair import LivePair, Side
from segue.model import Reply
from segue.store import open_store
from tests.controller.drifting import NEW, OLD, fence_on_product, pairs, report_of

GOOD = IntegrationSeen(argv=("check",), n_pairs=50)
AT = "2026-11-21T10:00:00Z"


@pytest.fixture(scope="module")
def fenced() -> DriftReport:
    """A format that moved in one slice, and a length with it."""
    return report_of(pairs(200, fence_on_product))


@pytest.fixture(scope="module")
def calm() -> DriftReport:
    """Nothing moved."""
    return report_of(pairs(200, seed=3))


def accepting(report: DriftReport, *dimensions: str) -> list[Accepted]:
    """Somebody took these as they are."""
    return [
        Accepted(dimension=one, by="ada", reason="wanted", questions=moved_questions(report, one))  # type: ignore[arg-type]
        for one in dimensions
    ]


def test_nothing_is_known_before_there_is_a_report() -> None:
    """Neither passed nor failed."""
    assert judge_staging(None, None, ()) == (None, ())


def test_a_calm_replay_passes(calm: DriftReport) -> None:
    """With an integration that takes everything."""
    assert judge_staging(calm, GOOD, ()) == (True, ())


def test_a_move_beyond_its_limit_is_unexplained_until_it_is_accepted_by_name(fenced: DriftReport) -> None:
    """Each dimension for itself, with the command to type."""
    passed, faults = judge_staging(fenced, GOOD, (), workflow="mail")
    assert passed is False
    assert any(one.startswith("Unexplained: ") and "segue drift mail --accept format" in one for one in faults)
    every = [one.name for one in fenced.dimensions if one.standing == "moved beyond"]
    assert judge_staging(fenced, GOOD, accepting(fenced, *every)) == (True, ())
    assert judge_staging(fenced, GOOD, accepting(fenced, "tone", "cost"))[0] is False


def test_accepting_a_fence_explains_no_other_move_of_the_format(fenced: DriftReport) -> None:
    """What had moved then is all that is explained."""
    narrow = Accepted(dimension="format", by="ada", reason="wanted", questions=("whole_fence", "fence"))
    others = [one for one in accepting(fenced, *(d.name for d in fenced.dimensions)) if one.dimension != "format"]
    assert judge_staging(fenced, GOOD, [narrow, *others])[0] is False


def test_a_contract_newly_broken_even_once_does_not_pass(calm: DriftReport) -> None:
    """As long as the incumbent breaks it less often where the candidate keeps it."""
    once = calm.model_copy(update={"contract_broken": 1, "contract_mended": 0})
    passed, faults = judge_staging(once, GOOD, ())
    assert (passed, len(faults)) == (False, 1)
    assert "breaks the contract in 1 pairs" in faults[0]
    even = calm.model_copy(update={"contract_broken": 3, "contract_mended": 3})
    assert judge_staging(even, GOOD, ())[0] is True


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (IntegrationSeen(argv=("check",), n_pairs=50, n_broken=1, reason="exit code 1: no total"), "refuses the candidate's"),
        (IntegrationSeen(argv=("check",), n_pairs=50, n_unknown=50, reason="'check' was not found"), "could not judge 50"),
        (IntegrationSeen(argv=("check",), n_pairs=0), "could not judge"),
    ],
    ids=["breaks", "does not run", "saw nothing"],
)
def test_the_teams_own_integration_has_its_say(calm: DriftReport, seen: IntegrationSeen, says: str) -> None:
    """A command that did not run passes nothing."""
    passed, faults = judge_staging(calm, seen, ())
    assert passed is False
    assert says in faults[0]


def test_too_few_pairs_and_what_could_not_be_looked_at_do_not_pass() -> None:
    """Silence passes no gate."""
    few = report_of(pairs(20))
    assert "Only 20 pairs" in judge_staging(few, None, ())[1][0]
    blind = [LivePair(one.pair, Side(failed=False, latency_ms=1.0), Side(failed=False, latency_ms=1.0)) for one in pairs(120)]
    passed, faults = judge_staging(report_of(blind), None, ())
    assert passed is False
    assert any("Tone could not be looked at" in one for one in faults)
    unknown = [one.name for one in report_of(blind).dimensions if one.standing == "unknown"]
    accepted = [Accepted(dimension=one, by="ada", reason="no bodies by law") for one in unknown]
    assert judge_staging(report_of(blind), None, accepted) == (True, ())


async def test_the_integration_command_runs_on_both_answers_of_a_pair(tmp_path: Path) -> None:
    """From the workflow's folder, as a contract's command does."""
    (tmp_path / "check.py").write_text("import sys\nsys.exit('no total' if 'total' not in sys.stdin.read() else 0)\n")
    sample = IntegrationSample(most=3)
    for number in range(6):
        sides = (Side(Reply(text=text), failed=False) for text in ("total: 5", "total: 5" if number % 2 else "five"))
        sample.add(LivePair(f"p{number}", *sides))
    found = await sample.run((sys.executable, "check.py"), tmp_path, {"PATH": "/usr/bin:/bin"})
    assert found.n_pairs == 3
    assert found.n_broken == len(found.pairs) > 0
    assert found.n_mended == found.n_unknown == 0
    assert "no total" in found.reason


async def test_a_command_that_is_not_there_judges_nothing(tmp_path: Path) -> None:
    """It is unknown, and never a wrong answer."""
    sample = IntegrationSample()
    sample.add(LivePair("p", Side(Reply(text="a"), failed=False), Side(Reply(text="b"), failed=False)))
    found = await sample.run(("no-such-program",), tmp_path, {})
    assert (found.n_unknown, found.n_broken) == (1, 0)


def test_facts_of_staging_come_back_as_they_were_and_hold_no_words(fenced: DriftReport) -> None:
    """Another candidate has nothing of what was accepted for this one."""
    store = open_store("memory:")
    said = IntegrationSeen(argv=("check",), n_pairs=9, n_broken=1, reason="exit code 1: Dear Ms Ruf")
    result = StagingResult(number=4, source="production", replay="r", n_sent=200, report=fenced, integration=said)
    write_result(store, "mail", "u1", result, author="segue", at=AT)
    found = read_result(store, "mail", "u1", 4)
    assert found is not None
    assert found.report == fenced.without_examples()
    assert "Ruf" not in str(store.list_facts("mail")[0].body)
    assert read_result(store, "mail", "u1", 5) is None
    accept(store, fenced, "format", ("fence",), reason="wanted", author="ada", at=AT)
    assert [one.reason for one in accepted_of(store, "mail", OLD, NEW)] == ["wanted"]
    assert accepted_of(store, "mail", OLD, "c" * 64) == accepted_of(store, "mail", "c" * 64, NEW) == ()
