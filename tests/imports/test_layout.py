"""Our own layout, read line by line: what is kept, and what is said of the rest."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.imports import read_layout
from segue.imports.lines import MAX_LINE_BYTES
from tests.imports.builders import Faults, a_case, a_folder, a_label, a_recording


def test_reads_cases_exchanges_and_labels_packed_or_not(tmp_path: Path) -> None:
    """The same folder gives the same records whether its files are gzipped."""
    plain = a_folder(tmp_path / "plain", labels=[a_label()])
    packed = a_folder(tmp_path / "packed", labels=[a_label()], packed=True)
    faults = Faults()
    one, two = (read_layout(folder, report=faults.append) for folder in (plain, packed))
    assert list(one.cases()) == list(two.cases())
    assert list(one.exchanges()) == list(two.exchanges())
    assert list(one.labels()) == list(two.labels())
    assert faults == []


def test_seconds_become_milliseconds_and_dollars_millionths(tmp_path: Path) -> None:
    """Units are converted on the way in; what is not recorded stays unknown."""
    row = a_recording(latency_s=1.5, ttft_s=0.25, cost_usd=0.001274, input_tokens=3, recorded_at="2026-03-01T12:00:00+02:00")
    (exchange,) = read_layout(a_folder(tmp_path, recordings=[row]), report=Faults().append).exchanges()
    assert (exchange.latency_ms, exchange.ttft_ms, exchange.cost_microusd) == (1500, 250, 1274)
    assert (exchange.usage.input_tokens, exchange.usage.output_tokens) == (3, None)
    assert exchange.at == "2026-03-01T10:00:00+00:00"


def test_output_may_be_text_tool_calls_or_a_conversation(tmp_path: Path) -> None:
    """Tool calls keep the model's own text of the arguments; the text of a conversation is its last answer."""
    calls = {"tool_calls": [{"name": "add", "arguments": '{"x": 1,'}]}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "name": "add", "arguments": "{}"}]},
        {"role": "tool", "tool_call_id": "c1", "name": "add", "content": "3"},
        {"role": "assistant", "content": "It is 3."},
    ]
    rows = [
        a_recording(output="hello"),
        a_recording(output=calls, repeat=1),
        a_recording(output={"trajectory": turns}, repeat=2),
    ]
    text, called, talked = read_layout(a_folder(tmp_path, recordings=rows), report=Faults().append).exchanges()
    assert text.reply is not None
    assert text.reply.text == "hello"
    assert called.reply is not None
    assert called.reply.tool_calls[0].arguments == '{"x": 1,'
    assert talked.reply is not None
    assert talked.reply.text == "It is 3."
    assert [turn.role for turn in talked.reply.trajectory] == ["user", "assistant", "tool", "assistant"]


def test_an_error_is_a_failure_and_never_an_empty_answer(tmp_path: Path) -> None:
    """A recording with an error has no reply; its kind is read out of the text, and keys in it are removed."""
    rows = [a_recording(output=None, error="429 Too Many Requests for sk-abcdef123456"), a_recording(output="", repeat=1)]
    failed, empty = read_layout(a_folder(tmp_path, recordings=rows), report=Faults().append).exchanges()
    assert failed.failure is not None
    assert (failed.failure.kind, failed.reply) == ("rate_limit", None)
    assert "sk-" not in failed.failure.detail
    assert empty.reply is not None
    assert empty.reply.text == ""


def test_labels_are_text_with_numbers_in_their_shortest_form(tmp_path: Path) -> None:
    """1, 1.0 and true are the same label; what else the record says is its detail."""
    labels: list[dict[str, Any]] = [a_label(label=value) for value in (1, 1.0, True, 0.5, "1_full", 0)]
    labels.append(a_label(label="no", error_type="type", repeat=2))
    read = list(read_layout(a_folder(tmp_path, labels=labels), report=Faults().append).labels())
    assert [one.label for one in read] == ["1", "1", "1", "0.5", "1_full", "0", "no"]
    assert (read[-1].detail, read[-1].repeat, read[0].repeat) == ({"error_type": "type"}, 2, None)


