"""Evals with judges, of single outputs and of pairs: asked once, kept, resumed, and within the budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from segue.errors import BudgetError, ConflictError, InputError
from segue.evals.judge_calls import judge_behaviour
from segue.evals.session import Request
from segue.gates.findings import Finding
from segue.gates.report import Judging, Preferences, Report
from segue.model import Parameters, RecordedLabel, Score
from segue.store.base import Claim
from tests.evals.team import Team, suite_line

PRICE = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 10.0}
JUDGE = {"likes": "(?m)^yes$", "price": PRICE}
MODELS: dict[str, Any] = {
    "old-1": {"accuracy": 0.6, "price": PRICE},
    "new-2": {"accuracy": 0.9, "price": PRICE},
    "judge-1": JUDGE,
}
ASKED = {"provider": "sim", "snapshot": "judge-1", "rubric": "Says whether it is here."}
HELPFUL = {"name": "helpful", "type": "judge", **ASKED}
LIKED = {"name": "liked", "type": "pairwise", **ASKED}
RIGHT = {"name": "right", "type": "exact"}


class DiedError(Exception):
    """The process is gone."""


def a_team(root: Path, *scorers: Mapping[str, Any], gate: Mapping[str, Any] | None = None, **given: Any) -> Team:
    """A team whose workflow has these scorers, forty cases unless said otherwise, and a simulated judge."""
    settings = {"primary": ["right"], "min_cases": 1, "max_repeats": 1, **(gate or {})}
    workflow = {"incumbent": "now", "scorers": [RIGHT, *scorers], "gate": settings}
    return Team(root, **{"models": MODELS, "workflow": workflow, **given})


def finding_of(report: Report, metric: str) -> Finding:
    """The total of a metric."""
    return next(one for one in report.findings if one.metric == metric and one.is_total)


def judging_of(report: Report, metric: str) -> Judging:
    """What a judge was asked."""
    return next(one for one in report.judging if one.metric == metric)


def preferences_of(report: Report) -> Preferences:
    """Who won how often."""
    found = judging_of(report, "liked").preferences
    assert found is not None
    return found


def test_a_pairwise_judge_is_asked_in_both_orders_and_its_preference_is_a_metric(tmp_path: Path) -> None:
    """The judge likes the right answer: the candidate wins where it alone is right, and equal answers cost nothing."""
    report = (outcome := a_team(tmp_path, LIKED).evaluate(repeats=1)).report
    right, liked, found = finding_of(report, "right"), finding_of(report, "liked"), preferences_of(report)
    assert (found.wins, found.losses) == (right.flips.only_new, right.flips.only_old)
    assert found.wins > 5
    assert found.identical == 40 - found.wins - found.losses
    assert outcome.judging.calls == 2 * (found.wins + found.losses) == judging_of(report, "liked").calls
    assert liked.new.mean == pytest.approx((found.wins + found.ties / 2) / 40)
    assert liked.old.mean == pytest.approx(1 - liked.new.mean)
    assert liked.difference == pytest.approx((found.wins - found.losses) / 40)
    assert (liked.flips.only_new, liked.flips.only_old, liked.flips.both_right) == (found.wins, found.losses, 0)
    assert any(note.startswith("liked compares the two answers of a case. The new answers win") for note in report.notes)


def test_a_judge_that_goes_by_position_prefers_nobody(tmp_path: Path) -> None:
    """What it says hangs on the order: every pair is a tie, and marked."""
    odd = {**MODELS, "judge-1": {**JUDGE, "likes": "nothing of the kind", "accuracy": 0.0}}
    found = preferences_of(a_team(tmp_path, LIKED, models=odd).evaluate(repeats=1).report)
    assert (found.wins, found.losses, found.inconsistent, found.position_bias) == (0, 0, 1.0, 1.0)


def test_preferences_are_advisory_until_they_are_calibrated(tmp_path: Path) -> None:
    """Shown, they decide nothing; gated on, they hold."""
    shown = a_team(tmp_path / "shown", LIKED).evaluate(repeats=1).report
    assert not finding_of(shown, "liked").is_gated
    assert [one.may_gate for one in shown.judges] == [False]
    gated = a_team(tmp_path / "gated", LIKED, gate={"primary": ["liked"]}).evaluate(repeats=1).report
    assert (gated.outcome, "judge-refused" in [one.code for one in gated.reasons]) == ("hold", True)


def test_the_same_eval_again_asks_no_judge_and_compare_says_the_same(tmp_path: Path) -> None:
    """Every verdict is stored; a comparison needs no model and no key."""
    team = a_team(tmp_path, HELPFUL, LIKED)
    first, again = team.evaluate(repeats=1), team.evaluate(repeats=1)
    assert first.judging.calls > 80
    assert (again.judging.calls, again.spent.total_microusd) == (0, 0.0)
    assert again.report.findings == first.report.findings == team.compare().report.findings
    assert again.report.judging == first.report.judging == team.compare().report.judging


def test_a_preference_is_never_taken_for_that_of_another_pair(tmp_path: Path) -> None:
    """A third bundle has no preference, though all of its outputs are there."""
    team = a_team(tmp_path, LIKED, models={**MODELS, "third-3": {"accuracy": 0.3}})
    team.evaluate(repeats=1)
    team.write("workflows/mail/bundles/third.yaml", {"model": {"provider": "sim", "snapshot": "third-3"}})
    team.answer("third", {f"c{number:04}": "yes, and more" for number in range(40)})
    report = team.session().compare(_against("third"), team.listener()).report
    assert (finding_of(report, "liked").n, finding_of(report, "right").n) == (0, 40)
    assert preferences_of(report).n == 0


def _against(candidate: str) -> Request:
    return Request(workflow="mail", candidate=candidate)


def test_questions_about_cases_that_did_not_change_are_not_paid_again(tmp_path: Path) -> None:
    """One case of forty has another text: both arms and both judges are asked about that one alone."""
    team = a_team(tmp_path, HELPFUL, LIKED)
    team.evaluate(repeats=1)
    lines = [suite_line(f"c{number:04}") for number in range(40)]
    lines[7]["messages"] = [{"role": "user", "content": "Something else altogether?"}]
    _write_suite(team, lines)
    outcome = team.evaluate(repeats=1)
    assert outcome.progress.done == 2
    assert 1 <= outcome.judging.calls <= 4
    assert judging_of(outcome.report, "helpful").verdicts == 80


def test_a_changed_reference_is_scored_anew_and_asked_about_only_if_the_judge_sees_it(tmp_path: Path) -> None:
    """What the judge is not shown cannot change its verdict."""
    for sees, calls in ((False, 0), (True, 2)):
        team = a_team(tmp_path / str(sees), {**HELPFUL, "show_reference": sees}, cases=[suite_line("a"), suite_line("b")])
        before = team.evaluate(repeats=1).report
        _write_suite(team, [suite_line("a"), suite_line("b", reference="perhaps")])
        outcome = team.evaluate(repeats=1)
        assert outcome.judging.calls <= calls
        assert (outcome.judging.calls > 0) == sees
        assert finding_of(outcome.report, "helpful").n == finding_of(before, "helpful").n == 2
        assert finding_of(outcome.report, "right").new.mean == 0.5


def test_compare_remembers_what_judges_said_of_an_earlier_suite(tmp_path: Path) -> None:
    """A case that has gone takes nothing with it."""
    team = a_team(tmp_path, HELPFUL, LIKED)
    team.evaluate(repeats=1)
    _write_suite(team, [suite_line(f"c{number:04}") for number in range(39)])
    report = team.compare().report
    assert (finding_of(report, "helpful").n, finding_of(report, "liked").n) == (39, 39)


def _write_suite(team: Team, lines: list[dict[str, Any]]) -> None:
    team.write("workflows/mail/suites/main.jsonl", "".join(json.dumps(line) + "\n" for line in lines))


def test_an_error_of_a_judge_is_no_verdict_and_is_asked_again(tmp_path: Path) -> None:
    """A judge out of reach: nothing is kept of it but that it was tried; once it is well, everything is judged."""
    broken = {**MODELS, "judge-1": {**JUDGE, "failures": {"shares": {"auth": 1.0}, "attempts": 0}}}
    team = a_team(tmp_path, HELPFUL, LIKED, models=broken, cases=12)
    outcome = team.evaluate(repeats=1)
    assert outcome.judging.failures.total() == outcome.judging.calls > 0
    assert (finding_of(outcome.report, "helpful").n, judging_of(outcome.report, "liked").silent) == (0, 0)
    assert any("broke on" in note for note in outcome.report.notes)
    team.write("segue.yaml", {"version": 1, "providers": {"sim": {"type": "scripted", "seed": 3, "models": MODELS}}})
    well = team.evaluate(repeats=1).report
    assert (finding_of(well, "helpful").n, finding_of(well, "liked").n) == (12, 12)


def test_a_judge_that_answers_nothing_but_failures_is_left_alone(tmp_path: Path) -> None:
    """After fifty failures in a row the run ends, and says why."""
    broken = {**MODELS, "judge-1": {**JUDGE, "failures": {"shares": {"auth": 1.0}, "attempts": 0}}}
    outcome = a_team(tmp_path, HELPFUL, models=broken, cases=200).evaluate(repeats=1)
    assert outcome.stopped == "failing"
    assert 50 <= outcome.judging.calls < 400


def test_equal_outputs_of_one_case_are_asked_about_once(tmp_path: Path) -> None:
    """Two repeats with the same answer, and both arms with the same: one question."""
    team = a_team(tmp_path, HELPFUL, cases=10)
    outcome = team.evaluate(repeats=3)
    judged = judging_of(outcome.report, "helpful")
    different = 10 + finding_of(outcome.report, "right").flips.only_new + finding_of(outcome.report, "right").flips.only_old
    assert (judged.verdicts, judged.calls, outcome.judging.calls) == (60, different, different)
    assert judged.cost_microusd == pytest.approx(outcome.spent.judging_microusd)


def test_a_pair_that_was_half_written_when_the_process_died_is_completed_for_nothing(tmp_path: Path) -> None:
    """The old arm's side is made from the new one's."""
    team = a_team(tmp_path, LIKED, cases=10)
    store: Any = team.store
    add = store.add_scores

    def dies(behaviour: str, key: str, rows: Any) -> int:
        rows = list(rows)
        if behaviour == team.behaviour("now") and any(score.name == "liked" for row in rows for score in row[3]):
            raise DiedError
        return int(add(behaviour, key, rows))

    store.add_scores = dies
    with pytest.raises(DiedError):
        team.evaluate(repeats=1)
    store.add_scores = add
    before = _n_asked(team)
    report = team.compare().report
    again = team.evaluate(repeats=1)
    assert _n_asked(team) - before == again.judging.calls
    liked = finding_of(again.report, "liked")
    assert (liked.n, liked.old.mean) == (10, pytest.approx(1 - (liked.new.mean or 0)))
    assert finding_of(report, "liked").n >= 1


def _n_asked(team: Team) -> int:
    """Judge calls that are stored."""
    return len(team.store.finished(judge_behaviour("sim", "judge-1", Parameters())))


def test_a_case_that_the_candidate_lost_is_its_own_loss_in_a_preference(tmp_path: Path) -> None:
    """Where it has no reply there is no pair; that is not counted against the incumbent."""
    failing = {**MODELS, "new-2": {**MODELS["new-2"], "failures": {"shares": {"auth": 0.2}, "attempts": 0}}}
    report = a_team(tmp_path, LIKED, models=failing, cases=60).evaluate(repeats=1).report
    liked, right = finding_of(report, "liked"), finding_of(report, "right")
    assert liked.n == right.n < 60
    assert (liked.old_unusable.n, liked.new_unusable.errored) == (0, right.new_unusable.errored)


def test_only_the_cases_that_are_asked_for_are_judged(tmp_path: Path) -> None:
    """A judge is paid by the question: neither `--only` nor `when` lets others through."""
    cases = [suite_line(f"c{n:02}", slice={"lang": "de" if n % 4 else "en"}) for n in range(24)]
    liked = {**LIKED, "when": {"lang": "en"}}
    team = a_team(tmp_path, HELPFUL, liked, cases=cases)
    everything = team.evaluate(repeats=1).report
    assert (finding_of(everything, "helpful").n, finding_of(everything, "liked").n_applicable) == (24, 6)
    other = a_team(tmp_path / "other", HELPFUL, liked, cases=cases)
    other.evaluate(repeats=1, only=("lang=en",))
    part = other.evaluate(repeats=1, only=("lang=en",)).report
    assert judging_of(part, "helpful").verdicts == 12


def test_an_estimate_names_the_judges_and_the_most_it_can_come_to(tmp_path: Path) -> None:
    """A question per output, two per pair; each may be asked a second time, and runs may be repeated."""
    team = a_team(tmp_path, HELPFUL, LIKED, gate={"max_repeats": 4}, cases=10)
    outcome = team.evaluate()
    forecast = team.estimates[0]
    assert [(one.metric, one.calls, one.kept) for one in forecast.judges] == [("helpful", 20, 0), ("liked", 20, 0)]
    assert (forecast.calls, forecast.most_calls) == (60, 2 * 4 * 10 + 2 * 2 * 4 * 10 + 4 * 4 * 10)
    assert forecast.cost_microusd is not None
    assert forecast.most_microusd is not None
    assert 0 < outcome.spent.total_microusd <= forecast.most_microusd
    team.evaluate()
    assert [(one.calls, one.kept) for one in team.estimates[1].judges] == [(0, 20), (0, 10)]


def test_a_budget_with_a_judge_of_unknown_price_is_refused(tmp_path: Path) -> None:
    """Before anything is asked."""
    team = a_team(tmp_path, HELPFUL, models={**MODELS, "judge-1": {"likes": "yes"}})
    with pytest.raises(BudgetError, match="the price of the judge 'helpful' is not known"):
        team.evaluate(repeats=1, budget_microusd=5e6)
    assert team.store.list_runs("mail") == []


def test_a_budget_that_judges_use_up_ends_the_run(tmp_path: Path) -> None:
    """Questions cost more than was guessed; what was judged is kept, and a larger budget goes on from there."""
    cheap = {"input_usd_per_mtok": 0.001, "output_usd_per_mtok": 0.001}
    long = {name: {**model, "price": cheap} for name, model in MODELS.items()}
    long["judge-1"] = {**JUDGE, "characters_per_token": 0.25}
    team = a_team(tmp_path, HELPFUL, models=long, cases=60)
    guess = a_team(tmp_path / "guess", HELPFUL, models=long, cases=60)
    guess.evaluate(repeats=1)
    forecast, spent = guess.estimates[0].cost_microusd, guess.store.get_run("run-1")[1]
    assert forecast is not None
    assert spent is not None
    budget = (forecast + spent["cost_microusd"] + spent["judging_microusd"]) / 2
    assert forecast < budget
    outcome = team.evaluate(repeats=1, budget_microusd=budget)
    assert outcome.stopped == "budget"
    assert outcome.spent.judging_microusd > 0
    assert outcome.spent.total_microusd <= budget
    kept = _n_asked(team)
    with pytest.raises(BudgetError, match="that were not finished have spent"):
        team.evaluate(repeats=1, budget_microusd=budget)
    again = team.evaluate(repeats=1, budget_microusd=100 * budget)
    assert again.stopped is None
    assert _n_asked(team) == kept + again.judging.calls
    assert again.earlier == outcome.spent
    assert team.counted_before[-1] == outcome.spent


def test_a_finished_eval_is_not_counted_against_the_next_budget(tmp_path: Path) -> None:
    """A new eval of the same pair has a budget of its own."""
    team = a_team(tmp_path, HELPFUL)
    team.evaluate(repeats=1, budget_microusd=1e6)
    outcome = team.evaluate(repeats=2, budget_microusd=1e6)
    assert outcome.earlier.total_microusd == 0
    assert team.counted_before == []


def test_a_run_that_died_without_a_word_is_counted_by_what_it_stored(tmp_path: Path) -> None:
    """It left no ending: its bill is that of the calls it noted and that were answered, the judges' among them."""
    team = a_team(tmp_path, HELPFUL)
    store: Any = team.store
    finish = store.finish_run

    def dies(*_: Any, **__: Any) -> None:
        raise DiedError

    store.finish_run = dies
    with pytest.raises(DiedError):
        team.evaluate(repeats=1, budget_microusd=1e6)
    store.finish_run = finish
    outcome = team.evaluate(repeats=1, budget_microusd=1e6)
    assert (outcome.spent.calls, outcome.spent.judge_calls) == (0, 0)
    assert (outcome.earlier.calls, outcome.earlier.judge_calls) == (80, _n_asked(team))
    assert outcome.earlier.calls_microusd > 0
    assert outcome.earlier.judging_microusd > 0


