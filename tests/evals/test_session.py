"""From a user's words to a stored verdict, with simulated models."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from segue.errors import BudgetError, InputError, NotComparableError, StoreError
from segue.gates.tally import CONFIRMATION, TOTAL
from segue.store import open_store
from tests.evals.team import WORKFLOW, Team, suite_line

STEADY = {"old-1": {"accuracy": 0.9}, "new-2": {"accuracy": 0.9}}
PRICED = {
    name: {**model, "price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1000.0}} for name, model in STEADY.items()
}
NOISY = {
    "old-1": {"accuracy": 0.9, "flip_probability": [0.05, 0.3]},
    "new-2": {"accuracy": 0.9, "flip_probability": [0.05, 0.3]},
}


def a_workflow(**gate: Any) -> dict[str, Any]:
    """The workflow with other gate settings."""
    return {**WORKFLOW, "gate": {"primary": ["right"], "min_cases": 1, **gate}}


def answers(team: Team) -> set[tuple[str, str, int]]:
    """`(behaviour, case, repeat)` of every stored reply."""
    digests = {bundle.bundle.behaviour for bundle in team.store.list_bundles("mail")}
    return {(behaviour, case, repeat) for behaviour in digests for case, _, repeat in team.store.finished(behaviour)}


def test_an_eval_ends_in_a_stored_verdict(tmp_path: Path) -> None:
    """Forty cases, both arms answered and judged; the run and its verdict are on record."""
    team = Team(tmp_path)
    outcome = team.evaluate(repeats=1)
    assert outcome.report.coverage.common == 40
    assert team.began == [("first run", 80)]
    assert team.store.get_verdict(outcome.verdict)[1]["workflow"] == "mail"
    beginning, end = team.store.get_run("run-1")
    assert beginning["repeats"] == 1
    assert end is not None
    assert (end["done"], end["stopped"], end["verdict"]) == (80, None, outcome.verdict)


def test_the_same_eval_again_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    """Everything is stored."""
    team = Team(tmp_path)
    first, second = team.evaluate(repeats=1), team.evaluate(repeats=1)
    assert team.began == [("first run", 0)]
    assert first.report.findings == second.report.findings
    assert [one.kept for one in team.estimates[-1].arms] == [40, 40]


def test_compare_says_what_eval_said(tmp_path: Path) -> None:
    """Judging again from the store alone."""
    team = Team(tmp_path)
    assert team.evaluate(repeats=1).report.findings == team.compare().report.findings


def test_an_interrupted_run_is_judged_on_what_it_has_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Ctrl-C after a while; the same command asks the rest, and the result is that of an undisturbed run."""
    team, undisturbed = Team(tmp_path / "a", cases=300), Team(tmp_path / "b", cases=300)
    outcome = team.evaluate(repeats=1, stop_after=100)
    done = outcome.progress.done
    assert outcome.stopped == "interrupted"
    assert 100 <= done < 600
    assert len(answers(team)) == done
    assert any("interrupted" in note for note in outcome.report.notes)
    again = team.evaluate(repeats=1)
    assert team.began == [("first run", 600 - done)]
    assert again.report.findings == undisturbed.evaluate(repeats=1).report.findings


def test_repeats_grow_as_the_noise_asks(tmp_path: Path) -> None:
    """Noisy models are run again, up to the most that is allowed; both arms alike."""
    team = Team(tmp_path, models=NOISY, workflow=a_workflow(max_repeats=4), cases=60)
    outcome = team.evaluate()
    assert team.began == [("first run", 120), ("repeat 2", 120), ("repeat 4", 240)]
    assert outcome.report.coverage.repeats == 4
    assert len(answers(team)) == 60 * 2 * 4


def test_quiet_models_are_run_once(tmp_path: Path) -> None:
    """Two models that answer the same: a second run would tell nothing."""
    team = Team(tmp_path, cases=60)
    team.evaluate()
    assert [what for what, _ in team.began] == ["first run"]


LONE = {"old-1": {"accuracy": 1.0}, "new-2": {"accuracy": 0.9, "flip_probability": 0.0}}


def test_flips_are_run_again_and_never_enter_a_rate(tmp_path: Path) -> None:
    """After a single run, the cases that flipped are asked twice more on both arms; the rates stay those of the first run."""
    team = Team(tmp_path, models=LONE, workflow=a_workflow(max_repeats=1), cases=50)
    outcome = team.evaluate()
    total = next(one for one in outcome.report.findings if one.where == TOTAL)
    flipped = total.flips.only_old
    assert flipped > 0
    assert team.began == [("first run", 100), ("flips once more", flipped * 2 * 2)]
    assert (total.rerun, total.confirmed) == (flipped, flipped)
    assert (total.n, total.new.mean) == (50, 1 - flipped / 50)
    again = {(case, repeat) for _, case, repeat in answers(team) if repeat >= CONFIRMATION}
    assert len(again) == flipped * 2
    assert outcome.report.coverage.repeats == 1
    assert f"{flipped} of {flipped} negative flips of right held when they were run again." in outcome.report.notes