def test_a_system_message_may_stand_in_a_file_of_the_folder(tmp_path: Path) -> None:
    """`@system.txt` means the text of that file; in a user's message it means itself."""
    case = a_case(messages=[{"role": "system", "content": "@system.txt"}, {"role": "user", "content": "@system.txt"}])
    folder = a_folder(tmp_path, cases=[case])
    (folder / "system.txt").write_text("Be brief.", encoding="utf-8")
    (read,) = read_layout(folder, report=Faults().append).cases()
    assert [message.content for message in read.messages] == ["Be brief.", "@system.txt"]


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "link.txt", "sub/../../secret.txt"])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """No path, absolute path or link leads out of the folder, and nothing of the file is shown."""
    folder = a_folder(tmp_path / "data", cases=[a_case(messages=[{"role": "system", "content": f"@{name}"}])])
    (tmp_path / "secret.txt").write_text("the secret", encoding="utf-8")
    (folder / "sub").mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    faults = Faults()
    assert list(read_layout(folder, report=faults.append).cases()) == []
    assert faults.where() == [("cases.jsonl", 1, "messages[0].content")]
    assert "outside the folder" in faults[0].what
    assert "secret" not in faults[0].sentence().replace(str(tmp_path), "")


def test_a_missing_file_names_the_near_one(tmp_path: Path) -> None:
    """Whoever writes `@systen.txt` is shown `@system.txt`."""
    folder = a_folder(tmp_path, cases=[a_case(messages=[{"role": "system", "content": "@systen.txt"}])])
    (folder / "system.txt").write_text("Be brief.", encoding="utf-8")
    faults = Faults()
    assert list(read_layout(folder, report=faults.append).cases()) == []
    assert faults[0].likely == "'@system.txt'"


def test_tool_schemas_keep_their_parameters_as_they_are(tmp_path: Path) -> None:
    """`"type": "dict"` is another vendor's word and stays; the wrapped shape of a tool is unwrapped."""
    parameters = {"type": "dict", "properties": {"x": {"type": "float"}}, "required": ["x"]}
    plain = {"name": "f", "description": "d", "parameters": parameters}
    folder = a_folder(tmp_path, cases=[a_case(tools=[plain, {"type": "function", "function": plain}])])
    (case,) = read_layout(folder, report=Faults().append).cases()
    assert [tool.parameters for tool in case.tools] == [parameters, parameters]


@pytest.mark.parametrize(
    ("line", "path", "what"),
    [
        ("{broken", None, "not JSON"),
        ("[1, 2]", None, "a list, not a JSON object"),
        (b'{"case_id": "\xe4"}', None, "not UTF-8"),
        ('{"case_id": "a", "model": "m", "output": "x", "latency_s": NaN}', None, "not JSON"),
        ({"model": "m", "output": "x"}, "case_id", "missing"),
        ({"case_id": "a", "output": "x"}, "model", "missing"),
        ({"case_id": "", "model": "m", "output": "x"}, "case_id", "an empty text"),
        ({"case_id": ["a"], "model": "m", "output": "x"}, "case_id", "a list"),
        ({"case_id": "a\0", "model": "m", "output": "x"}, "case_id", "NUL"),
        ({"case_id": "a", "model": "m"}, "output", "no output"),
        ({"case_id": "a", "model": "m", "output": 7}, "output", "a number"),
        ({"case_id": "a", "model": "m", "output": {"text": "x"}}, "output", "neither"),
        ({"case_id": "a", "model": "m", "output": {"tool_calls": [{}]}}, "output.tool_calls[0]", "no name"),
        ({"case_id": "a", "model": "m", "output": {"trajectory": [{"role": "x"}]}}, "output.trajectory[0].role", "Input"),
        ({"case_id": "a", "model": "m", "output": "x", "latency_s": "fast"}, "latency_s", "a text"),
        ({"case_id": "a", "model": "m", "output": "x", "latency_s": -1}, "latency_s", "from 0 up"),
        ({"case_id": "a", "model": "m", "output": "x", "latency_s": True}, "latency_s", "a truth value"),
        ({"case_id": "a", "model": "m", "output": "x", "cost_usd": 1e300}, "cost_usd", "finite"),
        ({"case_id": "a", "model": "m", "output": "x", "repeat": 1.5}, "repeat", "whole number"),
        ({"case_id": "a", "model": "m", "output": "x", "params": []}, "params", "an object"),
    ],
)
def test_a_recording_that_cannot_be_read_is_named_by_line_and_the_rest_is_kept(
    tmp_path: Path, line: Any, path: str | None, what: str
) -> None:
    """Line 2 is broken: lines 1 and 3 are kept, and the fault says where and what."""
    folder = a_folder(tmp_path, recordings=[a_recording(), line, a_recording("b")])
    faults = Faults()
    source = read_layout(folder, report=faults.append)
    assert [one.case_id for one in source.exchanges()] == ["a", "b"]
    assert faults.where() == [("recordings.jsonl", 2, path)]
    assert what in faults[0].what
    assert faults[0].fix
    assert (source.counts.exchanges.read, source.counts.exchanges.kept, source.counts.exchanges.rejected) == (3, 2, 1)