def test_a_second_eval_of_a_workflow_is_told_who_runs_the_first(tmp_path: Path) -> None:
    """Both would pay for the same; another workflow, and comparing, are free."""
    team = a_team(tmp_path, HELPFUL, cases=5)
    assert team.store.claim("eval mail", Claim("run-9", "2026-03-01T11:00:00Z", "bob")) is None
    with pytest.raises(ConflictError, match=r"running already \(run-9; bob began it at 2026-03-01T11:00:00Z\)") as refusal:
        team.evaluate(repeats=1)
    assert "Wait for it to end" in refusal.value.fix
    assert team.store.list_runs("mail") == []
    team.store.release("eval mail")
    team.evaluate(repeats=1)
    assert team.store.claim("eval mail", Claim("run-10", "t", "bob")) is None
    assert team.compare().report.n_cases == 5


def test_two_runs_of_one_bundle_have_no_preference(tmp_path: Path) -> None:
    """A pairwise judge compares two bundles; where it gates, that is said."""
    for gate in ({}, {"primary": ["liked"]}):
        team = a_team(tmp_path / str(len(gate)), LIKED, gate=gate, cases=5)
        team.evaluate(repeats=2)
        fields = {"incumbent": "next", "old_repeats": frozenset({0}), "new_repeats": frozenset({1})}
        if gate:
            with pytest.raises(InputError, match="compares two bundles"):
                team.compare(**fields)
        else:
            assert finding_of(team.compare(**fields).report, "liked").n == 0


