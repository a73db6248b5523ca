"""promptfoo's results: providers with prompts become releases, tests cases, gradings labels."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.imports import read_promptfoo
from segue.imports.promptfoo_release import prompt_of, snapshot_of
from segue.model import Prompt
from tests.imports.builders import Faults, a_promptfoo_file, a_promptfoo_row

FILE = Path(__file__).with_name("promptfoo_results.json")


def test_providers_with_prompts_are_releases() -> None:
    """Name, snapshot, parameters and prompt template are taken from the file's heads and its configuration."""
    releases = read_promptfoo(FILE, report=Faults().append).releases()
    new, old = releases["anthropic:messages:model-new / prompt-bbbbbbbb"], releases["old / polite"]
    assert (old.snapshot, new.snapshot) == ("model-old-2026-01-01", "model-new")
    assert old.prompt == Prompt(system="Answer in {{lang}}.", template="{{question}}")
    assert new.prompt == Prompt(template="Answer in {{lang}}: {{question}}")
    assert old.params["temperature"] == 0.2
    assert dict(new.params) == {"max_tokens": 80, "stop": ["END"]}


def test_tests_are_cases_and_their_vars_variables() -> None:
    """Scalar metadata are slices; one `equals` is the reference; what is not text is written as JSON."""
    opening, when = read_promptfoo(FILE, report=Faults().append).cases()
    assert opening.case_id.startswith("opening-hours-")
    assert opening.variables == {"question": "Is it open on Sunday?", "lang": "English", "hours": '{"sunday":null}'}
    assert (opening.slice, opening.reference) == ({"tier": "gold", "priority": "1"}, "No.")
    assert (when.slice, when.reference) == ({}, None)


def test_slices_can_be_chosen() -> None:
    """By name, the description among them."""
    opening, _ = read_promptfoo(FILE, report=Faults().append, slices=["tier", "description"]).cases()
    assert opening.slice == {"tier": "gold", "description": "Opening hours"}


def test_errors_are_failures_and_failed_assertions_are_answers() -> None:
    """The four rows: passed, failed an assertion, errored, answered with a tool call."""
    faults = Faults()
    passed, failed, errored, called = read_promptfoo(FILE, report=faults.append).exchanges()
    assert passed.reply is not None
    assert (passed.reply.text, passed.reply.finish_reason) == ("No.", "stop")
    assert failed.reply is not None
    assert failed.reply.text == '{"open":false,"note":"closed on Sundays"}'
    assert errored.failure is not None
    assert (errored.failure.kind, errored.reply) == ("overloaded", None)
    assert called.reply is not None
    assert called.reply.tool_calls[0].name == "hours"
    assert faults == []


def test_what_was_not_measured_is_unknown() -> None:
    """Zeros that promptfoo fills in, and the latency of a cached answer, are not measurements."""
    passed, cached, errored, called = read_promptfoo(FILE, report=Faults().append).exchanges()
    assert (passed.latency_ms, passed.cost_microusd, passed.usage.input_tokens, passed.usage.reasoning_tokens) == (
        310,
        420,
        21,
        None,
    )
    assert (cached.latency_ms, cached.cost_microusd, cached.usage.input_tokens, cached.usage.cached_tokens) == (
        None,
        None,
        None,
        40,
    )
    assert (errored.latency_ms, errored.cost_microusd) == (None, None)
    assert (called.cost_microusd, called.usage.reasoning_tokens) == (None, 4)
    assert passed.at == "2026-03-01T10:00:00+00:00"


def test_gradings_are_labels_and_no_assertion_is_no_label() -> None:
    """An errored row was not graded, and a test without assertions passes by itself: neither gets a label."""
    labels = [
        (one.release, one.labeler, one.label, one.detail) for one in read_promptfoo(FILE, report=Faults().append).labels()
    ]
    assert labels == [
        ("old / polite", "promptfoo", "1", {"score": 1}),
        ("old / polite", "promptfoo:exact", "1", None),
        ("anthropic:messages:model-new / prompt-bbbbbbbb", "promptfoo", "0", {"score": 0.5}),
        ("anthropic:messages:model-new / prompt-bbbbbbbb", "promptfoo:exact", "0", None),
    ]


