"""The check of a whole workspace: what its parts say to each other."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from segue.errors import Fault
from segue.store.base import CaseRow
from segue.workspace import check_workspace, gate_faults
from tests.workspace.builders import BUNDLE, CONFIG, WORKFLOW, Team, a_case, lines


def test_a_workspace_in_order_has_no_faults(team: Team) -> None:
    """Nothing to say is said by silence."""
    assert team.check() == []


def test_a_workspace_without_workflows_says_what_comes_next(tmp_path: Path) -> None:
    """The first step is named."""
    (tmp_path / "segue.yaml").write_text("version: 1\n")
    (fault,) = check_workspace(tmp_path, {})
    assert fault.severity == "warning"
    assert "segue init --workflow NAME" in fault.fix


def test_variables_that_cases_lack_are_counted(team: Team) -> None:
    """The prompt's line, how many cases, the first of them, and what was likely meant."""
    team.write("prompts/a.md", "Be kind.\nYou work for {{compnay}}.\n")
    team.write("bundles/now.yaml", BUNDLE + "prompt: {system: prompts/a.md, template: '{{input}} {{tone}}'}\n")
    cases = [a_case(f"c-{n}", variables={"company": "x", "tone": "y"} if n > 2 else {"company": "x"}) for n in range(100)]
    team.write("suites/main.jsonl", lines(*cases))
    assert team.said() == [
        "bundles/now.yaml:2 prompt.template: {{tone}} of the template is not given by 3 of 100 cases in suites/main.jsonl; "
        'the first is on line 1. Add "tone" to the `variables` of the cases, or correct the name in the prompt.',
        "prompts/a.md:2: {{compnay}} of the system instructions is not given by 100 of 100 cases in suites/main.jsonl; "
        "the first is on line 1. Did you mean 'company'? "
        'Add "compnay" to the `variables` of the cases, or correct the name in the prompt.',
    ]


def test_input_stands_for_the_last_user_message(team: Team) -> None:
    """A case without one has nothing to put there."""
    team.write("bundles/now.yaml", BUNDLE + "prompt: {template: 'Mail: {{input}}'}\n")
    assert team.said() == []
    team.write("suites/main.jsonl", lines(*(a_case(f"c-{n}", messages=[], variables={"x": "y"}) for n in range(100))))
    assert "{{input}} of the template is not given by 100 of 100 cases" in team.said()[0]


def test_braces_that_are_no_variable_are_refused(team: Team) -> None:
    """Conditions and loops are not part of a template; they would fail at the first case."""
    team.write("bundles/now.yaml", BUNDLE + "prompt: {system: 'Say {{ two words }}'}\n")
    assert "does not begin a variable" in team.said("error")[0]


def test_cases_with_nothing_to_send_are_counted(team: Team) -> None:
    """Neither messages nor a template."""
    team.write("suites/main.jsonl", lines(*(a_case(f"c-{n}", messages=[]) for n in range(100))))
    assert "100 of 100 cases in suites/main.jsonl have no messages, and the bundle has no template" in team.said()[0]


def test_an_unknown_provider_shows_the_ones_there_are(team: Team) -> None:
    """Bundles name providers of segue.yaml."""
    team.write("bundles/now.yaml", "model: {provider: smi, snapshot: m-1}\n")
    assert team.said() == [
        "bundles/now.yaml:1 model.provider: There is no provider 'smi' in segue.yaml. Did you mean 'sim'? "
        "Add it under `providers:`; there are: sim."
    ]