def test_flips_of_a_preference_are_run_and_judged_again(tmp_path: Path) -> None:
    """The first primary metric decides what is re-run; the re-runs are judged, and enter no rate."""
    team = a_team(tmp_path, LIKED, gate={"primary": ["liked"]}, cases=20)
    report = team.evaluate().report
    liked = finding_of(report, "liked")
    assert (liked.n, liked.rerun, liked.confirmed) == (20, liked.flips.only_old, liked.flips.only_old)
    assert preferences_of(report).n == 20
    assert judging_of(report, "liked").verdicts > 20


def test_what_a_judge_says_of_a_pair_is_kept_on_both_arms(tmp_path: Path) -> None:
    """Turned round on the incumbent's, and with its details on the candidate's alone."""
    team = a_team(tmp_path, LIKED, cases=30)
    scope_of = team.session()
    team.evaluate(repeats=1)
    prepared = scope_of.prepare(_against("next"))
    sides: list[dict[str, Score]] = []
    for arm in (prepared.old, prepared.new):
        scorer = arm.scorer_of("liked")
        assert scorer is not None
        rows = team.store.iter_scores(arm.behaviour, arm.key_of(scorer))
        sides.append({case_id: scores[0] for case_id, _, _, scores in rows})
    old, new = sides
    assert old.keys() == new.keys()
    assert all((old[one].value or 0) + (new[one].value or 0) == 1 for one in old)
    assert {score.detail for score in old.values()} == {None}
    assert {(old[one].label, new[one].label) for one in old} <= {("won", "lost"), ("lost", "won"), ("tie", "tie")}


