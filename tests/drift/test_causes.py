"""Cause before blame: what is named as a cause, and what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from segue.drift import CauseReport, JudgedPair, RecordedRepair, find_causes
from segue.drift.causes import TOGETHER, Cause
from segue.model import Case, Exchange, Failure, Reply, ScorerSpec, ToolCall
from segue.scoring.context import ScoringContext
from segue.scoring.tool_calls import ToolCallsScorer
from tests.drift.builders import a_case, a_pair, an_exchange, equals_json, judged, read_lines, recorded_pairs


def fenced(value: Any) -> str:
    return f"```json\n{json.dumps(value)}\n```"


def cause_named(report: CauseReport, name: str) -> Cause:
    return next(cause for cause in report.causes if cause.name == name)


def test_a_fence_around_right_json_is_a_broken_format_not_a_lost_ability() -> None:
    """All new failures are right once the fence is gone; both arms are repaired the same way."""
    outputs = [({"n": n}, json.dumps({"n": n}), fenced({"n": n})) for n in range(8)]
    outputs.append(({"n": 9}, json.dumps({"n": 9}), fenced({"n": -1})))
    outputs.append(({"n": 10}, json.dumps({"n": -1}), fenced({"n": 10})))
    report = find_causes(judged(equals_json, outputs), equals_json)
    cause = report.causes[0]
    assert cause.name == "remove_fence"
    assert (cause.n_affected, cause.n_explained, cause.n_inspected) == (9, 8, 9)
    assert cause.repaired is not None
    assert (cause.repaired.counts.old_right, cause.repaired.counts.new_right) == (9, 9)
    assert (cause.repaired.counts.n_lost, cause.repaired.counts.n_gained) == (1, 1)
    assert report.n_unexplained == 1
    assert report.best_repair == cause


def test_a_repair_that_the_old_arm_needs_as_much_is_measured_on_both() -> None:
    """If the incumbent's outputs break the same way, the repair lifts both arms and the gap is seen for what it is."""
    outputs = [({"n": n}, fenced({"n": n}), fenced({"n": n})) for n in range(5)]
    outputs.append(({"n": 5}, json.dumps({"n": 5}), fenced({"n": 5})))
    report = find_causes(judged(equals_json, outputs), equals_json)
    repaired = cause_named(report, "remove_fence").repaired
    assert repaired is not None
    assert (repaired.counts.old_rate, repaired.counts.new_rate) == (1.0, 1.0)
    assert len(repaired.old_changes) == 5
    assert len(repaired.new_changes) == 6


def test_a_trait_that_right_outputs_have_too_is_no_cause() -> None:
    """Every new output is one line of prose around JSON that this parser reads; the wrong ones are wrong in what they say."""

    def reads_prose(case: Case, exchange: Exchange) -> bool | None:
        assert exchange.reply is not None
        found = re.search(r"\{.*\}", exchange.reply.text)
        return found is not None and json.loads(found.group()) == case.reference

    outputs = [({"n": n}, json.dumps({"n": n}), f"Here: {json.dumps({'n': n if n % 2 else -1})}") for n in range(40)]
    report = find_causes(judged(reads_prose, outputs), reads_prose)
    assert report.n_newly_failing == 20
    assert report.causes == ()
    assert report.n_unexplained == 20
    assert find_causes(judged(reads_prose, outputs)).causes == ()


def test_a_renamed_field_is_learned_and_repaired() -> None:
    """`total` became `amount`: the report names both, and the repaired score."""
    outputs = [({"total": n + 0.5}, json.dumps({"total": n + 0.5}), json.dumps({"amount": n + 0.5})) for n in range(4)]
    cause = find_causes(judged(equals_json, outputs), equals_json).causes[0]
    assert cause.name == "rename_field"
    assert "total → amount" in cause.sentence
    assert cause.share_explained == 1.0


def test_two_breaks_at_once_are_explained_together() -> None:
    """An escaped string in a fence needs both repairs, and neither alone explains it."""
    outputs = [({"n": n}, json.dumps({"n": n}), f"```\n{json.dumps(json.dumps({'n': n}))}\n```") for n in range(3)]
    report = find_causes(judged(equals_json, outputs), equals_json)
    assert report.causes[0].name == TOGETHER
    assert report.causes[0].n_explained == 3


def test_a_recorded_label_on_the_repaired_output_stands_in_for_rescoring() -> None:
    """Where nothing can score again, labels recorded on repaired outputs give the repaired rates of both arms."""
    pairs = [a_pair("x = 1", f"```\nx = {n}\n```", case_id=f"c{n}") for n in range(4)]
    keys = [pair.key for pair in pairs]
    labels = RecordedRepair(old=dict.fromkeys(keys, 1.0), new=dict(zip(keys, (1.0, 1.0, 1.0, 0.0), strict=True)))
    report = find_causes(pairs, recorded_repaired={"remove_fence": labels})
    (cause,) = report.causes
    assert cause.basis == "recorded"
    assert (cause.n_affected, cause.n_explained) == (4, 3)
    assert cause.repaired is not None
    assert (cause.repaired.counts.new_rate, cause.repaired.n_unknown) == (0.75, 0)


