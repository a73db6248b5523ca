"""Plans in the workspace: every fault at its place, traces read or refused by line, the page in step with the code."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from segue.errors import InputError, NotFoundError
from segue.model.plan import NoticeSpec, Plan, PlanBudgets, PlanGate, PlanStep, PlanWeights, ShadowSpec, StagingSpec, StepLimits
from segue.model.plan_gate import OUTCOMES, SERVED
from segue.model.plan_people import ApprovalRule
from segue.model.plan_segment import PlanSegment
from segue.workspace.plan_file import find_plan
from segue.workspace.trace_file import read_trace
from tests.workspace.builders import WORKFLOW, Team
from tests.workspace.test_documentation import DOCS, FILLED_IN, default_of, table_of

SLICED = WORKFLOW + "slices:\n  task: {values: [refund, other]}\n"
GOOD = "preset: 1-5-25-100\ngates:\n  - {metric: right, baseline: 90%}\n"


def errors_of(team: Team, plan: str, workflow: str = SLICED) -> list[str]:
    """What the check says of the plan, warnings included."""
    team.write("workflow.yaml", workflow)
    team.write("plans/careful.yaml", plan)
    return [line for line in team.said() if line.startswith("plans/")]


def test_a_good_plan_has_no_faults(team: Team) -> None:
    """Nor does the example of the page, but for the names of its metrics."""
    assert errors_of(team, GOOD + "slices: {task=refund: 10%}\n") == []


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (
            GOOD.replace("right", "rihgt"),
            "plans/careful.yaml:3 gates[0].metric: No scorer gives the metric 'rihgt'. Did you mean 'right'?",
        ),
        (
            GOOD + "  - {metric: thumbs, source: outcome}\n",
            "plans/careful.yaml:4 gates[1]: Whether more of 'thumbs' is better or worse",
        ),
        (
            GOOD + "slices: {refund: 10%}\n",
            "plans/careful.yaml:4 slices.refund: 'refund' is not the name of a slice. Did you mean 'task=refund'?",
        ),
        (GOOD + "slices: {task=refnd: 10%}\n", "The slice 'task=refnd' is not declared. Did you mean 'task=refund'?"),
        (GOOD + "slices: {tsk=refund: 10%}\n", "The slice 'tsk' is not declared. Did you mean 'task=refund'?"),
        (GOOD + "slices: {task=refund: 60%, task=other: 70%}\n", "The shares of task=… add up to 130 %."),
        (GOOD + "  - {metric: right}\n", "'right' is gated twice: gates[0] and gates[1]."),
        (GOOD + "weights: {pooled: {wrong: 100%}}\n", "The plan has no gate 'wrong' to give a weight to."),
        (GOOD.replace("90%", "90%, age: 9d"), "Outcomes of 'right' count after 9 days; step 1 lasts 6 days at most."),
        (
            "steps: [{share: 5%, hold: 4d}, {share: 9%, hold: 1d, longest: 2d}]\n"
            + GOOD.partition("\n")[2].replace("90%", "90%, age: 2d"),
            "Outcomes of 'right' count after 2 days; step 2 lasts 2 days at most.",
        ),
        (
            GOOD.replace("90%", "90%, age: 3d") + "soak: 3d\n",
            "Outcomes of 'right' count after 3 days; the soak lasts 3 days, so it would end before it has seen any. "
            "Judge it earlier, or write a `soak` longer than 3 days.",
        ),
        (GOOD.replace("90%", "90%, better: lower"), "Of 'right' higher is better by its scorer, and lower here."),
        (GOOD.replace("1-5-25-100", "1-5-25"), "Did you mean '1-5-25-100'?"),
        (GOOD + "soaks: 3d\n", "'soaks' is not a key. Did you mean 'soak'?"),
        ("steps: [{share: 5%, hold: 2d, segment: staff}]\n" + GOOD.partition("\n")[2], "The segment 'staff' is not described."),
        (
            "steps: [{share: 5%, hold: 3h}]\n" + GOOD.partition("\n")[2],
            "The step holds for 3 hours, less than a cycle of 1 day",
        ),
        (GOOD + "segments: {staff: 2%}\n", "No step is for the segment 'staff'."),
        ("gates: []\n", "'gates' is empty."),
        (
            GOOD.replace("1-5-25-100", "internal-5-50-100"),
            "plans/careful.yaml:1 preset: The segment 'internal' is not described.",
        ),
        (
            "steps: [{share: 100%, hold: 2d, segment: staff}]\nsegments: {staff: {where: {staff: yes}}}\n"
            + GOOD.partition("\n")[2],
            "The step takes all of 'staff': nobody of it is left to compare with.",
        ),
        (
            "steps: [{share: 5%, hold: 2d, limits: {rihgt: {hold: 1 point}}}]\n" + GOOD.partition("\n")[2],
            "The plan has no gate 'rihgt' to set limits of. Did you mean 'right'?",
        ),
        (GOOD + "approvals: [{name: legal, who: [ada], before: step 4}]\n", "approvals[0].before: There is no step 4."),
        (
            GOOD + "approvals: [{name: legal, who: [ada]}, {name: legal, who: [bo]}]\n",
            "approvals[1].name: Two rules of approval are called 'legal'.",
        ),
        (GOOD + "notify: [{url: 'https://hooks.example/x', secret: hunter2}]\n", "A secret is a reference to the environment"),
        (GOOD + "segments: {staff: {where: {staff: true}}}\n", "segments.staff.where.staff"),
    ],
    ids=lambda value: re.sub(r"[^a-z]+", "-", value)[-40:] if " " in value and "\n" not in value else "plan",
)
def test_every_mistake_is_named_with_its_place(team: Team, plan: str, says: str) -> None:
    """File, line, what was likely meant, and what to do."""
    found = errors_of(team, plan)
    assert any(says in one for one in found), found


def test_a_secret_that_was_written_out_is_not_repeated(team: Team) -> None:
    """It is in the file already; it need not be in a terminal and a build's log too."""
    found = errors_of(team, GOOD + "notify: [{url: 'https://hooks.example/x', secret: hunter2hunter2}]\n")
    assert found
    assert not any("hunter2" in one for one in found)


