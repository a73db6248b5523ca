"""The check names every fault in one run: what is wrong in one place hides nothing in another, and invents nothing there."""

from __future__ import annotations

import pytest

from tests.workspace.builders import BUNDLE, Team, a_case, lines

_SEVEN = """\
incumbent: curent
slices:
  task:
    values: [refund, billing]
    critical: [refunds]
scorers:
  - {name: right_action, type: exact}
  - {name: usable, type: contrct}
gate:
  primary: [right_actoin]
  guardrails: [usable]
  margin: 3
  margins:
    case_kind=egde: 0.1
budgets:
  latency_p96_ms: 900
"""
_CONFIG = """\
version: 1
providers:
  sim:
    type: scripted
    models:
      m-1:
        accuracy: {default: 0.9, task=refnd: 0.5}
"""


@pytest.fixture
def mail(team: Team) -> Team:
    """A workflow with two tasks, and cases of both."""
    team.write("bundles/now.yaml", BUNDLE)
    cases = [a_case(f"c-{n}", task="refund" if n % 2 else "billing") for n in range(200)]
    team.write("suites/main.jsonl", lines(*cases))
    return team


def test_faults_of_form_and_of_sense_are_told_in_one_run(mail: Team) -> None:
    """Seven in workflow.yaml and one in segue.yaml, each at its line with what was likely meant, and nothing else."""
    mail.write("segue.yaml", _CONFIG)
    mail.write("workflow.yaml", _SEVEN.replace("curent", "nwo"))
    found = [(fault.file, fault.line, fault.path, fault.likely) for fault in mail.check()]
    workflow = "workflows/mail/workflow.yaml"
    assert found == [
        ("segue.yaml", 7, "providers.sim.models.m-1.accuracy.task=refnd", "'task=refund'"),
        (workflow, 1, "incumbent", "'now'"),
        (workflow, 5, "slices.task.critical[0]", "'refund'"),
        (workflow, 8, "scorers[1].type", "'contract' or 'cost' or 'contains'"),
        (workflow, 10, "gate.primary[0]", "'right_action'"),
        (workflow, 12, "gate.margin", "0.03"),
        (workflow, 14, "gate.margins.case_kind=egde", "'case_kind=edge'"),
        (workflow, 16, "budgets.latency_p96_ms", "'latency_p99_ms'"),
    ]


def test_points_written_for_a_share_are_told_as_such(mail: Team) -> None:
    """The number they stand for is named."""
    mail.write("workflow.yaml", "scorers: [{name: right, type: exact}]\ngate: {primary: [right], margin: 3}\n")
    assert mail.said() == [
        "workflow.yaml:2 gate.margin: 'margin' is 3; it has to be at most 1: margins are shares; 0.03 is 3 points. "
        "Did you mean 0.03? Write a number at most 1."
    ]


_WHOLE = """\
suite: main
incumbent: now
slices: {task: {values: [refund, billing], critical: [refund]}}
scorers:
  - {name: right, type: exact}
  - {name: other, type: exact, when: {task: refund}}
gate:
  primary: [right]
  guardrails: [other]
  margins: {right: 0.1, task=refund: 0.1}
"""


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("suite: main", "suite: 3", "suite"),
        ("suite: main", "siute: nightly", "siute"),
        ("incumbent: now", "incumbent: [now]", "incumbent"),
        ("slices: {", "slcies: {", "slcies"),
        ("values: [refund, billing]", "values: [refund, 3]", "slices.task.values[1]"),
        ("values: [refund, billing]", "vlaues: [refund, billing]", "slices.task.vlaues"),
        ("{task: {values: [refund, billing], critical: [refund]}}", "{task: [refund, billing]}", "slices.task"),
        ("{task: {values: [refund, billing], critical: [refund]}}", "[task]", "slices"),
        ("scorers:", "scorer:", "scorer"),
        ("scorers:", "measures:", "measures"),
        ("{name: right, type: exact}", "{name: right, type: exct}", "scorers[0].type"),
        ("{name: right, type: exact}", "{name: right, type: 3}", "scorers[0].type"),
        ("{name: right, type: exact}", "{name: right}", "scorers[0]"),
        ("{name: right, type: exact}", "{name: right, typ: exact}", "scorers[0]"),
        ("{name: right, type: exact}", "{type: exact}", "scorers[0]"),
        ("{name: right, type: exact}", "right", "scorers[0]"),
        ("{name: right, type: exact}", "{name: right, type: exact, better: more}", "scorers[0].better"),
        ("{name: right, type: exact}", "{name: right, type: exact, calibrate: {agianst: x}}", None),
        ("name: other", "name: right", "scorers[1].name"),
        ("when: {task: refund}", "when: {task: [3]}", None),
        ("primary: [right]", "primary: right", "gate.primary"),
        ("primary: [right]", "primary: [3]", "gate.primary[0]"),
        ("primary: [right]", "primry: [right]", "gate.primry"),
        ("primary: [right]", "primary: [rihgt]", "gate.primary[0]"),
        ("gate:", "gaet:", "gaet"),
        ("right: 0.1", "right: 10", "gate.margins.right"),
        ("  guardrails", "  repeats: 0\n  guardrails", "gate.repeats"),
    ],
)
def test_no_fault_comes_from_another(mail: Team, old: str, new: str, path: str | None) -> None:
    """Whatever one fault hides is not taken for missing."""
    mail.write("workflow.yaml", _WHOLE)
    assert mail.said() == []
    mail.write("workflow.yaml", _WHOLE.replace(old, new, 1))
    found = {fault.path for fault in mail.check()}
    if path is not None:
        assert found == {path}, mail.said()
    else:
        assert {(one or "").partition(".")[0] for one in found} in ({"scorers[0]"}, {"scorers[1]"}), mail.said()


def test_an_unreadable_scorer_hides_no_fault_of_another(mail: Team) -> None:
    """Neither in the scorers, nor in the gate, nor in the budgets."""
    text = _WHOLE.replace("{name: right, type: exact}", "{name: right}").replace("when: {task: refund}", "when: {tsak: refund}")
    mail.write("workflow.yaml", text.replace("task=refund: 0.1", "task=refnd: 0.1") + "budgets: {latency_p95_ms: -1}\n")
    found = [fault.path for fault in mail.check()]
    assert found == ["scorers[0]", "scorers[1].when.tsak", "gate.margins.task=refnd", "budgets.latency_p95_ms"], mail.said()


def test_shares_of_kinds_and_of_open_slices_are_in_order(mail: Team) -> None:
    """Kinds and `critical` are of every case; tasks that nobody declares are those of the cases."""
    known = "{kind=edge: 0.1, critical=true: 0.2, task=refund: 0.3}"
    mail.write("segue.yaml", _CONFIG.replace("{default: 0.9, task=refnd: 0.5}", known))
    assert mail.said() == []
    mail.write("segue.yaml", _CONFIG.replace("{default: 0.9, task=refnd: 0.5}", "{slices: {task=refnd: 0.3, knd=edge: 0.1}}"))
    assert [fault.likely for fault in mail.check()] == ["'kind=edge'", "'task=refund'"]
