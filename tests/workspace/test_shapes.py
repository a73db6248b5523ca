"""What is said about keys and values that a model does not take."""

from __future__ import annotations

from tests.workspace.builders import BUNDLE, CONFIG, WORKFLOW, Team


def test_an_unknown_key_is_answered_with_the_likely_one(team: Team) -> None:
    """A typo is named together with what was meant, and with what there is."""
    team.write("bundles/now.yaml", BUNDLE + "parameters:\n  temprature: 0\n")
    (sentence,) = team.said()
    assert sentence.startswith(
        "bundles/now.yaml:3 parameters.temprature: 'temprature' is not a key of 'parameters'. "
        "Did you mean 'temperature'? Keys here: "
    )


def test_all_faults_of_all_files_come_at_once(team: Team) -> None:
    """Whoever corrects a workspace is not led from one fault to the next."""
    team.write("segue.yaml", CONFIG + "sate: x\n")
    team.write("workflow.yaml", WORKFLOW + "kind: genration\nbudgets: {latency_p95_ms: 0}\n")
    team.write("bundles/now.yaml", BUNDLE + "parameters: {temperature: hot, stop: END, reasoning_effort: hgih}\n")
    assert team.said() == [
        "segue.yaml:4 sate: 'sate' is not a key. Did you mean 'state'? Keys here: version, state, providers, prices, gateway, "
        "controller.",
        "bundles/now.yaml:2 parameters.reasoning_effort: 'reasoning_effort' is 'hgih', which is not one of its values. "
        "Did you mean 'high'? Write one of none, minimal, low, medium, high, xhigh, max.",
        "bundles/now.yaml:2 parameters.stop: 'stop' is text; it has to be a list. Put it in brackets: [ … ].",
        "bundles/now.yaml:2 parameters.temperature: 'temperature' is text; it has to be a number. Write a number.",
        "workflow.yaml:4 kind: 'kind' is 'genration', which is not one of its values. Did you mean 'generation'? "
        "Write one of classification, extraction, tool-use, generation, retrieval.",
        "workflow.yaml:5 budgets.latency_p95_ms: 'latency_p95_ms' is 0; it has to be greater than 0. "
        "Write a number greater than 0.",
    ]


def test_a_fault_in_a_union_is_told_of_the_branch_that_was_meant(team: Team) -> None:
    """A message's content is text or parts; a bad part is not told that it should have been text."""
    team.write(
        "suites/main.jsonl",
        '{"case_id": "a", "messages": [{"role": "user", "content": [{"type": "text", "txt": "x"}]}]}\n',
    )
    said = team.said("error")
    assert said == [
        "suites/main.jsonl:1 messages[0].content[0]: 'text' is missing. Add `text: …`.",
        "suites/main.jsonl:1 messages[0].content[0].txt: 'txt' is not a key. Did you mean 'text'? "
        "Keys here: type, text, url, media_type.",
    ]


def test_texts_of_files_never_appear_in_messages(team: Team) -> None:
    """What stands in a wrong place may be a secret, or what a customer wrote."""
    team.write(
        "suites/main.jsonl", '{"case_id": "a", "messages": "my card is 4000 1234", "kind": "a very private matter of mine"}\n'
    )
    assert "4000" not in " ".join(team.said())
    assert "private" not in " ".join(team.said())


def test_the_workflow_is_named_by_its_folder(team: Team) -> None:
    """Two names for one workflow would be one too many."""
    team.write("workflow.yaml", "name: post\n" + WORKFLOW)
    assert team.said() == [
        "workflow.yaml:1 name: The workflow is called 'post' here and 'mail' by its folder. "
        "Delete the line, or rename the folder to post."
    ]


def test_a_bundle_source_does_not_name_its_workflow(team: Team) -> None:
    """The folder says it."""
    team.write("bundles/now.yaml", "workflow: mail\n" + BUNDLE)
    assert team.said() == [
        "bundles/now.yaml:1 workflow: 'workflow' is not a key of a bundle source: the folder says which workflow it is. "
        "Delete the line."
    ]


def test_a_bundle_source_without_anything_is_told_what_it_needs(team: Team) -> None:
    """What is filled in by Segue is not asked for."""
    team.write("bundles/now.yaml", "")
    assert team.said() == [
        "bundles/now.yaml:1: The file is empty. Write keys and values (`key: value`). It needs at least model."
    ]
