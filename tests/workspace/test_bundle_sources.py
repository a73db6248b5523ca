"""From a source and its files to a bundle: the same content gives the same digest, wherever it is written."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.errors import InputError, NotFoundError
from tests.workspace.builders import BUNDLE, WORKFLOW, Team

SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
TOOLS = [{"name": "refund", "description": "Refunds", "parameters": {"type": "object"}, "effects": True}]


def test_a_bundle_has_everything_its_source_and_files_say(team: Team) -> None:
    """Prompts are read from files, suite and fallback become digests."""
    team.write("prompts/a.md", "Be kind.\n")
    team.write("contract.json", json.dumps(SCHEMA))
    team.write("tools.json", json.dumps(TOOLS))
    team.write(
        "bundles/next.yaml",
        BUNDLE
        + "prompt: {system: prompts/a.md, template: 'Say {{input}}'}\ncontract: contract.json\ntools: tools.json\n"
        + "retrieval: {top_k: 3}\nparameters: {reasoning_effort: low}\nsuite: main\nfallback: now\n",
    )
    workspace = team.load()
    bundle = workspace.load_bundle_source("mail", "next")
    assert bundle.workflow == "mail"
    assert bundle.prompt.system == "Be kind."
    assert bundle.contract is not None
    assert bundle.contract.json_schema == SCHEMA
    assert bundle.tools[0].effects
    assert bundle.suite == workspace.suite_digest_of("mail", "main")
    assert bundle.fallback == workspace.load_bundle_source("mail", "now").digest


def test_content_in_place_and_content_in_files_are_the_same_bundle(team: Team) -> None:
    """Moving a prompt into a file, or saving it on Windows, changes no digest."""
    team.write(
        "bundles/inline.yaml",
        BUNDLE + f"prompt:\n  system: |\n    Be kind.\n    Be brief.\ncontract: {{json_schema: {json.dumps(SCHEMA)}}}\n",
    )
    team.write("bundles/files.yaml", BUNDLE + "prompt: {system: prompts/a.md}\ncontract: {json_schema: contract.json}\n")
    team.write("contract.json", json.dumps(SCHEMA, indent=4))
    workspace = team.load()
    digests = set()
    for text in (b"Be kind.\nBe brief.", b"Be kind.\nBe brief.\n", b"\xef\xbb\xbfBe kind.\r\nBe brief.\r\n"):
        team.write("prompts/a.md", text)
        digests.add(workspace.load_bundle_source("mail", "files").digest)
    assert digests == {workspace.load_bundle_source("mail", "inline").digest}


def test_a_digest_is_the_same_on_every_machine(team: Team) -> None:
    """Worked out by hand from the canonical JSON: if it changes, every stored result is orphaned."""
    team.write(
        "bundles/now.yaml", "model: {provider: sim, snapshot: m-1}\nparameters: {temperature: 0.5}\nsuite: " + "a" * 64 + "\n"
    )
    digest = team.load().load_bundle_source("mail", "now").digest
    canonical = (
        '{"model":{"provider":"sim","snapshot":"m-1"},"parameters":{"temperature":0.5},"suite":"'
        + "a" * 64
        + '","workflow":"mail"}'
    )
    assert digest == hashlib.sha256(canonical.encode()).hexdigest()


@settings(max_examples=12)
@given(st.randoms(use_true_random=False))
def test_the_digest_of_a_bundle_ignores_the_order_of_keys(
    tmp_path_factory: pytest.TempPathFactory, order: random.Random
) -> None:
    """Two people write the same bundle in two orders."""
    team = Team(tmp_path_factory.mktemp("bundle"))
    parts = [
        "model: {provider: sim, snapshot: m-1}",
        "prompt: {system: a, template: b}",
        "parameters: {temperature: 0, top_p: 1, extra: {x: 1, y: {p: 1, q: 2}}}",
        "retrieval: {index: a, top_k: 3}",
        "contract: {closing: [bye], required: [hello]}",
    ]
    shuffled = [
        "parameters: {extra: {y: {q: 2, p: 1}, x: 1}, top_p: 1, temperature: 0}" if one.startswith("param") else one
        for one in parts
    ]
    team.write("bundles/a.yaml", "\n".join(parts))
    team.write("bundles/b.yaml", "\n".join(order.sample(shuffled, len(shuffled))))
    workspace = team.load()
    assert workspace.load_bundle_source("mail", "a").digest == workspace.load_bundle_source("mail", "b").digest


def test_a_default_written_out_changes_no_digest(team: Team) -> None:
    """Defaults are left out of what is digested, so a new optional key keeps old digests."""
    team.write("bundles/plain.yaml", BUNDLE)
    team.write(
        "bundles/wordy.yaml", BUNDLE + "prompt: {system: ''}\nparameters: {stop: [], seed: }\ntools: []\nretrieval: {}\n"
    )
    workspace = team.load()
    assert workspace.load_bundle_source("mail", "plain").digest == workspace.load_bundle_source("mail", "wordy").digest


def test_a_source_without_a_suite_takes_the_workflows(team: Team) -> None:
    """A bundle covers the suite it was judged by."""
    workspace = team.load()
    assert workspace.load_bundle_source("mail", "now").suite == workspace.suite_digest_of("mail", "main")


def test_a_missing_prompt_names_the_likely_file(team: Team) -> None:
    """The fault is where the name is written."""
    team.write("prompts/reply.system.md", "x")
    team.write("bundles/now.yaml", BUNDLE + "prompt:\n  system: prompts/replay.system.md\n")
    assert team.said("error") == [
        "bundles/now.yaml:3 prompt.system: prompts/replay.system.md: There is no such file. "
        "Did you mean 'prompts/reply.system.md'? Create prompts/replay.system.md, or correct the name."
    ]


@pytest.mark.parametrize("name", ["../../../../../../etc/passwd.md", "/etc/motd.txt"])
def test_files_outside_the_workspace_are_not_read(team: Team, name: str) -> None:
    """A prompt is sent to a provider; it comes from what was reviewed."""
    team.write("bundles/now.yaml", BUNDLE + f"prompt: {{system: {name}}}\n")
    assert "is outside the workspace" in team.said("error")[0]


def test_a_link_out_of_the_workspace_is_not_followed(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Links are resolved before the question is asked."""
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.md"
    secret.write_text("secret")
    team.write("prompts/a.md", "")
    team.path("prompts/a.md").unlink()
    team.path("prompts/a.md").symlink_to(secret)
    team.write("bundles/now.yaml", BUNDLE + "prompt: {system: prompts/a.md}\n")
    assert "is outside the workspace" in team.said("error")[0]