@pytest.mark.parametrize(
    ("case", "path", "likely"),
    [
        ({"slices": {"lang": "de"}}, "slices", "'slice'"),
        ({"slice": {"lang": ["de"]}}, "slice.lang", None),
        ({"slice": "de"}, "slice", None),
        ({"kind": "edgy"}, "kind", None),
        ({"messages": "hello"}, "messages", None),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role", None),
        ({"reference": 2**60}, None, None),
        ({"tools": [{"description": "no name"}]}, "tools.0.name", None),
    ],
)
def test_a_case_that_cannot_be_read_is_named_by_line(
    tmp_path: Path, case: dict[str, Any], path: str | None, likely: str | None
) -> None:
    """Misspelt fields, wrong types, and numbers that no digest can be made of."""
    faults = Faults()
    source = read_layout(a_folder(tmp_path, cases=[a_case("x", **case), a_case("b")]), report=faults.append)
    assert [one.case_id for one in source.cases()] == ["b"]
    assert (faults[0].line, faults[0].path, faults[0].likely) == (1, path, likely)


def test_all_flaws_of_a_record_are_named(tmp_path: Path) -> None:
    """Three wrong fields are three faults of one line."""
    faults = Faults()
    folder = a_folder(tmp_path, recordings=[{"case_id": 1.5, "output": None, "repeat": -1}])
    assert list(read_layout(folder, report=faults.append).exchanges()) == []
    assert [fault.path for fault in faults] == ["model", "case_id", "output", "repeat"]


def test_fields_the_model_does_not_have_are_kept_as_metadata(tmp_path: Path) -> None:
    """Nothing of a case is thrown away; slice values that are numbers become text."""
    (case,) = read_layout(
        a_folder(tmp_path, cases=[a_case(source="survey", slice={"wave": 41, "none": None})]), report=Faults().append
    ).cases()
    assert case.metadata == {"source": "survey"}
    assert case.slice == {"wave": "41"}


def test_a_fault_is_reported_once_however_often_the_stream_is_read(tmp_path: Path) -> None:
    """Sources can be read again; the second pass gives the same records and the same counts, and no second fault."""
    faults = Faults()
    source = read_layout(a_folder(tmp_path, recordings=["{", a_recording(), "{"]), report=faults.append)
    first, second = list(source.exchanges()), list(source.exchanges())
    assert first == second
    assert len(faults) == 2
    assert source.counts.exchanges.rejected == 2


def test_where_chooses_cases_and_their_exchanges_and_labels(tmp_path: Path) -> None:
    """Each task becomes a workflow of its own; the others are counted as left out, with their recordings and labels."""
    folder = a_folder(
        tmp_path,
        cases=[a_case("a", task="sum"), a_case("b", task="poem", slice={"lang": "de"})],
        recordings=[a_recording("a"), a_recording("b"), a_recording("unknown")],
        labels=[a_label("a"), a_label("b")],
    )
    source = read_layout(folder, report=Faults().append, where={"task": "sum"})
    assert [one.case_id for one in source.labels()] == ["a"]
    assert [one.case_id for one in source.exchanges()] == ["a", "unknown"]
    assert [one.case_id for one in source.cases()] == ["a"]
    assert (source.counts.exchanges.left_out, source.counts.labels.left_out, source.counts.cases.left_out) == (1, 1, 1)
    by_predicate = read_layout(folder, report=Faults().append, where=lambda case: case.slice.get("lang") == "de")
    assert [one.case_id for one in by_predicate.cases()] == ["b"]
    both = read_layout(folder, report=Faults().append, where={"task": ["poem", "x"], "lang": "de"})
    assert [one.case_id for one in both.cases()] == ["b"]


@pytest.mark.parametrize(
    ("where", "likely"), [({"task": "pome"}, "'poem'"), ({"tusk": "poem"}, "'task'"), ({"task": "zzz"}, None)]
)
def test_a_selection_that_fits_nothing_names_what_there_is(tmp_path: Path, where: dict[str, str], likely: str | None) -> None:
    """An empty selection is told, with the values there are and the likely one."""
    faults = Faults()
    source = read_layout(a_folder(tmp_path, cases=[a_case(task="poem")]), report=faults.append, where=where)
    assert list(source.cases()) == []
    assert faults[0].likely == likely
    assert "poem" in faults[0].fix or "task" in faults[0].fix