def test_an_answer_that_cannot_be_judged_after_the_repair_is_in_no_count() -> None:
    """A missing recorded label is unknown, never wrong."""
    pairs = [a_pair("x", "```\nx\n```", case_id=name) for name in "ab"]
    labels = RecordedRepair(old={}, new={("a", 0): 1.0})
    (cause,) = find_causes(pairs, recorded_repaired={"remove_fence": labels}).causes
    assert cause.repaired is not None
    assert (cause.repaired.counts.n, cause.repaired.n_unknown) == (1, 1)


def test_without_any_way_to_judge_a_trait_that_gathers_is_named_and_explains_nothing() -> None:
    """Labels only: the fence is in all failing outputs and in no right one, but what a repair is worth stays unknown."""
    failing = [a_pair("x", "```\nx\n```", case_id=f"f{n}") for n in range(10)]
    right = [a_pair("x", "x", right=(True, True), case_id=f"r{n}") for n in range(10)]
    for rescore in (None, lambda case, exchange: None):
        (cause,) = find_causes([*failing, *right], rescore).causes
        assert (cause.name, cause.basis, cause.n_explained, cause.share_explained) == ("remove_fence", "presence", None, None)
        assert cause.repaired is None


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("refusal", Reply(text="I'm sorry, but I can't assist with that.")),
        ("non_answer", Reply(text="This is subjective and depends on personal opinion.")),
        ("empty", Reply(text="")),
        ("truncated", Reply(text="The capital of France is the city of", finish_reason="length")),
        ("content_filter", Reply(text="The", finish_reason="content_filter")),
        ("other_language", Reply(text="Die Hauptstadt von Frankreich ist Paris, und das ist auch die größte Stadt.")),
    ],
)
def test_what_no_repair_undoes_is_named_where_it_gathers(name: str, new: Reply) -> None:
    """A refusal, a cut-off or another language in the failing outputs, and in no right one, is the cause."""
    old = "The capital of France is the city of Paris, and it is also the largest one."
    failing = [a_pair(old, new, case_id=f"f{n}") for n in range(6)]
    right = [a_pair(old, old, right=(True, True), case_id=f"r{n}") for n in range(30)]
    cause = cause_named(find_causes([*failing, *right]), name)
    assert (cause.n_affected, cause.n_explained, cause.n_right_affected) == (6, 6, 0)
    assert "6 of 6" in cause.describe(find_causes(failing).counts)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("called_tool", "No tool fits.", "[f(a=1)]"),
        ("answered_in_text", Reply(tool_calls=(ToolCall(name="f"),)), "You can call f."),
        ("fewer_calls", "[f(a=1), f(a=2)]", Reply(tool_calls=(ToolCall(name="f"),))),
        ("calls_broken", "[f(a='Its')]", "[f(a='It's')]"),
    ],
)
def test_calling_more_less_or_unreadably_is_named_where_it_gathers(name: str, old: Reply | str, new: Reply | str) -> None:
    """Calls as text and native calls count alike."""
    failing = [a_pair(old, new, case_id=f"f{n}") for n in range(6)]
    right = [a_pair(old, old, right=(True, True), case_id=f"r{n}") for n in range(30)]
    assert cause_named(find_causes([*failing, *right]), name).n_explained == 6


def test_a_refusal_that_right_answers_share_is_no_cause() -> None:
    """Where refusing is what the cases ask for, refusing does not explain the failures."""
    no = "I'm sorry, but I can't assist with that."
    pairs = [a_pair("Sure, take this.", no, right=(True, n % 2 == 0), case_id=f"c{n}") for n in range(40)]
    assert find_causes(pairs).causes == ()


def test_a_provider_that_gave_no_answer_is_named_where_the_metric_counts_it_as_wrong() -> None:
    """A failure has no text to blame."""
    pairs = []
    for number in range(3):
        lost = Exchange(behaviour="b", case_id="c", input_digest="d", failure=Failure("timeout"))
        pairs.append(JudgedPair(a_case(f"c{number}"), an_exchange("yes"), lost, True, False))
    assert [cause.name for cause in find_causes(pairs).causes] == ["provider"]


def test_without_new_failures_there_is_nothing_to_explain() -> None:
    """Unknown verdicts are in no count, and an empty comparison has no rate."""
    unknown = a_pair("x", "```\nx\n```", right=(True, None))
    report = find_causes([unknown, a_pair("x", "y", right=(True, True))])
    assert (report.n_newly_failing, report.causes, report.counts.n) == (0, (), 1)
    assert find_causes([]).counts.new_rate is None