def test_what_the_gateway_sees_needs_no_scorer(team: Team) -> None:
    """Nor a direction: of all that is served, less is better."""
    gates = "  - {metric: cost, source: served, watch: total}\n  - {metric: slow, source: served, factor: 1.5}\n"
    assert errors_of(team, GOOD + gates) == []


@pytest.mark.parametrize("baseline", ["150", "0%", "abc"])
def test_a_wrong_baseline_is_one_fault(team: Team, baseline: str) -> None:
    """The gate is written there: that `gates` is empty would be false."""
    (found,) = errors_of(team, GOOD.replace("90%", baseline))
    assert "gates[0].baseline" in found


def test_all_faults_are_told_at_once(team: Team) -> None:
    """Of one plan and of another."""
    team.write("plans/other.yaml", "preset: 5\n")
    team.write("plans/notes.txt", "not a plan")
    found = errors_of(team, GOOD.replace("right", "rong") + "slices: {task=x: 10%}\nsegments: {staff: 2%}\n")
    assert len([one for one in found if one.startswith("plans/careful")]) == 3
    assert [one for one in found if one.startswith("plans/other")]
    assert [one for one in found if "plans end in .yaml" in one]


def test_a_plan_is_found_by_name_by_workflow_and_by_file(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a name that is nearly right is told which it may have been."""
    team.write("plans/careful.yaml", GOOD)
    monkeypatch.chdir(team.root)
    workspace = team.load()
    for ref in ("careful", "mail/careful", "workflows/mail/plans/careful.yaml", "careful.yaml"):
        assert find_plan(workspace, ref) == ("mail", "careful")
    with pytest.raises(NotFoundError, match="Did you mean 'careful'"):
        find_plan(workspace, "carful")


def test_reads_a_trace_plain_and_gzipped(tmp_path: Path) -> None:
    """Other keys are left alone."""
    text = '{"t_s": 0.5, "service": "chat"}\n\n{"t_s": 2}\n'
    (tmp_path / "a.jsonl").write_text(text)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert read_trace(tmp_path / "a.jsonl") == read_trace(tmp_path / "a.jsonl.gz") == [0.5, 2.0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"t_s": 1}\n{"t": 2}\nnonsense\n{"t_s": "x"}\n{"t_s": NaN}\n{"t_s": true}\n', ":2: The line has no t_s."),
        (b"", "The trace has no arrivals."),
        (b"\xff\xfe{}\n", ":1: The line is not JSON."),
    ],
    ids=["garbled", "empty", "not-text"],
)
def test_a_garbled_trace_is_refused_by_line(tmp_path: Path, content: bytes, says: str) -> None:
    """Nothing is guessed from the lines that can be read."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as found:
        read_trace(path)
    said = [fault.sentence() for fault in found.value.faults]
    assert any(says in one for one in said), said


def test_a_trace_that_is_cut_off_or_absent_is_refused(tmp_path: Path) -> None:
    """With what to do."""
    whole = gzip.compress(b'{"t_s": 1}\n' * 1000)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-20])
    with pytest.raises(InputError) as found:
        read_trace(tmp_path / "cut.jsonl.gz")
    assert "damaged or ends too early" in found.value.faults[-1].what
    with pytest.raises(InputError) as absent:
        read_trace(tmp_path / "cut.jsonl")
    assert "There is no such file." in absent.value.faults[0].what