APART = {name: {"accuracy": share, "shared_difficulty": 0.0} for name, share in (("old-1", 0.55), ("new-2", 0.7))}
PEOPLE = {"against": "human:these-two", "map": {"better": 1, "same": 0, "worse": 0}}


@pytest.mark.parametrize(("wrong", "may_gate"), [(0, True), (3, False)], ids=["agrees", "errs"])
def test_a_preference_that_agrees_with_people_on_both_arms_may_gate(tmp_path: Path, wrong: int, may_gate: bool) -> None:
    """People say of each output whether it is the better of its pair; one that errs on the candidate's is refused."""
    team = a_team(
        tmp_path, {**LIKED, "calibrate": PEOPLE}, gate={"primary": ["liked"]}, models={**APART, "judge-1": JUDGE}, cases=260
    )
    team.evaluate(repeats=1)
    for label, sign in (("now", -1), ("next", 1)):
        team.store.add_labels(team.behaviour(label), _labels(team, sign, wrong if label == "next" else 0))
    report = team.compare().report
    (standing,) = report.judges
    assert standing.may_gate == may_gate
    assert ("judge-refused" in [one.code for one in report.reasons]) != may_gate
    liked = finding_of(report, "liked")
    assert standing.corrected_low is not None
    assert standing.corrected_high is not None
    if may_gate:
        # A judge without errors: corrected is what was seen, with a wider interval.
        assert standing.corrected_difference == pytest.approx(liked.difference, abs=0.02)
        assert liked.interval is not None
        assert standing.corrected_low < liked.interval[0] < liked.interval[1] < standing.corrected_high


def _labels(team: Team, sign: int, wrong: int) -> list[RecordedLabel]:
    """What people say of one arm: the right answer is the better one. Of ten, `wrong` are labelled the other way round."""
    answers = {
        label: {one.case_id: one.reply.text == "yes" for one in team.store.iter_exchanges(team.behaviour(label)) if one.reply}
        for label in ("now", "next")
    }
    labels = []
    for number, (case_id, was_right) in enumerate(answers["now"].items()):
        lead = sign * (answers["next"][case_id] - was_right) * (-1 if number % 10 < wrong else 1)
        labels.append(RecordedLabel(case_id, "human:these-two", "better" if lead > 0 else "worse" if lead < 0 else "same", 0))
    return labels
