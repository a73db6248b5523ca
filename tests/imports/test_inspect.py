"""Inspect's logs: models become releases, samples cases, epochs repeats, scores labels."""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.imports import read_inspect
from tests.imports.builders import Faults, a_header, a_sample, an_eval_log


def a_json_log(path: Path, samples: list[Any], **head: Any) -> Path:
    path.write_text(json.dumps({**a_header(**head), "samples": samples}, indent=2), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["deflate", "zstd", "json", "json.gz"])
def test_every_form_of_a_log_gives_the_same(tmp_path: Path, form: str) -> None:
    """Archives of both compressions, and the JSON form, gzipped too."""
    samples = [a_sample("s1"), a_sample("s1", 2, "41"), a_sample(2)]
    if form.startswith("json"):
        log = a_json_log(tmp_path / "log.json", samples)
        if form.endswith("gz"):
            packed = tmp_path / "log.json.gz"
            packed.write_bytes(gzip.compress(log.read_bytes()))
            log = packed
    else:
        log = an_eval_log(tmp_path / "log.eval", samples, zstd=form == "zstd")
    faults = Faults()
    source = read_inspect(log, report=faults.append)
    assert [(case.case_id, case.task, case.reference) for case in source.cases()] == [("s1", "sums", "42"), ("2", "sums", "42")]
    assert [(one.case_id, one.repeat, one.reply and one.reply.text) for one in source.exchanges()] == [
        ("s1", 0, "42"),
        ("s1", 1, "41"),
        ("2", 0, "42"),
    ]
    assert [(one.case_id, one.repeat, one.labeler, one.label) for one in source.labels()] == [
        ("s1", 0, "inspect:match", "C"),
        ("s1", 1, "inspect:match", "I"),
        ("2", 0, "inspect:match", "C"),
    ]
    assert faults == []


def test_the_head_says_what_the_release_is(tmp_path: Path) -> None:
    """What shapes the answers is kept: generation settings, solvers, arguments; how the run was paced is not."""
    header = a_header()
    header["eval"]["task_args"] = {"shots": 3}
    header["eval"]["model_args"] = {"tier": "flex", "outputs": [1]}
    (release,) = (
        read_inspect(an_eval_log(tmp_path / "l.eval", [a_sample()], header=header), report=Faults().append).releases().values()
    )
    assert (release.name, release.snapshot) == ("vendor/model-1", "model-1")
    assert dict(release.params) == {
        "temperature": 0.3,
        "max_tokens": 77,
        "solvers": [{"solver": "generate", "params": {}}],
        "task_args": {"shots": 3},
        "model_args": {"tier": "flex"},
    }


def test_latency_is_that_of_the_call_and_tokens_those_of_the_model_under_test(tmp_path: Path) -> None:
    """One call has its own time; a conversation has the sample's without its waits. Cached input is part of the input."""
    usage = {"vendor/model-1": {"input_tokens": 7, "output_tokens": 3, "input_tokens_cache_read": 5, "total_cost": 0.001}}
    usage["vendor/grader"] = {"input_tokens": 999, "output_tokens": 99}
    samples = [
        a_sample("one", model_usage=usage),
        a_sample("two", messages=talk()),
        a_sample("old", output=answer_without_time()),
    ]
    one, two, old = read_inspect(an_eval_log(tmp_path / "l.eval", samples), report=Faults().append).exchanges()
    assert (one.latency_ms, two.latency_ms, old.latency_ms) == (250, 500, 500)
    assert (one.usage.input_tokens, one.usage.cached_tokens, one.usage.output_tokens, one.cost_microusd) == (12, 5, 3, 1000)
    assert one.at == "2026-03-01T10:00:00+00:00"


def test_a_conversation_with_tools_is_kept_behind_its_input(tmp_path: Path) -> None:
    """From the model's first turn on; arguments are written as JSON text."""
    (exchange,) = read_inspect(
        an_eval_log(tmp_path / "l.eval", [a_sample(messages=talk())]), report=Faults().append
    ).exchanges()
    assert exchange.reply is not None
    assert [turn.role for turn in exchange.reply.trajectory] == ["assistant", "tool", "assistant"]
    assert exchange.reply.trajectory[0].tool_calls[0].arguments == '{"x":6}'
    assert exchange.reply.trajectory[1].name == "times"


def test_input_may_be_messages_with_parts_and_attachments(tmp_path: Path) -> None:
    """Reasoning is left out, images are kept, attachments are put back."""
    given_input = [
        {"role": "system", "content": "attachment://abc"},
        {"role": "user", "content": [{"type": "text", "text": "See "}, {"type": "image", "image": "data:image/png;base64,AA"}]},
        {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "Well"}]},
    ]
    sample = a_sample(input=given_input, attachments={"abc": "A long policy."})
    (case,) = read_inspect(an_eval_log(tmp_path / "l.eval", [sample]), report=Faults().append).cases()
    assert [message.text for message in case.messages] == ["A long policy.", "See ", "Well"]
    assert not isinstance(case.messages[1].content, str)