def test_a_fault_in_a_file_is_shown_in_that_file(team: Team) -> None:
    """`tools.json` is corrected in tools.json."""
    team.write("tools.json", '[\n  {"name": "refund",\n   "paramters": {}}\n]\n')
    team.write("bundles/now.yaml", BUNDLE + "tools: tools.json\n")
    assert team.said() == [
        "tools.json:3 tools[0].paramters: 'paramters' is not a key. Did you mean 'parameters'? "
        "Keys here: name, description, parameters, effects."
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "contract.json:1: The file is empty. Write JSON into it, at least {}."),
        ('{\n"type": "object",\n}', "contract.json:3: A key in double quotes is missing at column 1."),
        ('{"type": "object",\n "type": "array"}', "contract.json:2: The key 'type' is written twice: on line 1 and on line 2."),
        ('{"a": {"type":\n "strng"}}', None),
        (
            '{"properties": {"a": {\n"type": "strng"}}}',
            "contract.json:2 contract.json_schema.properties.a.type: 'strng' is not a type of JSON Schema.",
        ),
        ('{"required": "a"}', "'required' is not a list of property names."),
        ('{"$ref": "https://example.com/x.json"}', "The schema refers to another address."),
        ('{"$ref": "#/$defs/x"}', "A $ref of the schema leads nowhere."),
        ('{"pattern": "("}', "The pattern is not a regular expression."),
        ('{"maxLength": 123456789012345678901}', "The number is too large to be kept exactly"),
        ('{"const": "\\ud800"}', "Half of a character"),
        ("[1]", "it has to be keys and values or true or false"),
    ],
)
def test_a_contract_has_to_be_json_schema(team: Team, content: str, sentence: str | None) -> None:
    """A schema nobody can apply would let everything through."""
    team.write("contract.json", content)
    team.write("bundles/now.yaml", BUNDLE + "contract: contract.json\n")
    said = team.said("error")
    assert len(said) == (sentence is not None)
    assert sentence is None or sentence in said[0]


def test_a_fallback_may_be_what_the_store_knows(team: Team) -> None:
    """A digest prefix is resolved by whoever knows the store; without it nothing is guessed."""
    team.write("bundles/now.yaml", BUNDLE + "fallback: 'abc123'\n")
    full = "abc123" + "0" * 58
    bundle = team.load().load_bundle_source("mail", "now", resolve=lambda workflow, ref: full)
    assert bundle.fallback == full
    with pytest.raises(InputError) as caught:
        team.load().load_bundle_source("mail", "now")
    assert "There is no bundle 'abc123'" in caught.value.faults[0].what


def test_fallbacks_in_a_circle_are_refused(team: Team) -> None:
    """A bundle whose fallback falls back to it has no digest."""
    team.write("bundles/now.yaml", BUNDLE + "fallback: next\n")
    team.write("bundles/next.yaml", BUNDLE + "fallback: now\n")
    assert [one.split(": ", 1)[1] for one in team.said("error")] == [
        "The fallbacks go round in a circle: next → now → next. Let one of them have no fallback.",
        "The fallbacks go round in a circle: now → next → now. Let one of them have no fallback.",
    ]
    with pytest.raises(InputError) as caught:
        team.load().load_bundle_source("mail", "now")
    assert "circle" in caught.value.faults[0].what


def test_a_bundle_is_not_its_own_fallback(team: Team) -> None:
    """The shortest circle."""
    team.write("bundles/now.yaml", BUNDLE + "fallback: now\n")
    assert "now → now" in team.said("error")[0]


def test_a_missing_source_names_the_near_labels(team: Team) -> None:
    """Labels are matched."""
    with pytest.raises(NotFoundError, match="Did you mean 'now'"):
        team.load().load_bundle_source("mail", "nwo")


def test_loading_raises_all_faults_of_the_bundle(team: Team) -> None:
    """One error carries them all."""
    team.write(
        "bundles/now.yaml", BUNDLE + "prompt: {system: prompts/x.md}\nparameters: {seed: a}\nsuite: other\ncolour: red\n"
    )
    with pytest.raises(InputError) as caught:
        team.load().load_bundle_source("mail", "now")
    assert len(caught.value.faults) == 4


def test_a_workflow_is_loaded_with_its_folders_name(team: Team) -> None:
    """The name may be left out."""
    team.write("workflow.yaml", WORKFLOW)
    assert team.load().load_workflow("mail").name == "mail"
    with pytest.raises(NotFoundError, match="Did you mean 'mail'"):
        team.load().load_workflow("male")