def test_a_parameter_that_varies_within_a_release_is_set_aside(tmp_path: Path) -> None:
    """What all recordings share is the release's; the rest is named, so that no bundle claims what does not hold."""
    rows = [
        a_recording(params={"temperature": 0.1, "max_tokens": 9}),
        a_recording("b", params={"temperature": 0.1, "top_p": 1}),
    ]
    (release,) = read_layout(a_folder(tmp_path, recordings=rows), report=Faults().append).releases().values()
    assert (dict(release.params), release.varying) == ({"temperature": 0.1}, ("max_tokens", "top_p"))


def test_a_truncated_archive_gives_what_is_whole_and_says_where_it_ends(tmp_path: Path) -> None:
    """A half-copied .gz is no reason to lose the first half."""
    folder = a_folder(tmp_path, recordings=[])
    rows = "".join(json.dumps(a_recording(str(number), output=str(hash(str(number))))) + "\n" for number in range(4000))
    (folder / "recordings.jsonl").unlink()
    packed = gzip.compress(rows.encode())
    (folder / "recordings.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    faults = Faults()
    kept = list(read_layout(folder, report=faults.append).exchanges())
    assert 100 < len(kept) < 4000
    assert "damaged from here on" in faults[-1].what
    assert faults[-1].line is not None


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line beyond the bound is refused by number, and the next one is read."""
    assert MAX_LINE_BYTES == 64 * 2**20
    monkeypatch.setattr("segue.imports.lines.MAX_LINE_BYTES", 1000)
    folder = a_folder(tmp_path, recordings=[a_recording(output="x" * 5000), a_recording("b")])
    faults = Faults()
    assert [one.case_id for one in read_layout(folder, report=faults.append).exchanges()] == ["b"]
    assert faults.where() == [("recordings.jsonl", 1, None)]


def test_a_byte_order_mark_and_blank_lines_are_no_faults(tmp_path: Path) -> None:
    """Editors add them."""
    folder = a_folder(tmp_path, recordings=[b"\xef\xbb\xbf" + json.dumps(a_recording()).encode(), "", "  "])
    faults = Faults()
    assert len(list(read_layout(folder, report=faults.append).exchanges())) == 1
    assert faults == []


def test_a_folder_that_cannot_be_used_is_refused_at_once(tmp_path: Path) -> None:
    """No folder, no recordings, or the same file twice: each is said with what to do."""
    with pytest.raises(InputError, match="is not a folder"):
        read_layout(tmp_path / "none", report=Faults().append)
    with pytest.raises(InputError, match="no cases"):
        read_layout(tmp_path, report=Faults().append)
    twice = a_folder(a_folder(tmp_path / "twice"), packed=True)
    with pytest.raises(InputError, match=r"cases\.jsonl and cases\.jsonl\.gz"):
        read_layout(twice, report=Faults().append)
    utf16 = a_folder(tmp_path / "utf16")
    (utf16 / "cases.jsonl").write_bytes("{}".encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16"):
        list(read_layout(utf16, report=Faults().append).cases())


def test_empty_files_give_nothing_and_no_fault(tmp_path: Path) -> None:
    """An empty file has no record that could not be read; whoever imports it is told that there is no case."""
    faults = Faults()
    source = read_layout(a_folder(tmp_path, cases=[], recordings=[], labels=[]), report=faults.append)
    assert (list(source.cases()), list(source.exchanges()), list(source.labels()), dict(source.releases())) == ([], [], [], {})
    assert faults == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "case_id",
        "model",
        "snapshot",
        "params",
        "output",
        "repeat",
        "latency_s",
        "cost_usd",
        "error",
        "labeler",
        "label",
        "messages",
    ]
)


@given(rows=st.lists(st.dictionaries(FIELDS, JSON, max_size=8) | st.text(max_size=20), max_size=6))
def test_no_line_whatever_it_holds_stops_the_reading(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any] | str]
) -> None:
    """Every record is kept or rejected with a fault; nothing is lost in between, and nothing raises."""
    lines = [row if isinstance(row, dict) else row.encode("utf-8", "replace").decode().replace("\n", " ") for row in rows]
    folder = a_folder(tmp_path_factory.mktemp("any"), cases=lines, recordings=lines, labels=lines)
    faults = Faults()
    source = read_layout(folder, report=faults.append)
    kept = [list(source.cases()), list(source.exchanges()), list(source.labels())]
    source.releases()
    for records, count in zip(kept, (source.counts.cases, source.counts.exchanges, source.counts.labels), strict=True):
        assert len(records) == count.kept
        assert count.read == count.kept + count.rejected
    assert len(faults) >= sum(one.rejected for one in (source.counts.cases, source.counts.exchanges, source.counts.labels))
