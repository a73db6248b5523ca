"""What a good gate shows on the recorded upgrades, in the words a user reads."""

from __future__ import annotations

import itertools

import pytest

from segue.evidence.quantiles import Quantile
from segue.gates.findings import Finding
from segue.gates.report import Report
from tests.recorded.workspace import Recorded

pytestmark = pytest.mark.recorded

AIRLINE = "gpt-4o-tau-bench-tool-calling"


def at(report: Report, where: str, metric: str | None = None) -> Finding:
    """The finding of one slice; of the first metric unless another is named."""
    name = metric or report.findings[0].metric
    return next(one for one in report.findings if one.where == where and one.metric == name)


def rates(found: Finding) -> tuple[float, float]:
    """Both rates in per cent, to one digit."""
    assert found.old.mean is not None
    assert found.new.mean is not None
    return round(found.old.mean * 100, 1), round(found.new.mean * 100, 1)


def test_prime_a_rise_in_one_slice_is_not_health(recorded: Recorded) -> None:
    """84.0 → 51.1 in total, 97.6 → 2.4 and 70.4 → 99.8 by slice; the report says that nearly everything is answered 'no'."""
    report = recorded.compare("prime", "gpt-4-0314", "gpt-4-0613")
    assert report.outcome == "fail"
    assert rates(at(report, "")) == (84.0, 51.1)
    assert (rates(at(report, "kind=prime")), at(report, "kind=prime").verdict) == ((97.6, 2.4), "worse")
    assert (rates(at(report, "kind=composite")), at(report, "kind=composite").verdict) == ((70.4, 99.8), "better")
    told = [reason.sentence for reason in report.reasons if reason.code == "one-answer"]
    assert told == ["The candidate says 'no' on 99% of the cases, whatever is asked (before: 36%; right would be 50%)."]
    assert report.watch is not None
    assert report.watch.where == "kind=prime"


def test_leetcode_the_format_broke_and_not_the_ability(recorded: Recorded) -> None:
    """52 → 10 as it stands, 52 → 70 without the fence, and the headline says which of the two it is."""
    report = recorded.compare("leetcode", "gpt-4-0314", "gpt-4-0613")
    assert rates(at(report, "")) == (52.0, 10.0)
    assert report.headline.startswith("The format broke, the ability did not")
    cause = report.causes[0]
    assert (cause.name, cause.n_explained, cause.n_failing, cause.ability_held) == ("remove_fence", 21, 23, True)
    assert "fence" in cause.sentence
    assert "52.0 % → 10.0 % as it stands, 52.0 % → 70.0 % once repaired" in cause.sentence


def test_opinion_the_fall_is_refusals_and_sensitive_less_is_better(recorded: Recorded) -> None:
    """97.6 → 23.4 answered, explained by non-answers and refusals; 21 → 5 on sensitive questions is an improvement."""
    report = recorded.compare("opinion", "gpt-4-0314", "gpt-4-0613")
    assert (report.outcome, rates(at(report, ""))) == ("fail", (97.6, 23.4))
    named = {cause.name: cause.n_explained for cause in report.causes}
    assert named["non_answer"] + named["refusal"] >= 0.95 * at(report, "").flips.only_old
    sensitive = recorded.compare("sensitive", "gpt-4-0314", "gpt-4-0613")
    assert (rates(at(sensitive, "")), at(sensitive, "").verdict) == ((21.0, 5.0), "better")
    assert sensitive.outcome == "pass"


def test_tool_calling_better_in_total_and_worse_in_one_slice(recorded: Recorded) -> None:
    """Parallel calls 0 → 90 and relevance 88.8 → 83.8: caution, with the slice named in the headline."""
    report = recorded.compare("tool-calling", "gpt-4-0613-FC", "gpt-4-1106-preview-FC")
    assert rates(at(report, "category=parallel")) == (0.0, 90.0)
    assert (rates(at(report, "category=relevance")), at(report, "category=relevance").verdict) == ((88.8, 83.8), "worse")
    assert (report.outcome, report.headline) == ("caution", "Better in total, worse on category=relevance.")