def test_choices_are_part_of_what_the_model_is_shown(tmp_path: Path) -> None:
    """The same question with other choices is another input."""
    samples = [a_sample("a", choices=["x", "y"]), a_sample("b", choices=["y", "x"]), a_sample("c")]
    a, b, c = read_inspect(an_eval_log(tmp_path / "l.eval", samples), report=Faults().append).cases()
    assert a.variables == {"choices": "A) x\nB) y"}
    assert len({a.input_digest, b.input_digest, c.input_digest}) == 3


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("C", [("inspect:s", "C")]),
        (0.5, [("inspect:s", "0.5")]),
        (1, [("inspect:s", "1")]),
        (True, [("inspect:s", "1")]),
        ({"a": 1, "b": "I", "c": None}, [("inspect:s/a", "1"), ("inspect:s/b", "I")]),
        ([1, 2], [("inspect:s", "[1,2]")]),
        (None, []),
        (float("nan"), []),
    ],
)
def test_scores_become_labels_whatever_their_type(tmp_path: Path, value: Any, labels: list[tuple[str, str]]) -> None:
    """Objects give a label per key; a score that is not a number is no label."""
    log = an_eval_log(tmp_path / "l.eval", [a_sample(scores={"s": {"value": value}})])
    source = read_inspect(log, report=Faults().append)
    assert [(one.labeler, one.label) for one in source.labels()] == labels
    assert len(list(source.exchanges())) == 1


def test_a_sample_in_error_is_a_failure_without_labels(tmp_path: Path) -> None:
    """An error, a limit, or no choice at all is never a wrong answer."""
    nothing = {"model": "m", "choices": [], "completion": ""}
    samples = [
        a_sample("error", error={"message": "RateLimitError('429')", "traceback": "..."}, output=nothing),
        a_sample("limit", output=nothing, limit={"type": "time", "limit": 60}),
        a_sample("nothing", output=nothing),
        a_sample("refused", output={**nothing, "error": "content policy"}),
    ]
    source = read_inspect(an_eval_log(tmp_path / "l.eval", samples), report=Faults().append)
    kinds = {one.case_id: one.failure.kind for one in source.exchanges() if one.failure}
    assert kinds == {"error": "rate_limit", "limit": "timeout", "nothing": "bad_reply", "refused": "refused_request"}
    assert "error" not in {one.case_id for one in source.labels()}


def test_two_logs_of_a_model_are_two_releases(tmp_path: Path) -> None:
    """Numbered in the order given, or named."""
    logs = [an_eval_log(tmp_path / f"{name}.eval", [a_sample()]) for name in ("a", "b")]
    assert list(read_inspect(logs, report=Faults().append).releases()) == ["vendor/model-1", "vendor/model-1#2"]
    assert list(read_inspect(tmp_path, report=Faults().append).releases()) == ["vendor/model-1", "vendor/model-1#2"]
    named = read_inspect(logs, report=Faults().append, releases=["old", "new"])
    assert [one.release for one in named.exchanges()] == ["old", "new"]
    with pytest.raises(InputError, match="1 releases are named for 2 logs"):
        read_inspect(logs, report=Faults().append, releases=["old"])


def test_logs_of_several_tasks_need_a_choice(tmp_path: Path) -> None:
    """Ids repeat between tasks, and each task is a workflow of its own."""
    other = a_header()
    other["eval"]["task"] = "pkg/poems"
    an_eval_log(tmp_path / "a.eval", [a_sample()])
    an_eval_log(tmp_path / "b.eval", [a_sample()], header=other)
    with pytest.raises(InputError, match=r"2 tasks\. There are: 'poems', 'sums'"):
        read_inspect(tmp_path, report=Faults().append)
    chosen = read_inspect(tmp_path, report=Faults().append, where={"task": "poems"})
    assert [case.task for case in chosen.cases()] == ["poems"]
    assert list(chosen.releases()) == ["vendor/model-1"]
    with pytest.raises(InputError, match="No log is of the task"):
        read_inspect(tmp_path, report=Faults().append, where={"task": "songs"})


def test_logs_of_another_data_set_clash(tmp_path: Path) -> None:
    """The same id with another question is told, and not compared."""
    logs = [an_eval_log(tmp_path / "a.eval", [a_sample()]), an_eval_log(tmp_path / "b.eval", [a_sample(input="other")])]
    faults = Faults()
    assert len(list(read_inspect(logs, report=faults.append).cases())) == 1
    assert faults.where() == [("b.eval", None, "samples/s1_epoch_1.json id")]


def test_a_run_that_never_ended_is_read_with_a_warning(tmp_path: Path) -> None:
    """Such a log has no header yet, only its journal."""
    header = a_header()
    del header["status"]
    log = an_eval_log(tmp_path / "l.eval", [a_sample()], header=header, header_name="_journal/start.json")
    faults = Faults()
    assert len(list(read_inspect(log, report=faults.append).exchanges())) == 1
    assert [(fault.severity, "'started'" in fault.what) for fault in faults] == [("warning", True)]