def test_flips_either_way_are_run_again(tmp_path: Path) -> None:
    """Choosing only those that speak against the candidate would lean."""
    apart = {name: {"accuracy": 0.8, "shared_difficulty": 0.0} for name in ("old-1", "new-2")}
    team = Team(tmp_path, models=apart, workflow=a_workflow(max_repeats=1), cases=60)
    outcome = team.evaluate()
    total = next(one for one in outcome.report.findings if one.where == TOTAL)
    assert total.flips.only_new > 0
    assert team.began[1] == ("flips once more", (total.flips.only_old + total.flips.only_new) * 4)


def test_a_number_of_repeats_that_was_asked_for_is_kept(tmp_path: Path) -> None:
    """No more, no fewer, and no re-runs."""
    team = Team(tmp_path, models=NOISY, cases=30)
    team.evaluate(repeats=2)
    assert team.began == [("repeat 2", 120)]


def test_an_adaptive_run_that_was_cut_off_decides_on_repeats_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Some of the second repeat is there when the run goes on; whether it is needed hangs on the first repeat alone."""
    apart = {"accuracy": 0.8, "flip_probability": [0.02, 0.1], "shared_difficulty": 0.0}
    given: dict[str, Any] = {
        "models": {"old-1": apart, "new-2": apart},
        "workflow": a_workflow(max_repeats=4, margin=0.108),
        "cases": 80,
    }
    undisturbed = Team(tmp_path / "a", **given)
    plain = undisturbed.evaluate()
    assert [what for what, _ in undisturbed.began] == ["first run", "repeat 2", "flips once more"]
    for stop_after in (90, 200, 240, 330):
        team = Team(tmp_path / str(stop_after), **given)
        assert team.evaluate(stop_after=stop_after).stopped == "interrupted"
        again = team.evaluate()
        assert again.stopped is None
        assert answers(team) == answers(undisturbed)
        assert again.report.findings == plain.report.findings


def test_a_budget_below_the_estimate_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """The estimate says what a pass would cost."""
    team = Team(tmp_path, models=PRICED)
    with pytest.raises(BudgetError, match="estimated at"):
        team.evaluate(repeats=1, budget_microusd=1.0)
    assert answers(team) == set()
    assert team.store.list_runs("mail") == []


def test_a_budget_stops_the_run_before_it_is_exceeded_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    """Answers turn out twelve times as long as was guessed: the run keeps to its 40 dollars, and the next estimate knows."""
    long = [suite_line(f"c{n}", reference="y" * 20_000, metadata={"wrong": "n" * 20_000}) for n in range(40)]
    team = Team(tmp_path, models=PRICED, cases=long)
    outcome = team.evaluate(repeats=1, budget_microusd=40e6)
    assert outcome.stopped == "budget"
    assert 30e6 < outcome.progress.cost_microusd <= 40e6
    assert any("budget was reached" in note for note in outcome.report.notes)
    done = outcome.progress.done
    with pytest.raises(BudgetError, match=r"estimated at \$36\d"):
        team.evaluate(repeats=1, budget_microusd=40e6)
    outcome = team.evaluate(repeats=1, budget_microusd=450e6)
    assert (outcome.stopped, outcome.progress.done) == (None, 80 - done)


def test_a_budget_with_an_unknown_price_is_refused(tmp_path: Path) -> None:
    """Nobody knows what this server's model costs; nothing is asked of it."""
    server = {"type": "openai", "base_url": "http://127.0.0.1:9/v1"}
    team = Team(tmp_path, provider=server)
    with pytest.raises(BudgetError, match="price of the incumbent and the candidate's model is not known"):
        team.evaluate(repeats=1, budget_microusd=5e6)
    assert answers(team) == set()


def failing(kind: str, share: float = 1.0, attempts: int = 0) -> dict[str, Any]:
    """Models of which the candidate fails."""
    broken = {"accuracy": 0.9, "failures": {"shares": {kind: share}, "attempts": attempts}}
    return {"old-1": {"accuracy": 0.9}, "new-2": broken}


def test_a_provider_that_only_fails_stops_the_run_and_what_there_is_is_kept(tmp_path: Path) -> None:
    """A candidate that cannot be asked: the run stops, and nothing is taken for a wrong answer."""
    both = {name: failing("auth")["new-2"] for name in ("old-1", "new-2")}
    team = Team(tmp_path, models=both, cases=200)
    outcome = team.evaluate(repeats=1)
    assert outcome.stopped == "failing"
    assert 50 <= outcome.progress.failed < 400
    assert outcome.report.outcome == "hold"
    assert any("answered nothing but failures" in note for note in outcome.report.notes)