@pytest.mark.parametrize(
    ("beside", "likely"),
    [
        (("contract.json", "workflow.yaml"), None),
        (("week.jsonl.gz", "contract.json"), "week.jsonl.gz"),
        (("traffic_may.jsonl", "other.ndjson"), "traffic_may.jsonl"),
        (("a.jsonl", "b.jsonl"), None),
    ],
    ids=["no-trace", "the-only-one", "named-alike", "two-strangers"],
)
def test_a_missing_trace_is_compared_with_the_traces_beside_it(
    tmp_path: Path, beside: tuple[str, ...], likely: str | None
) -> None:
    """With files that could be one, in the same folder; never with whatever lies somewhere below."""
    (tmp_path / "below").mkdir()
    for name in (*beside, "below/traffic-may.jsonl"):
        (tmp_path / name).touch()
    with pytest.raises(InputError) as found:
        read_trace(tmp_path / "traffic-may.jsonl")
    fault = found.value.faults[0]
    assert (fault.likely or "None").strip("'").rpartition("/")[2] == str(likely)
    assert "leave --trace out" in (fault.fix or "")


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("The plan", Plan),
        ("A step", PlanStep),
        ("Limits of a step", StepLimits),
        ("A segment", PlanSegment),
        ("A gate", PlanGate),
        ("Shadow", ShadowSpec),
        ("Staging", StagingSpec),
        ("Approvals", ApprovalRule),
        ("Budgets", PlanBudgets),
        ("Notices", NoticeSpec),
        ("Weights", PlanWeights),
    ],
    ids=lambda value: "" if isinstance(value, type) else value,
)
def test_every_key_is_documented_with_its_default(heading: str, model: type[BaseModel]) -> None:
    """As for all other files of the workspace."""
    documented = table_of("plan.md", heading)
    assert set(documented) == set(model.model_fields)
    for name, shown in documented.items():
        assert shown in FILLED_IN or shown == default_of(model, name), name


def test_the_usual_limits_on_the_page_are_those_of_the_code() -> None:
    """For every metric that is known by name, with the kind it is of."""
    text = (DOCS / "plan.md").read_text(encoding="utf-8").split("### Usual limits", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*?) \|", text, re.MULTILINE)
    gates = [
        *(PlanGate(metric=one, source="served") for one in SERVED),
        *(PlanGate(metric=one, source="outcome") for one in OUTCOMES),
    ]
    assert rows == [(gate.metric, gate.source, gate.hold.words, gate.rollback.words) for gate in gates]


def test_the_plan_on_the_page_is_a_plan(team: Team) -> None:
    """Whoever copies it gets no fault, once the names are those of the workflow."""
    (example,) = re.findall(r"```yaml\n(.*?)\n```", (DOCS / "plan.md").read_text(encoding="utf-8"), re.DOTALL)
    workflow = WORKFLOW + "slices:\n  topic: {values: [refund, delivery, account]}\n"
    assert errors_of(team, example.replace("in_form", "right"), workflow) == []