def test_a_grader_that_broke_leaves_the_answer_unlabelled(tmp_path: Path) -> None:
    """`failureReason` 2 with an output: the answer is kept, the grading is not believed."""
    file = a_promptfoo_file(tmp_path / "r.json", [a_promptfoo_row(failureReason=2, error="grader timed out")])
    source = read_promptfoo(file, report=Faults().append)
    (exchange,) = source.exchanges()
    assert exchange.reply is not None
    assert list(source.labels()) == []


def test_a_test_that_was_repeated_is_one_case_with_repeats(tmp_path: Path) -> None:
    """`--repeat 2` writes the test twice; labels go with the repeat."""
    rows = [a_promptfoo_row(prompt=one, testIdx=two) for two in (0, 1) for one in (0, 1)]
    source = read_promptfoo(a_promptfoo_file(tmp_path / "r.json", rows), report=Faults().append)
    assert len(list(source.cases())) == 1
    assert [(one.release, one.repeat) for one in source.exchanges()] == [
        ("openai:chat:model-0", 0),
        ("openai:chat:model-1", 0),
        ("openai:chat:model-0", 1),
        ("openai:chat:model-1", 1),
    ]
    assert [(one.release, one.repeat) for one in source.labels()][:2] == [
        ("openai:chat:model-0", 0),
        ("openai:chat:model-1", 0),
    ]


def test_two_files_meet_in_their_tests(tmp_path: Path) -> None:
    """The same test in another file is the same case; the same provider there is another release."""
    one = a_promptfoo_file(tmp_path / "one.json", [a_promptfoo_row()], prompts=1)
    two = a_promptfoo_file(tmp_path / "two.json", [a_promptfoo_row(), a_promptfoo_row("cars")], prompts=1)
    source = read_promptfoo([one, two], report=Faults().append)
    assert len(list(source.cases())) == 2
    assert list(source.releases()) == ["openai:chat:model-0", "openai:chat:model-0#2"]
    assert {exchange.repeat for exchange in source.exchanges()} == {0}


@pytest.mark.parametrize("indent", [None, 2])
def test_a_row_that_cannot_be_read_is_named_once_and_the_rest_is_kept(tmp_path: Path, indent: int | None) -> None:
    """By line, indented or not; the three passes tell it once."""
    bad = [a_promptfoo_row(testCase={}, vars=7), a_promptfoo_row(promptIdx=9), a_promptfoo_row(latencyMs="slow")]
    file = a_promptfoo_file(tmp_path / "r.json", [a_promptfoo_row(), *bad, a_promptfoo_row("cars")], indent=indent)
    faults = Faults()
    source = read_promptfoo(file, report=faults.append)
    assert (len(list(source.cases())), len(list(source.exchanges())), len(list(source.labels()))) == (2, 2, 2)
    assert [fault.path for fault in faults] == ["vars", "promptIdx", "latencyMs"]
    assert all(fault.line for fault in faults)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert all(lines[(fault.line or 0) - 1].strip().startswith("{") for fault in faults)


def test_a_broken_row_and_a_cut_file_cost_only_themselves(tmp_path: Path) -> None:
    """The rows before the break are kept, and the break is told by line."""
    file = a_promptfoo_file(tmp_path / "r.json", [a_promptfoo_row(), a_promptfoo_row("cars"), a_promptfoo_row("dogs")])
    text = file.read_text(encoding="utf-8").replace('"topic": "cars"', '"topic" "cars"', 1)
    file.write_text(text[: text.index('"stats"') - 40], encoding="utf-8")
    faults = Faults()
    source = read_promptfoo(file, report=faults.append)
    assert [case.variables["topic"] for case in source.cases()] == ["cats"]
    assert len(list(source.exchanges())) == 1
    assert ["not JSON" in fault.what for fault in faults] == [True, False]
    assert "breaks on line" in faults[1].what


def test_what_is_no_such_result_is_refused(tmp_path: Path) -> None:
    """Another version, another file, no rows."""
    other = tmp_path / "other.json"
    for content, message in (
        ({"results": {"version": 2, "results": [1]}}, r"results\.version 2; 3 is read"),
        ({"results": {"version": "x", "results": [1]}}, "of another kind"),
        ({"rows": []}, "no results.version"),
        ([1], "no results.version"),
        ({"results": {"version": 3, "results": []}}, "no results"),
    ):
        other.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(InputError, match=message):
            read_promptfoo(other, report=Faults().append)
    other.write_bytes(b"")
    with pytest.raises(InputError, match=r"no results\.version"):
        read_promptfoo(other, report=Faults().append)


