"""`segue plan check` as it is typed: the facts it finds in workspace and store, and the exit codes that follow."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from segue.cli.desk import open_desk
from segue.controller.plan_ways import Known, find_ways
from segue.model.plan import Plan
from tests.cli.conftest import Segue, edit

PLAN = """\
preset: 1-5-25-100
gates:
  - {metric: in_form, baseline: 90%}
"""
BUDGETS = "budgets: {latency_p99_ms: 900, cost_usd_per_request: 0.01}\n"
"""The candidate of the first workspace thinks longer than what serves."""
NAMED = ("plan", "check", "careful")


@pytest.fixture
def planned(workspace: Path) -> Path:
    """The first workspace with a plan, and a suite that would do."""
    folder = workspace / "workflows/support-reply"
    (folder / "plans").mkdir(exist_ok=True)
    (folder / "plans/careful.yaml").write_text(PLAN + BUDGETS, encoding="utf-8")
    edit(folder / "workflow.yaml", "gate:\n", "gate:\n  min_cases: 5\n")
    return workspace


def kinds(segue: Segue, *words: str) -> dict[str, str]:
    """What it says for a program: way → severity."""
    return {one["kind"]: one["severity"] for one in segue(*NAMED, "--json", *words).json["ways"]}


def test_what_is_refused_comes_first_and_exits_with_12(planned: Path, segue: Segue) -> None:
    """Without a route, going back would be a deploy; what is not known is said to be unknown."""
    found = segue(*NAMED)
    assert (found.code, found.err) == (12, "")
    refused, unknown = found.out.index("refused rollback by deploy"), found.out.index("unknown cheaper but worse")
    assert refused < unknown
    assert "→ Put what serves today in force: segue route set support-reply BUNDLE" in found.out
    assert found.out.endswith("1 refused, 0 warned of.\n")


def test_a_warning_exits_with_10(planned: Path, segue: Segue) -> None:
    """A route in force that no gateway serves."""
    assert segue("route", "set", "support-reply", "current").code == 0
    found = segue(*NAMED, "--json")
    assert (found.code, found.json["outcome"]) == (10, "caution")
    assert {one["kind"] for one in found.json["ways"] if one["severity"] != "remark"} == {"rollback-by-deploy"}


def test_another_environment_has_other_routes(planned: Path, segue: Segue) -> None:
    """What is in force in production says nothing of staging."""
    assert segue("route", "set", "support-reply", "current").code == 0
    assert kinds(segue, "--environment", "staging")["rollback-by-deploy"] == "error"


def test_too_few_cases_are_told_as_in_stage_0(planned: Path, segue: Segue) -> None:
    """From the file of the suite; without one, from the store; without any, it says that there is none."""
    edit(planned / "workflows/support-reply/workflow.yaml", "min_cases: 5", "min_cases: 100")
    assert "The task 'reply' has 6 cases; 100 are wanted" in segue(*NAMED).out
    edit(planned / "workflows/support-reply/workflow.yaml", "suite: main", "suite: other")
    assert "support-reply has no suite" in segue(*NAMED).out


def test_a_changed_effort_without_gates_is_refused(planned: Path, segue: Segue) -> None:
    """Found by comparing the file of the candidate, as it is now, with what the route serves."""
    assert segue("route", "set", "support-reply", "current").code == 0
    plan = planned / "workflows/support-reply/plans/careful.yaml"
    plan.write_text(PLAN, encoding="utf-8")
    assert kinds(segue)["effort-ungated"] == "error"
    assert "reasoning effort not set → low" in segue(*NAMED).out
    assert "effort-ungated" not in kinds(segue, "--candidate", "current")
    plan.write_text(PLAN + BUDGETS, encoding="utf-8")
    assert "effort-ungated" not in kinds(segue)


def test_looking_stores_nothing(planned: Path, segue: Segue) -> None:
    """Neither the candidate's file nor the suite."""
    segue(*NAMED, "--candidate", "candidate")
    with open_desk(planned) as desk:
        assert desk.store.list_bundles("support-reply") == []
        assert desk.store.list_suites("support-reply") == []