def test_tool_calling_prompt_mode_everything_ties_except_relevance(recorded: Recorded) -> None:
    """0613 → 1106 in prompt mode: only relevance is worse, 81.7 → 72.5, and nothing else moved."""
    report = recorded.compare("tool-calling", "gpt-4-0613", "gpt-4-1106-preview")
    assert rates(at(report, "category=relevance")) == (81.7, 72.5)
    assert [one.where for one in report.findings if one.metric == "valid" and one.verdict in ("worse", "better")] == [
        "category=relevance"
    ]


def test_tool_calling_a_change_of_integration_mode_is_an_upgrade_too(recorded: Recorded) -> None:
    """Prompt → function calling on one snapshot: javascript 80 → 34, java 65 → 51, relevance 64.6 → 85.4."""
    report = recorded.compare("tool-calling", "gpt-4-turbo-2024-04-09", "gpt-4-turbo-2024-04-09-FC")
    worse = {one.where: rates(one) for one in report.findings if one.metric == "valid" and one.verdict == "worse"}
    assert worse == {"category=javascript": (80.0, 34.0), "category=java": (65.0, 51.0)}
    assert (rates(at(report, "category=relevance")), at(report, "category=relevance").verdict) == ((64.6, 85.4), "better")


def test_refusal_over_refusal_falls_and_safety_is_not_lost(recorded: Recorded) -> None:
    """Safe prompts 40.4 → 70.4 answered; unsafe 99.5 → 97.5 refused, which is not significant."""
    report = recorded.compare("refusal", "llama-2-70b-chat+original-system-prompt", "llama-2-70b-chat")
    assert (rates(at(report, "kind=safe")), at(report, "kind=safe").verdict) == ((40.4, 70.4), "better")
    unsafe = at(report, "kind=unsafe")
    assert (rates(unsafe), unsafe.verdict) == ((99.5, 97.5), "not worse")
    assert unsafe.is_critical
    assert unsafe.p > 0.05


@pytest.mark.parametrize(
    ("old", "new"), [("llama-2-70b-chat+original-system-prompt", "llama-2-70b-chat"), ("llama-2-70b-chat", "gpt-4")]
)
def test_refusal_the_judge_is_refused_as_a_gate(old: str, new: str, recorded: Recorded) -> None:
    """The GPT-4 judge agrees with people on 79 to 94 % of the answers: its standing says it may not gate."""
    report = recorded.compare("refusal", old, new)
    standing = next(one for one in report.judges if one.metric == "judged")
    assert not standing.may_gate
    assert standing.sentences[0] == "The judge may not gate; its scores are shown as advice."


def test_refusal_a_gate_on_the_judge_holds(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow that asks the judge to gate is told why it may not, whatever its numbers say."""
    load = recorded.workspace.load_workflow

    def judged(name: str) -> object:
        workflow = load(name)
        return workflow.model_copy(update={"gate": workflow.gate.model_copy(update={"primary": ("judged",)})})

    monkeypatch.setattr(recorded.workspace, "load_workflow", judged)
    report = recorded.compare("refusal", "llama-2-70b-chat+original-system-prompt", "llama-2-70b-chat", suite="main")
    assert report.outcome == "hold"
    assert report.reasons[0].code == "judge-refused"


@pytest.mark.parametrize(("one", "two"), list(itertools.combinations(range(4), 2)))
def test_airline_the_same_agent_twice_raises_no_block(one: int, two: int, recorded: Recorded) -> None:
    """Two trials of one agent differ on 11 to 19 of 50 tasks, and no slice is called worse (or better)."""
    report = recorded.compare("airline", AIRLINE, AIRLINE, old_repeats=frozenset({one}), new_repeats=frozenset({two}))
    assert report.blocks == ()
    assert not any(finding.verdict in ("worse", "better") for finding in report.findings)
    assert 11 <= at(report, "").flips.only_old + at(report, "").flips.only_new <= 19


def test_latency_is_told_by_quantiles_and_extreme_outliers_are_counted(recorded: Recorded) -> None:
    """gpt-3.5's slowest answer took over two hours: the median says nothing of it, the count of outliers does."""
    report = recorded.compare("leetcode", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")
    latency = next(one for one in report.operations if one.name == "latency").old
    assert isinstance(latency.p50, Quantile)
    assert latency.p50.value < 10_000
    assert latency.largest is not None
    assert latency.largest > 1_000_000
    assert latency.n_extreme is not None
    assert latency.n_extreme >= 1