def test_pairs_may_be_a_view_that_is_read_anew() -> None:
    """Only what is looked at closely is kept, so pairs can stream from a store."""
    outputs = [({"n": n}, json.dumps({"n": n}), fenced({"n": n})) for n in range(5)]
    whole = judged(equals_json, outputs)

    class View:
        walks = 0

        def __iter__(self) -> Any:
            View.walks += 1
            return iter(whole)

        def __len__(self) -> int:
            return len(whole)

        def __contains__(self, pair: object) -> bool:
            return pair in whole

    assert find_causes(View(), equals_json) == find_causes(whole, equals_json)
    assert View.walks == 3


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("old", "new", "n_failing", "n_explained", "as_is", "repaired"),
    [
        ("gpt-4-0314", "gpt-4-0613", 23, 21, (0.52, 0.10), (0.52, 0.70)),
        ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", 10, 9, (0.22, 0.02), (0.46, 0.48)),
    ],
)
def test_the_leetcode_fall_of_june_2023_is_a_markdown_fence(
    segue_data: Path,
    old: str,
    new: str,
    n_failing: int,
    n_explained: int,
    as_is: tuple[float, float],
    repaired: tuple[float, float],
) -> None:
    """GPT-4 fell from 52 % to 10 % directly usable answers; with the fence removed it rose from 52 % to 70 %."""
    folder = segue_data / "llmdrift"
    labels = {
        (row["case_id"], row["model"], row["labeler"]): row["label"] == "accepted"
        for row in read_lines(folder / "labels.jsonl.gz")
        if row["labeler"].startswith("leetcode:")
    }
    pairs = recorded_pairs(folder, old, new, "leetcode", lambda name, model: labels[name, model, "leetcode:submitted_as_is"])

    def without_fence(model: str) -> dict[tuple[str, int], float]:
        return {pair.key: float(labels[pair.case.case_id, model, "leetcode:code_fence_removed"]) for pair in pairs}

    recorded = {"remove_fence": RecordedRepair(without_fence(old), without_fence(new))}
    report = find_causes(pairs, recorded_repaired=recorded)
    cause = report.causes[0]
    assert cause.name == "remove_fence"
    assert (report.n_newly_failing, cause.n_explained) == (n_failing, n_explained)
    assert (report.counts.old_rate, report.counts.new_rate) == pytest.approx(as_is)
    assert cause.repaired is not None
    assert (cause.repaired.counts.old_rate, cause.repaired.counts.new_rate) == pytest.approx(repaired)


@pytest.mark.recorded
def test_the_survey_fall_of_june_2023_is_refusals_and_non_answers(segue_data: Path) -> None:
    """GPT-4's response rate fell from 97.6 % to 23.4 %: at least 97 % of the new failures decline, and no right answer does."""
    folder = segue_data / "llmdrift"
    labels = {
        (row["case_id"], row["model"]): row["label"] == 1
        for row in read_lines(folder / "labels.jsonl.gz")
        if row["labeler"] == "rule:survey_answered"
    }
    pairs = recorded_pairs(folder, "gpt-4-0314", "gpt-4-0613", "opinionqa", lambda name, model: labels[name, model])
    report = find_causes(pairs)
    assert {cause.name for cause in report.causes} == {"refusal", "non_answer"}
    assert all(cause.n_right_affected == 0 for cause in report.causes)
    assert report.n_newly_failing == 1118
    assert 1 - report.n_unexplained / report.n_newly_failing >= 0.97


@pytest.mark.recorded
def test_calls_in_prompt_mode_break_by_quotes_and_missing_brackets_and_relevance_by_calling(segue_data: Path) -> None:
    """Few of BFCL's new failures are mechanical, and the report does not pretend otherwise; the relevance fall is calls."""
    folder = segue_data / "bfcl"
    scorer = ToolCallsScorer.build(ScorerSpec(name="calls", type="tool_calls"), ScoringContext())

    def rescore(case: Case, exchange: Exchange) -> bool | None:
        return scorer.score(case, exchange)[0].value == 1.0

    official = {(row["case_id"], row["model"]): row["label"] == 1 for row in read_lines(folder / "labels.jsonl.gz")}
    pairs = recorded_pairs(
        folder, "gpt-4-0613", "gpt-4-1106-preview", "bfcl-relevance", lambda name, model: official[name, model]
    )
    report = find_causes(pairs, rescore)
    assert (report.n_newly_failing, cause_named(report, "called_tool").n_explained) == (25, 24)
    pairs = recorded_pairs(folder, "gpt-4-0125-preview", "gpt-4-0613", "bfcl", lambda name, model: official[name, model])
    report = find_causes(pairs, rescore)
    quoted = cause_named(report, "unquote_calls")
    assert (report.n_newly_failing, quoted.n_explained) == (50, 6)
    assert report.n_unexplained > report.n_newly_failing / 2