def test_packed_files_are_read(tmp_path: Path) -> None:
    """Gzip is told by the file itself."""
    file = tmp_path / "results.json.gz"
    file.write_bytes(gzip.compress(FILE.read_bytes()))
    assert list(read_promptfoo(file, report=Faults().append).cases()) == list(
        read_promptfoo(FILE, report=Faults().append).cases()
    )


@pytest.mark.parametrize(
    ("provider", "snapshot"),
    [
        ("openai:chat:gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("openai:gpt-4o", "gpt-4o"),
        ("anthropic:messages:claude-x", "claude-x"),
        ("bedrock:anthropic.claude-x-v1:0", "anthropic.claude-x-v1:0"),
        ("ollama:chat:llama3:70b", "llama3:70b"),
        ("openrouter:meta/llama-3", "meta/llama-3"),
        ("echo", "echo"),
        ("file://provider.js", "file://provider.js"),
    ],
)
def test_the_snapshot_is_read_out_of_the_provider_id(provider: str, snapshot: str) -> None:
    """The vendor and its mode are left out; colons of the model id stay."""
    assert snapshot_of(provider) == snapshot


@pytest.mark.parametrize(
    ("raw", "prompt"),
    [
        ("Hello {{name}}", Prompt(template="Hello {{name}}")),
        ('[{"role": "user", "content": "u"}]', Prompt(template="u")),
        ('[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]', Prompt(system="s", template="u")),
        ('[{"role": "assistant", "content": "a"}]', Prompt(template='[{"role": "assistant", "content": "a"}]')),
        ("[1]", Prompt(template="[1]")),
        ("", Prompt()),
    ],
)
def test_a_chat_template_is_taken_apart_where_it_fits(raw: str, prompt: Prompt) -> None:
    """One system and one user message become system and template; anything else stays whole."""
    assert prompt_of(raw) == prompt


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        "promptIdx",
        "provider",
        "vars",
        "testCase",
        "response",
        "gradingResult",
        "namedScores",
        "failureReason",
        "latencyMs",
        "error",
        "metadata",
    ]
)


@given(changes=st.lists(st.dictionaries(KEYS, JSON, max_size=4), min_size=1, max_size=4))
def test_no_row_whatever_it_holds_stops_the_reading(
    tmp_path_factory: pytest.TempPathFactory, changes: list[dict[str, Any]]
) -> None:
    """Fields of any type: kept or told, never raised."""
    rows = [{**a_promptfoo_row(), **change} for change in changes]
    faults = Faults()
    source = read_promptfoo(a_promptfoo_file(tmp_path_factory.mktemp("any") / "r.json", rows), report=faults.append)
    list(source.cases()), list(source.exchanges()), list(source.labels()), source.releases()
    for count in (source.counts.cases, source.counts.exchanges, source.counts.labels):
        assert count.read == count.kept + count.rejected


@pytest.mark.parametrize(
    ("asserts", "judged"),
    [
        ([{"type": "equals", "value": "x"}], set()),
        ([{"type": "llm-rubric", "value": "Is it kind?"}], {"promptfoo"}),
        ([{"type": "not-llm-rubric", "value": "Is it rude?", "metric": "rude"}], {"promptfoo", "promptfoo:rude"}),
        ([{"type": "assert-set", "assert": [{"type": "factuality", "value": "x"}]}], {"promptfoo"}),
        ([{"type": "is-json", "metric": "json"}, {"type": "g-eval", "metric": "kind"}], {"promptfoo", "promptfoo:kind"}),
        ("no list", set()),
    ],
    ids=["equals", "rubric", "negated", "set", "mixed", "broken"],
)
def test_a_verdict_behind_which_a_model_stands_is_a_judges(tmp_path: Path, asserts: Any, judged: set[str]) -> None:
    """Told by the assertions of the test; known once the labels were read."""
    row = a_promptfoo_row()
    row["testCase"] = {**row["testCase"], "assert": asserts}
    source = read_promptfoo(a_promptfoo_file(tmp_path / "r.json", [row]), report=Faults().append)
    assert source.roles == {}
    list(source.labels())
    assert source.roles == dict.fromkeys(judged, "judge")