def test_the_last_verdict_on_the_pair_tells_cheaper_from_worse(judged: Path, segue: Segue) -> None:
    """A verdict there is of this pair; of no other."""
    (judged / "workflows/support-reply/plans").mkdir(exist_ok=True)
    (judged / "workflows/support-reply/plans/careful.yaml").write_text(PLAN, encoding="utf-8")
    assert segue("route", "set", "support-reply", "current").code == 0
    assert "cheaper-but-worse" not in kinds(segue)
    assert segue("route", "set", "support-reply", "candidate").code == 0
    assert kinds(segue, "--candidate", "current")["cheaper-but-worse"] == "remark"


def test_a_segment_that_is_a_name_alone_is_refused_before_it_is_used(planned: Path, segue: Segue) -> None:
    """A gateway could not tell who belongs to it; a simulation can do without."""
    plan = planned / "workflows/support-reply/plans/careful.yaml"
    text = PLAN.replace("1-5-25-100", "internal-5-50-100") + "segments: {internal: 2%}\n"
    plan.write_text(text, encoding="utf-8")
    found = segue(*NAMED)
    assert found.code == 1
    assert "Nobody can tell who belongs to the segment 'internal'." in found.err
    plan.write_text(text.replace("2%", "{share: 2%, where: {staff: yes}}"), encoding="utf-8")
    assert segue(*NAMED).code == 12


def test_the_same_is_found_before_an_upgrade_is_opened(planned: Path, segue: Segue) -> None:
    """By the function that opening calls, with bundles by digest."""
    assert segue("bundle", "add", "support-reply").code == 0
    assert segue("route", "set", "support-reply", "current").code == 0
    with open_desk(planned) as desk:
        labels = desk.store.labels("support-reply")
        plan = Plan.model_validate({"preset": "1-5-25-100", "gates": [{"metric": "in_form"}], "soak": 0})
        known = Known(desk.workspace, desk.store, date(2026, 11, 22))
        found = find_ways(known, "support-reply", plan, labels["current"], labels["candidate"])
    assert {one.kind for one in found if one.severity == "error"} == {"incumbent-removed", "effort-ungated"}


def test_a_bundle_that_is_not_there_is_told_with_those_that_are(planned: Path, segue: Segue) -> None:
    """Files and stored ones."""
    found = segue(*NAMED, "--candidate", "candidat")
    assert found.code == 1
    assert "Did you mean 'candidate'?" in found.err


NEVER_MEASURED = {
    "a-scorer-with-a-reference": ("{metric: right_topic, baseline: 90%}", "", "no live answer would ever be scored by it"),
    "a-sample-that-nobody-draws": ("{metric: satisfaction, source: outcome, baseline: 90%, sampled: 20%}", "", "draws whom"),
    "answers-that-are-not-kept": ("{metric: in_form, baseline: 90%}", "serving: {keep: digest}\n", "keeps none"),
    "tokens-that-are-not-kept": ("{metric: cost, source: served}", "serving: {keep: none}\n", "keeps none"),
    "a-log-that-is-thinned": ("{metric: in_form, baseline: 90%}", "serving: {keep_share: 0.1}\n", "counted too low"),
}  # fmt: skip


@pytest.mark.parametrize(("gate", "serving", "said"), NEVER_MEASURED.values(), ids=NEVER_MEASURED)
def test_a_gate_that_nothing_would_ever_measure_is_refused(
    planned: Path, segue: Segue, gate: str, serving: str, said: str
) -> None:
    """With its place and a remedy: the upgrade would stand and wait for labels that never come."""
    folder = planned / "workflows/support-reply"
    (folder / "plans/careful.yaml").write_text(f"preset: 1-5-25-100\ngates:\n  - {gate}\n{BUDGETS}", encoding="utf-8")
    workflow = folder / "workflow.yaml"
    workflow.write_text(workflow.read_text(encoding="utf-8") + serving, encoding="utf-8")
    found = segue(*NAMED)
    assert (found.code, found.out) == (1, "")
    assert said in " ".join(found.err.split())
    assert "gates" in found.err
    assert "→" in found.err


def test_bodies_that_are_dropped_once_scored_are_no_obstacle(planned: Path, segue: Segue) -> None:
    """Scores stay where bodies go."""
    workflow = planned / "workflows/support-reply/workflow.yaml"
    workflow.write_text(workflow.read_text(encoding="utf-8") + "serving: {keep_bodies_share: 0}\n", encoding="utf-8")
    assert segue(*NAMED).code == 12