def test_a_floating_alias_and_a_retirement_are_warned_of(team: Team) -> None:
    """The provider may change what an alias means; a retired model answers nobody."""
    team.write("segue.yaml", CONFIG + "  open: {type: openai}\n  claude: {type: anthropic}\n")
    team.write("bundles/now.yaml", "model: {provider: open, snapshot: gpt-4o}\n")
    team.write("bundles/old.yaml", "model: {provider: claude, snapshot: claude-3-opus-20240229}\n")
    environ = {"OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "x"}
    said = " ".join(team.said("warning", **environ))
    assert "bundles/now.yaml:1 model.snapshot: 'gpt-4o' is a floating alias" in said
    assert "bundles/old.yaml:1 model.snapshot: 'claude-3-opus-20240229' retires on 2026-01-05" in said
    later = [fault.what for fault in check_workspace(team.root, environ, today=date(2026, 6, 1))]
    assert any("retired on 2026-01-05" in one for one in later)


def test_parameters_the_provider_does_not_take_are_faults(team: Team) -> None:
    """They would fail at the first case, after the estimate was signed."""
    team.write("segue.yaml", CONFIG + "  claude: {type: anthropic}\n")
    team.write("bundles/now.yaml", "model: {provider: claude, snapshot: claude-3-opus-20240229}\nparameters:\n  seed: 1\n")
    assert any(one.startswith("bundles/now.yaml:3 parameters.seed") for one in team.said("error"))


def test_scorers_are_checked_at_their_lines(team: Team) -> None:
    """The scorer's own faults, and conditions that no case meets."""
    team.write(
        "workflow.yaml",
        "scorers:\n  - {name: right, type: exct}\n  - name: other\n    type: regex\n    patern: x\n"
        "  - {name: third, type: exact, when: {case_kind: edgy}}\ngate: {primary: [third]}\n",
    )
    said = team.said("error")
    assert said[0].startswith("workflow.yaml:2 scorers[0].type: There is no scorer of type 'exct'. Did you mean 'exact'")
    assert any(one.startswith("workflow.yaml:5 scorers[1].patern") and "'pattern'" in one for one in said)
    assert any(one.startswith("workflow.yaml:6 scorers[2].when") and "edge" in one for one in said)


def test_an_own_check_of_scorers_can_take_the_place_of_segues(team: Team) -> None:
    """What it says is placed at the scorer."""
    faults = check_workspace(team.root, {}, checks_scorer=lambda spec: [Fault("No.", "Change it.", path="type")])
    assert [fault.sentence() for fault in faults] == ["workflows/mail/workflow.yaml:2 scorers[0].type: No. Change it."]


def test_a_gate_cannot_be_about_what_nobody_measures(team: Team) -> None:
    """Metrics come from scorers; margins name metrics or slices."""
    team.write(
        "workflow.yaml",
        "slices: {lang: {values: [de, en]}}\nscorers: [{name: right, type: exact}]\n"
        "gate: {primary: [rihgt], guardrails: [cost], margins: {right: 0.01, lang=dee: 0.1, lnag=de: 0.1, odd: 0.1}}\n",
    )
    team.write("suites/main.jsonl", lines(*(a_case(f"c-{n}", slice={"lang": "de" if n % 2 else "en"}) for n in range(100))))
    said = [one.split(": ", 1) for one in team.said("error")]
    assert said == [
        ["workflow.yaml:3 gate.guardrails[0]", "No scorer gives the metric 'cost'. Metrics of the scorers: right."],
        [
            "workflow.yaml:3 gate.margins.lang=dee",
            "The slice 'lang=dee' is not declared. Did you mean 'lang=de'? Declared are lang=de, lang=en.",
        ],
        [
            "workflow.yaml:3 gate.margins.lnag=de",
            "The slice 'lnag' is not declared. Did you mean 'lang'? Declared are case_kind, critical, lang, task.",
        ],
        [
            "workflow.yaml:3 gate.margins.odd",
            "'odd' is neither a metric nor a slice. Name a metric or a slice: right, lang=de, lang=en.",
        ],
        [
            "workflow.yaml:3 gate.primary[0]",
            "No scorer gives the metric 'rihgt'. Did you mean 'right'? Metrics of the scorers: right.",
        ],
    ]


def test_a_gate_without_a_primary_metric_could_not_decide(team: Team) -> None:
    """It would hold every upgrade, and nobody would know why."""
    team.write("workflow.yaml", "scorers: [{name: right, type: exact}]\n")
    assert team.said() == [
        "workflow.yaml:1 gate: The gate has no primary metric: it could not decide. "
        "Add `primary: [NAME]` to `gate`. Metrics: right."
    ]


def test_a_workflow_without_scorers_is_warned_of(team: Team) -> None:
    """Nothing would be measured."""
    team.write("workflow.yaml", "kind: generation\n")
    (sentence,) = team.said("warning")
    assert "The workflow has no scorers: nothing would be measured." in sentence


def test_an_incumbent_has_to_be_there(team: Team) -> None:
    """The label of a bundle source, or what the store knows."""
    team.write("workflow.yaml", "incumbent: nwo\n" + WORKFLOW)
    assert team.said() == [
        "workflow.yaml:1 incumbent: The incumbent 'nwo' has no file bundles/nwo.yaml. Did you mean 'now'? "
        "Write it, or name one of these: now."
    ]
    assert check_workspace(team.root, {}, resolve=lambda workflow, ref: "0" * 64) == []


def test_a_critical_slice_without_cases_is_an_error(team: Team) -> None:
    """Silence never passes a gate."""
    team.write("workflow.yaml", WORKFLOW + "slices:\n  tier: {values: [free, paid, gold], critical: [gold]}\n")
    team.write("suites/main.jsonl", lines(*(a_case(f"c-{n}", slice={"tier": "free"}) for n in range(100))))
    assert team.said() == [
        "workflow.yaml:5 slices.tier: No case in suites/main.jsonl has tier=paid. Add cases, or delete the values.",
        "workflow.yaml:5 slices.tier.critical: The critical slice 'tier=gold' has no cases in suites/main.jsonl: "
        "it could not be judged. Add cases with tier=gold; there are tier=free.",
    ]


def test_a_thin_suite_is_a_warning(team: Team) -> None:
    """A suite begins small; the upgrade waits, the check passes."""
    team.write("suites/main.jsonl", lines(a_case("a", task="refund"), a_case("b")))
    assert [one.split(". ")[0] for one in team.said("warning")] == [
        "suites/main.jsonl: The task 'default' has 1 case; 100 are wanted before an upgrade is judged",
        "suites/main.jsonl: The task 'refund' has 1 case; 100 are wanted before an upgrade is judged",
    ]
    assert team.said("error") == []


def test_the_workflows_suite_has_to_be_there_if_it_is_named(team: Team) -> None:
    """A workflow without a suite is told so; one that names a missing suite is wrong."""
    team.path("suites/main.jsonl").rename(team.path("suites/mian.jsonl"))
    assert "The workflow's suite 'main' has no file suites/main.jsonl" in team.said("warning")[0]
    team.write("workflow.yaml", "suite: main\n" + WORKFLOW)
    assert "Did you mean 'mian'?" in team.said("error")[0]


def test_files_that_nothing_reads_are_named(team: Team) -> None:
    """A forgotten prompt, a bundle with the wrong ending, a folder without a workflow."""
    team.write("prompts/old.md", "x")
    team.write("bundles/next.yml", BUNDLE)
    team.write("suites/more.json", "[]")
    (team.root / "workflows/chat").mkdir()
    (team.root / "workflows/chat/workflow.yml").write_text(WORKFLOW)
    assert team.said() == [
        "workflows/chat: The folder has no workflow.yaml, so it is not read. Did you mean 'workflow.yml'? "
        "Write workflow.yaml, or move the folder elsewhere.",
        "bundles/next.yml: The file is not read: bundle sources end in .yaml. Rename it, or move it elsewhere.",
        "prompts/old.md: No bundle uses this prompt. Name it in a bundle's `prompt`, or delete it.",
        "suites/more.json: The file is not read: suites end in .jsonl or .jsonl.gz. Rename it, or move it elsewhere.",
    ]


def test_a_label_must_not_look_like_a_digest(team: Team) -> None:
    """Commands take either."""
    team.write("bundles/beef.yaml", BUNDLE)
    assert "The label 'beef' could be taken for a digest." in team.said("error")[0]


def test_tools_differ_by_name_and_take_json_schema(team: Team) -> None:
    """Two tools of one name cannot be told apart; a schema that is none is warned of, for some providers take it."""
    team.write(
        "bundles/now.yaml",
        BUNDLE + "tools:\n  - {name: a, parameters: {type: dict}}\n  - {name: a}\n",
    )
    assert [one.split(". ")[0] for one in team.said("error")] == [
        "bundles/now.yaml:4 tools[1].name: Two tools are called 'a': entries 1 and 2"
    ]
    assert team.said("warning")[0].startswith(
        "bundles/now.yaml:3 tools[0].parameters.type: 'dict' is not a type of JSON Schema."
    )


def test_structured_output_needs_a_schema(team: Team) -> None:
    """It asks the provider to hold the output to the contract."""
    team.write("bundles/now.yaml", BUNDLE + "parameters: {structured_output: true}\n")
    assert "there is no JSON Schema to hold the output to" in team.said("error")[0]


def test_faults_of_a_suite_are_told_once_however_many_bundles_use_it(team: Team) -> None:
    """Each fault has one place."""
    team.write("bundles/a.yaml", BUNDLE)
    team.write("bundles/b.yaml", BUNDLE)
    team.write("suites/main.jsonl", lines(*(a_case(f"c-{n}") for n in range(100)), "nonsense"))
    assert len(team.said("error")) == 1


MEASURED = (
    "scorers:\n  - {name: right, type: exact}\n  - {name: long, type: length}\n  - {name: took, type: latency}\n"
    "  - {name: form, type: contract}\n"
)


def test_a_gate_takes_only_metrics_from_0_to_1(team: Team) -> None:
    """A margin in points means nothing for milliseconds; what to write instead is said."""
    team.write("workflow.yaml", MEASURED + "gate: {primary: [long], guardrails: [took, form.schema]}\n")
    assert team.said("error") == [
        "workflow.yaml:6 gate.guardrails[0]: 'took' is measured in ms, and only metrics from 0 to 1 can gate. "
        "Gate on one of right, form; limits of time, tokens and cost are `budgets`.",
        "workflow.yaml:6 gate.primary[0]: 'long' is measured in characters, and only metrics from 0 to 1 can gate. "
        "Gate on one of right, form; a limit of its own for an output is a `contract`.",
    ]


def test_leave_for_what_is_never_served_is_warned_of(team: Team) -> None:
    """Whoever relies on a conversation that the provider keeps hears of it before any request does."""
    team.write("workflow.yaml", WORKFLOW + "serving: {may_set: [temperature, previous_response_id]}\n")
    assert team.said() == [
        f"workflow.yaml:{WORKFLOW.count(chr(10)) + 1} serving.may_set[1]: 'previous_response_id' is never served, so this "
        "leave has no effect. Delete it; the application sends whole conversations, and waits for each answer."
    ]
    assert {fault.severity for fault in team.check()} == {"warning"}


def test_a_margin_of_a_metric_that_gates_nothing_is_a_warning(team: Team) -> None:
    """It has no effect, whatever its author thought."""
    team.write("workflow.yaml", MEASURED + "gate: {primary: [right], margins: {form: 0.1}}\n")
    assert team.said() == [
        "workflow.yaml:6 gate.margins.form: 'form' has a margin and gates nothing, so the margin has no effect. "
        "Name it under `primary` or `guardrails`, or delete the margin."
    ]


def test_a_slice_that_no_case_has_names_the_one_that_was_meant(team: Team) -> None:
    """By its value, or by its name; for critical slices and for margins."""
    team.write(
        "workflow.yaml",
        "scorers: [{name: right, type: exact}]\nslices: {tier: {critical: [Gold]}, lang: {}}\n"
        "gate: {primary: [right], margins: {lang=dee: 0.1, lang=de: 0.1}}\n",
    )
    team.write("suites/main.jsonl", lines(*(a_case(f"c-{n}", slice={"tier": "gold", "lang": "de"}) for n in range(100))))
    assert team.said() == [
        "workflow.yaml:2 slices.tier.critical: The critical slice 'tier=Gold' has no cases in suites/main.jsonl: it could not "
        "be judged. Did you mean 'tier=gold'? Add cases with tier=Gold; there are tier=gold.",
        "workflow.yaml:3 gate.margins.lang=dee: No case in suites/main.jsonl has 'lang=dee', so its margin has no effect. "
        "Did you mean 'lang=de'? Add cases, or correct the slice.",
    ]


def test_a_simulated_model_that_is_not_declared_is_named(team: Team) -> None:
    """Every call to it would fail."""
    team.write("bundles/now.yaml", "model: {provider: sim, snapshot: m-l}\n")
    assert team.said() == [
        "bundles/now.yaml:1 model.snapshot: No simulated model is called 'm-l': every call to it would fail. "
        "Did you mean 'm-1'? Declare it under `models:` of the provider in segue.yaml; there are: m-1."
    ]


def stored(workflow: str, suite: str) -> list[CaseRow] | None:
    """A suite that was imported: a hundred cases of `lang=de`."""
    rows = [CaseRow(f"c-{n}", "0" * 64, "mail", {"lang": "de"}, "representative", False, None) for n in range(100)]
    return rows if (workflow, suite) == ("mail", "main") else None


@pytest.mark.parametrize(
    ("more", "said"),
    [("", "Name the release that serves now: incumbent: LABEL"), ("incumbent: now\n", "write its cases to suites/main.jsonl")],
    ids=["no incumbent", "incumbent"],
)
def test_a_suite_that_is_only_stored_is_a_warning(team: Team, more: str, said: str) -> None:
    """It was imported, and stored results can be compared as they are."""
    team.path("suites/main.jsonl").unlink()
    team.write("workflow.yaml", "suite: main\n" + more + WORKFLOW)
    (fault,) = check_workspace(team.root, {}, stored_suite=stored)
    assert (fault.severity, fault.path) == ("warning", "suite")
    assert "in the store only (100 cases)" in fault.what
    assert said in fault.fix


def test_a_stored_suite_is_looked_at_like_a_file(team: Team) -> None:
    """Its slices are known."""
    team.path("suites/main.jsonl").unlink()
    team.write("workflow.yaml", WORKFLOW + "slices: {lang: {critical: [deu]}}\n")
    errors = [one for one in check_workspace(team.root, {}, stored_suite=stored) if one.severity == "error"]
    assert [(one.what, one.likely) for one in errors] == [
        ("The critical slice 'lang=deu' has no cases in the stored suite 'main': it could not be judged.", "'lang=de'")
    ]


def test_the_gate_alone_can_be_looked_at(team: Team) -> None:
    """Without bundles and files of cases; a workflow that cannot be read is somebody else's to name."""
    rows = stored("mail", "main")
    assert gate_faults(team.root, "mail", "main", rows) == []
    team.write("workflow.yaml", WORKFLOW.replace("[right]", "[rihgt]"))
    assert [one.path for one in gate_faults(team.root, "mail", "main", rows)] == ["gate.primary[0]"]
    team.write("workflow.yaml", "scorers: [")
    assert gate_faults(team.root, "mail", "main", rows) == []