def test_a_sample_that_cannot_be_read_is_named_by_its_member(tmp_path: Path) -> None:
    """Once, though three passes meet it; the others are kept."""
    bad = [b"{", b"[1]", json.dumps({"id": "x", "epoch": 0, "input": "q"}).encode(), json.dumps({"epoch": 1}).encode()]
    log = an_eval_log(tmp_path / "l.eval", [a_sample(), *bad])
    faults = Faults()
    source = read_inspect(log, report=faults.append)
    list(source.cases())
    assert [one.case_id for one in source.exchanges()] == ["s1"]
    list(source.labels())
    told = [(fault.path or "").split()[0].split("_")[0] for fault in faults]
    assert told == ["samples/raw1", "samples/raw2", "samples/raw4", "samples/raw4", "samples/raw3", "samples/raw4"]


def test_a_damaged_member_costs_only_itself(tmp_path: Path) -> None:
    """Changed bytes do not match the checksum, in either compression."""
    for zstd in (False, True):
        log = an_eval_log(tmp_path / f"l{zstd}.eval", [a_sample("a"), a_sample("b")], zstd=zstd)
        data = bytearray(log.read_bytes())
        with zipfile.ZipFile(log) as archive:
            member = archive.getinfo("samples/a_epoch_1.json")
        place = member.header_offset + 30 + len(member.filename) + 20
        data[place] ^= 0xFF
        log.write_bytes(bytes(data))
        faults = Faults()
        assert [one.case_id for one in read_inspect(log, report=faults.append).exchanges()] == ["b"]
        assert faults.where() == [(log.name, None, "samples/a_epoch_1.json")]


def test_without_zstandard_the_remedy_is_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Current logs are packed with it; the package is an extra."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(InputError) as caught:
        read_inspect(an_eval_log(tmp_path / "l.eval", [a_sample()], zstd=True), report=Faults().append)
    assert caught.value.fix == "pip install zstandard"


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    """Another archive, another JSON file, a cut archive, a newer version, an empty folder."""
    cut = an_eval_log(tmp_path / "cut.eval", [a_sample()])
    cut.write_bytes(cut.read_bytes()[:-30])
    with zipfile.ZipFile(tmp_path / "other.eval", "w") as archive:
        archive.writestr("readme.txt", "hello")
    (tmp_path / "other.json").write_text("[1, 2]", encoding="utf-8")
    an_eval_log(tmp_path / "new.eval", [a_sample()], header=a_header(version=9))
    for name, message in (
        ("cut.eval", "no zip archive"),
        ("other.eval", "no header"),
        ("other.json", "names no model"),
        ("new.eval", "log version 9"),
    ):
        with pytest.raises(InputError, match=message):
            read_inspect(tmp_path / name, report=Faults().append)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="1 fault"):
        read_inspect(tmp_path / "empty", report=Faults().append)


def test_a_cut_json_log_gives_its_whole_samples(tmp_path: Path) -> None:
    """And says on which line it breaks."""
    log = a_json_log(tmp_path / "l.json", [a_sample("a"), a_sample("b")])
    text = log.read_text(encoding="utf-8")
    log.write_text(text[: len(text) - 200], encoding="utf-8")
    faults = Faults()
    assert [one.case_id for one in read_inspect(log, report=faults.append).exchanges()] == ["a"]
    assert "breaks on line" in faults[0].what


def talk() -> list[dict[str, Any]]:
    call = {"id": "c1", "function": "times", "arguments": {"x": 6}, "type": "function"}
    return [
        {"role": "user", "content": "six times seven", "source": "input"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "42", "tool_call_id": "c1", "function": "times"},
        {"role": "assistant", "content": "42"},
    ]


def answer_without_time() -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": "42"}, "stop_reason": "max_tokens"}]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        "id",
        "epoch",
        "input",
        "target",
        "messages",
        "output",
        "scores",
        "metadata",
        "model_usage",
        "error",
        "choices",
        "limit",
        "total_time",
    ]
)


@given(changes=st.lists(st.dictionaries(KEYS, JSON, max_size=4), min_size=1, max_size=3))
def test_no_sample_whatever_it_holds_stops_the_reading(
    tmp_path_factory: pytest.TempPathFactory, changes: list[dict[str, Any]]
) -> None:
    """Fields of any type: kept or told, never raised."""
    log = a_json_log(tmp_path_factory.mktemp("any") / "l.json", [{**a_sample(), **change} for change in changes])
    faults = Faults()
    source = read_inspect(log, report=faults.append)
    list(source.cases()), list(source.exchanges()), list(source.labels())
    for count in (source.counts.cases, source.counts.exchanges, source.counts.labels):
        assert count.read == count.kept + count.rejected