def test_failures_of_one_arm_are_errors_and_no_wrong_answers(tmp_path: Path) -> None:
    """A quarter of the candidate's calls fail for good; they are counted as such, and the upgrade waits."""
    team = Team(tmp_path, models=failing("auth", share=0.25), cases=200)
    outcome = team.evaluate(repeats=1)
    total = next(one for one in outcome.report.findings if one.where == TOTAL)
    assert outcome.stopped is None
    assert total.new_unusable.errored == outcome.progress.failed > 20
    assert total.n == 200 - outcome.progress.failed
    assert outcome.report.outcome == "hold"


def test_what_failed_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    """Failures that went away: the second run asks exactly these."""
    team = Team(tmp_path, models=failing("auth", share=0.25), cases=100)
    failed = team.evaluate(repeats=1).progress.failed
    team.write("segue.yaml", {"version": 1, "providers": {"sim": {"type": "scripted", "seed": 3, "models": STEADY}}})
    outcome = team.evaluate(repeats=1)
    assert team.began == [("first run", failed)]
    assert outcome.report.coverage.common == 100


def test_calls_that_were_under_way_when_a_run_died_are_told(tmp_path: Path) -> None:
    """At most so many may have been billed and not kept."""
    team = Team(tmp_path, cases=10)
    prepared = team.session()
    del prepared
    team.evaluate(repeats=1, only=("case_kind=representative",))
    behaviour = team.store.find_bundle("mail", "next").bundle.behaviour
    team.store.add_run("dead", "mail", {}, author="ada", at="2026-03-01T12:00:00Z")
    team.store.begin_attempts("dead", [(behaviour, "c0001", "another text", 0), (behaviour, "c0002", "another text", 0)])
    team.evaluate(repeats=1)
    assert team.lost == [2]


def test_only_some_cases_are_asked_when_only_some_are_wanted(tmp_path: Path) -> None:
    """One slice of two."""
    cases = [suite_line(f"c{n}", slice={"lang": "de" if n % 4 == 0 else "en"}) for n in range(40)]
    team = Team(tmp_path, cases=cases)
    outcome = team.evaluate(repeats=1, only=("lang=de",))
    assert team.began == [("first run", 20)]
    assert outcome.report.n_cases == 10


def test_two_bundles_that_behave_the_same_are_not_compared(tmp_path: Path) -> None:
    """Nothing to find, and nothing to pay for."""
    team = Team(tmp_path)
    team.write("workflows/mail/bundles/next.yaml", {"model": {"provider": "sim", "snapshot": "old-1"}})
    with pytest.raises(NotComparableError, match="the same to the last byte"):
        team.evaluate(repeats=1)


def test_a_case_that_does_not_fit_the_prompt_is_named(tmp_path: Path) -> None:
    """The template asks for a variable that one case lacks; what was answered stays."""
    cases = [suite_line(f"c{n:02}", variables={"order": "7"}) for n in range(20)]
    del cases[13]["variables"]
    team = Team(tmp_path, cases=cases)
    prompt = {"template": "Order {{order}}?"}
    team.write("workflows/mail/bundles/now.yaml", {"model": {"provider": "sim", "snapshot": "old-1"}, "prompt": prompt})
    with pytest.raises(InputError) as caught:
        team.evaluate(repeats=1)
    assert "case 'c13'" in caught.value.faults[0].what
    assert len(answers(team)) >= 13


def test_a_store_that_breaks_in_the_middle_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    """The disk fills up; with room again, the run goes on."""
    team = Team(tmp_path, cases=200)
    store: Any = team.store
    add, left = store.add_exchanges, [120]

    def full(exchanges: Any) -> int:
        some = list(exchanges)
        left[0] -= len(some)
        if left[0] < 0:
            raise StoreError("The state store cannot grow: the disk is full.")
        return int(add(some))

    store.add_exchanges = full
    with pytest.raises(StoreError, match="disk is full"):
        team.evaluate(repeats=1)
    kept = len(answers(team))
    assert 0 < kept <= 120
    store.add_exchanges = add
    team.evaluate(repeats=1)
    assert team.began == [("first run", 400 - kept)]


def test_the_same_run_in_a_database(tmp_path: Path) -> None:
    """SQLite and memory give the same findings."""
    store = open_store(tmp_path / "state.db")
    try:
        in_database = Team(tmp_path / "a", store=store, models=NOISY, workflow=a_workflow(max_repeats=2)).evaluate()
    finally:
        store.close()
    in_memory = Team(tmp_path / "b", models=NOISY, workflow=a_workflow(max_repeats=2)).evaluate()
    assert in_database.report.findings == in_memory.report.findings
    assert in_database.report.coverage == in_memory.report.coverage


def test_no_thread_and_no_loop_is_left_behind(tmp_path: Path) -> None:
    """Writers and their pools end with the run."""
    Team(tmp_path, cases=30).evaluate(repeats=1)
    ours = ("segue-write", "segue-begin")
    assert [one.name for one in threading.enumerate() if one.name.startswith(ours)] == []
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
