"""A team's own table: which columns mean what, long and wide, and everything a spreadsheet does to a file."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from segue.errors import InputError, NotFoundError
from segue.imports import PRESETS, ReleaseColumns, TableMapping, read_table
from tests.imports.builders import LLMDRIFT_HEADER, Faults

LONG = TableMapping(case_id="id", input="question", output="answer", release="model")


def a_csv(path: Path, rows: Sequence[Sequence[Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    path.write_bytes(out.getvalue().encode(encoding))
    return path


def a_long_csv(path: Path, *rows: Sequence[Any], **options: Any) -> Path:
    return a_csv(path, [["id", "question", "model", "answer"], *rows], **options)


def test_a_long_table_has_one_row_per_answer(tmp_path: Path) -> None:
    """The case stands in every row of it, and is one case; the column names the release."""
    file = a_long_csv(tmp_path / "t.csv", ["1", "q1", "old", "a"], ["1", "q1", "new", "b"], ["2", "q2", "old", "c"])
    source = read_table(file, LONG, report=Faults().append)
    assert [(case.case_id, case.messages[0].text) for case in source.cases()] == [("1", "q1"), ("2", "q2")]
    assert [(one.release, one.case_id, one.reply.text) for one in source.exchanges() if one.reply] == [
        ("old", "1", "a"),
        ("new", "1", "b"),
        ("old", "2", "c"),
    ]
    assert list(source.releases()) == ["new", "old"]


def test_a_wide_table_has_one_column_per_release(tmp_path: Path) -> None:
    """An empty cell means that this release was not asked: no answer is not an empty answer."""
    rows = [["q", "ref", "A", "A s", "B", "B ok"], ["q1", "yes", "yes", "1.5", "no", "0"], ["q2", "no", "", "", "no", "1"]]
    mapping = TableMapping(
        input="q",
        reference="ref",
        wide={"a": ReleaseColumns(output="A", latency="A s"), "b": ReleaseColumns(output="B", labels={"human": "B ok"})},
    )
    source = read_table(a_csv(tmp_path / "t.csv", rows), mapping, report=Faults().append)
    first, second = source.cases()
    assert (first.reference, second.reference) == ("yes", "no")
    assert [(one.release, one.case_id, one.latency_ms) for one in source.exchanges()] == [
        ("a", first.case_id, 1500),
        ("b", first.case_id, None),
        ("b", second.case_id, None),
    ]
    assert [(one.release, one.labeler, one.label) for one in source.labels()] == [("b", "human", "0"), ("b", "human", "1")]
    assert source.counts.exchanges.read == 3


def test_every_kind_of_column_is_read(tmp_path: Path) -> None:
    """Input, system, reference, slices, variables, repeat, error, latency, tokens, cost, time, parameters, labels."""
    header = ["id", "sys", "in", "ref", "lang", "model", "snap", "temp", "n", "out", "err", "ms", "usd", "tok", "when", "ok"]
    rows = [
        [1, "Be brief.", "hi", "ho", "de", "m", "m-1", "0.5", "0", "ho", "", "12.5", "0.002", "3", "2026-03-01", "1.0"],
        [1, "Be brief.", "hi", "ho", "de", "m", "m-1", "0.5", "1.0", "", "HTTP 503", "n/a", "NaN", "", "", ""],
    ]
    mapping = TableMapping(
        case_id="id",
        system="sys",
        input="in",
        reference="ref",
        slices=("lang",),
        release="model",
        snapshot="snap",
        params={"temperature": "temp"},
        repeat="n",
        output="out",
        error="err",
        latency="ms",
        latency_unit="ms",
        cost="usd",
        output_tokens="tok",
        at="when",
        labels={"human": "ok"},
    )
    faults = Faults()
    source = read_table(a_csv(tmp_path / "t.csv", [header, *rows]), mapping, report=faults.append)
    (case,) = source.cases()
    assert [(message.role, message.text) for message in case.messages] == [("system", "Be brief."), ("user", "hi")]
    assert (case.slice, case.reference) == ({"lang": "de"}, "ho")
    good, failed = source.exchanges()
    assert (good.latency_ms, good.cost_microusd, good.usage.output_tokens, good.at) == (12.5, 2000, 3, "2026-03-01T00:00:00")
    assert (good.snapshot, dict(good.params), good.repeat) == ("m-1", {"temperature": 0.5}, 0)
    assert failed.failure is not None
    assert (failed.failure.kind, failed.repeat, failed.latency_ms, failed.cost_microusd) == ("server", 1, None, None)
    assert [(one.label, one.repeat) for one in source.labels()] == [("1", 0)]
    assert faults == []


def test_files_without_a_release_column_are_one_release_each(tmp_path: Path) -> None:
    """Two exports of two runs: the releases are called after the files, or as asked."""
    mapping = TableMapping(case_id="id", input="q", output="a")
    files = [a_csv(tmp_path / f"{name}.csv", [["id", "q", "a"], ["1", "x", name]]) for name in ("march", "june")]
    assert list(read_table(files, mapping, report=Faults().append).releases()) == ["june", "march"]
    named = read_table(files, mapping, report=Faults().append, releases=["old", "new"])
    assert [(one.release, one.case_id) for one in named.exchanges()] == [("old", "1"), ("new", "1")]
    assert len(list(named.cases())) == 1
    with pytest.raises(InputError, match="1 releases are named for 2 files"):
        read_table(files, mapping, report=Faults().append, releases=["old"])
    with pytest.raises(InputError, match="same release"):
        read_table([files[0], files[0]], mapping, report=Faults().append)


def test_json_lines_reach_into_objects(tmp_path: Path) -> None:
    """`meta.lang` is the field of an object; a list of messages is a conversation; an output may be tool calls."""
    row = {
        "id": 7,
        "input": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "meta": {"lang": "de"},
        "output": {"tool_calls": [{"name": "f", "arguments": {"x": 1}}]},
        "model": "m",
    }
    file = tmp_path / "t.jsonl.gz"
    file.write_bytes(gzip.compress((json.dumps(row) + "\n" + json.dumps({**row, "output": {"a": 1}, "n": 1})).encode()))
    mapping = TableMapping(
        case_id="id", input="input", slices={"lang": "meta.lang"}, release="model", output="output", repeat="n", required=()
    )
    source = read_table(file, mapping, report=Faults().append)
    (case,) = source.cases()
    assert ([message.role for message in case.messages], case.slice) == (["system", "user"], {"lang": "de"})
    called, said = (one.reply for one in source.exchanges())
    assert called is not None
    assert called.tool_calls[0].arguments == '{"x":1}'
    assert said is not None
    assert said.text == '{"a":1}'


def test_a_missing_column_names_the_near_ones(tmp_path: Path) -> None:
    """All missing columns at once, each with what was likely meant."""
    file = a_csv(tmp_path / "t.csv", [["Id", "question", "models", "answer"], ["1", "q", "m", "a"]])
    with pytest.raises(InputError) as caught:
        read_table(file, LONG, report=Faults().append)
    assert [(fault.path, fault.likely) for fault in caught.value.faults] == [("release", "'models'"), ("case_id.id", "'Id'")]
    assert "'question'" in caught.value.faults[0].fix


def test_a_column_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two was meant cannot be told."""
    file = a_csv(tmp_path / "t.csv", [["id", "question", "model", "answer", "answer"], ["1", "q", "m", "a", "b"]])
    with pytest.raises(InputError) as caught:
        read_table(file, LONG, report=Faults().append)
    assert "Two columns are called 'answer'" in caught.value.faults[0].what


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    """By the wanted columns, not by counting characters: the text is full of other delimiters."""
    file = a_long_csv(tmp_path / "t.csv", ["1", "a, b; c | d\te", "m", "x,y;z"], delimiter=delimiter)
    (case,) = read_table(file, LONG, report=Faults().append).cases()
    assert case.messages[0].text == "a, b; c | d\te"


def test_quoted_newlines_huge_fields_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    """A field may span lines and be far larger than Python's default bound; lines are counted as an editor does."""
    long = 'line one\nline "two"\n' + "x" * 300_000
    file = a_long_csv(tmp_path / "t.csv", ["1", long, "m", "a"], ["2", "", "m", "a"], encoding="utf-8-sig")
    faults = Faults()
    (case,) = read_table(file, LONG, report=faults.append).cases()
    assert case.messages[0].text == long
    assert faults.where() == [("t.csv", 5, "question")]


def test_a_row_in_another_encoding_is_a_fault_and_the_others_are_kept(tmp_path: Path) -> None:
    """Latin-1 is refused by line, with the two remedies; and read where the mapping says so."""
    file = tmp_path / "t.csv"
    file.write_bytes(b"id,question,model,answer\n1,q,m,a\n2,q\xfc,m,a\n3,q,m,a\n")
    faults = Faults()
    assert [case.case_id for case in read_table(file, LONG, report=faults.append).cases()] == ["1", "3"]
    assert faults.where() == [("t.csv", 3, None)]
    assert "Latin-1" in faults[0].what
    latin = LONG.model_copy(update={"encoding": "latin-1"})
    assert [case.messages[0].text for case in read_table(file, latin, report=Faults().append).cases()] == ["q", "qü", "q"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("2,q,m", "3 fields, the header has 4"),
        ("2,q,m,a,b", "5 fields, the header has 4"),
        ('2,"q"x,m,a', "no valid CSV"),
        (",q,m,a", "no id"),
        ("2,,m,a", "no input"),
        ("1,another question,m,a", "stood for another case"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_once_and_the_rest_is_kept(tmp_path: Path, line: str, what: str) -> None:
    """Three passes read the row; one fault is told."""
    file = tmp_path / "t.csv"
    file.write_text(f"id,question,model,answer\n1,q,m,a\n{line}\n3,q,m,a\n", encoding="utf-8")
    faults = Faults()
    source = read_table(file, LONG, report=faults.append)
    assert [case.case_id for case in source.cases()] == ["1", "3"]
    assert [one.case_id for one in source.exchanges()] == ["1", "3"]
    assert list(source.labels()) == []
    assert [(fault.line, what in fault.what) for fault in faults] == [(3, True)]


def test_a_quote_that_is_never_closed_costs_only_what_it_swallows(tmp_path: Path) -> None:
    """The rows before it are kept, and the fault names the row that opened it."""
    file = tmp_path / "t.csv"
    file.write_text('id,question,model,answer\n1,q,m,a\n2,"q,m,a\n3,q,m,a\n', encoding="utf-8")
    faults = Faults()
    assert [case.case_id for case in read_table(file, LONG, report=faults.append).cases()] == ["1"]
    assert [(fault.line, "never closed" in fault.what) for fault in faults] == [(3, True)]


def test_a_number_that_is_none_rejects_the_answer_and_not_the_case(tmp_path: Path) -> None:
    """The case of the row is sound; its answer is not."""
    mapping = TableMapping(case_id="id", input="q", output="a", latency="t", cost="c", repeat="n")
    file = a_csv(tmp_path / "t.csv", [["id", "q", "a", "t", "c", "n"], ["1", "x", "y", "fast", "-3", "1.5"]])
    faults = Faults()
    source = read_table(file, mapping, report=faults.append)
    assert [case.case_id for case in source.cases()] == ["1"]
    assert list(source.exchanges()) == []
    assert [(fault.line, fault.path) for fault in faults] == [(2, "n"), (2, "t"), (2, "c")]


def test_clashing_ids_can_be_numbered(tmp_path: Path) -> None:
    """Where an id stands for several questions, the others are `id#2`, `id#3` in order of first sight, in all releases."""
    rows = [["7", "q1", "old", "a"], ["7", "q2", "old", "b"], ["7", "q2", "new", "c"], ["7", "q1", "new", "d"]]
    numbered = LONG.model_copy(update={"clashing_ids": "number"})
    source = read_table(a_long_csv(tmp_path / "t.csv", *rows), numbered, report=Faults().append)
    assert [(case.case_id, case.messages[0].text) for case in source.cases()] == [("7", "q1"), ("7#2", "q2")]
    assert [(one.release, one.case_id) for one in source.exchanges()] == [
        ("old", "7"),
        ("old", "7#2"),
        ("new", "7#2"),
        ("new", "7"),
    ]


def test_without_an_id_a_case_is_known_by_its_input(tmp_path: Path) -> None:
    """The same question gets the same id in every file."""
    mapping = TableMapping(input="q", output="a")
    one = a_csv(tmp_path / "one.csv", [["q", "a"], ["x", "1"]])
    two = a_csv(tmp_path / "two.csv", [["a", "q"], ["2", "x"]])
    source = read_table([one, two], mapping, report=Faults().append)
    assert len({exchange.case_id for exchange in source.exchanges()}) == 1


def test_labels_that_are_codes_stay_codes(tmp_path: Path) -> None:
    """`1.0` and `1` are a number; `007`, `1_full` and words are classes."""
    rows = [
        ["q", "a", "ok"],
        *[[str(n), "x", value] for n, value in enumerate(["1.0", "1", "007", "1_full", "yes", " 0.50", ""])],
    ]
    source = read_table(
        a_csv(tmp_path / "t.csv", rows), TableMapping(input="q", output="a", labels={"l": "ok"}), report=Faults().append
    )
    assert [one.label for one in source.labels()] == ["1", "1", "007", "1_full", "yes", "0.5"]


def test_the_llmdrift_preset_reads_the_published_columns(tmp_path: Path) -> None:
    """The header is that of the published files; columns that stand only in some of them may be absent."""
    file = tmp_path / "PRIME_FULL_EVAL.csv"
    question = 'Is 91 a prime number? Answer ""[Yes]"" or ""[No]"".'
    file.write_text(
        f"{LLMDRIFT_HEADER}\n"
        f'0,0,openaichat/gpt-4-0314,0.1,1000,0,prime,0,"{question}",no,"Step 1\n\n[No]",4.25,0.000374,20230716,'
        '"07/02/2023, 21:28:40",156,0.0275\n'
        f'1,1,openaichat/gpt-4-0613,0.1,1000,0,prime,0,"{question}",no,[Yes],0.5,9.80E-05,20230716,'
        '"07/02/2023, 21:28:41",2,0.25\n',
        encoding="utf-8",
    )
    faults = Faults()
    source = read_table(file, "llmdrift", report=faults.append)
    (case,) = source.cases()
    assert (case.case_id, case.task, case.reference) == ("prime-0", "prime", "no")
    assert case.messages[0].text == 'Is 91 a prime number? Answer "[Yes]" or "[No]".'
    old, new = source.exchanges()
    assert (old.release, old.snapshot, dict(old.params)) == (
        "gpt-4-0314",
        "gpt-4-0314",
        {"temperature": 0.1, "max_tokens": 1000},
    )
    assert (old.latency_ms, old.cost_microusd, old.usage.output_tokens, old.at) == (4250, 374, 156, "2023-07-02T21:28:40")
    assert (new.cost_microusd, new.reply and new.reply.text) == (98, "[Yes]")
    assert (faults, list(source.labels())) == ([], [])


def test_the_llmdrift_preset_reads_the_labels_where_there_are_any(tmp_path: Path) -> None:
    """The files of the sensitive questions and of LeetCode carry them."""
    rows = [
        ["", "model", "dataset", "id", "query", "answer", "Answer Rate", "Code_Submit", "Directly Usable"],
        ["0", "openaichat/gpt-4-0314", "sensitiveq", "5", "q", "No.", "0", "", ""],
        ["1", "openaichat/gpt-4-0314", "leetcode_easy", "5", "q", "code", "", "Accepted", "1"],
    ]
    source = read_table(a_csv(tmp_path / "t.csv", rows), "llmdrift", report=Faults().append)
    assert [(one.case_id, one.labeler, one.label) for one in source.labels()] == [
        ("sensitiveq-5", "authors:answered", "0"),
        ("leetcode_easy-5", "leetcode:submission", "Accepted"),
        ("leetcode_easy-5", "leetcode:directly_usable", "1"),
    ]


def test_an_unknown_preset_names_the_near_one(tmp_path: Path) -> None:
    """`llm-drift` is likely `llmdrift`."""
    assert list(PRESETS) == ["llmdrift"]
    with pytest.raises(NotFoundError, match="'llmdrift'"):
        read_table(a_long_csv(tmp_path / "t.csv"), "llm-drift", report=Faults().append)


@pytest.mark.parametrize(
    "settings",
    [
        {"input": "q"},
        {"input": "q", "output": "a", "wide": {"m": "b"}},
        {"output": "a"},
        {"input": "q", "wide": {"m": "b"}, "release": "r"},
        {"input": "q", "output": "a", "colour": "c"},
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(settings: dict[str, Any]) -> None:
    """Long or wide, with an input, and no setting that does not exist."""
    with pytest.raises(ValidationError):
        TableMapping(**settings)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """There is not even a header."""
    (tmp_path / "t.csv").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "t.csv", LONG, report=Faults().append)
    assert "empty" in caught.value.faults[0].what
    with pytest.raises(InputError, match="1 fault"):
        read_table(tmp_path / "none.csv", LONG, report=Faults().append)


@given(
    rows=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8)), max_size=8),
    noise=st.binary(max_size=40),
)
def test_no_table_whatever_it_holds_stops_the_reading(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, str]], noise: bytes
) -> None:
    """Rows of any text, and bytes of any kind behind them: kept or told, never raised."""
    out = io.StringIO()
    csv.writer(out).writerows([("id", "question", "model", "answer"), *rows])
    file = tmp_path_factory.mktemp("any") / "t.csv"
    file.write_bytes(out.getvalue().encode("utf-8", "surrogatepass") + noise)
    faults = Faults()
    source = read_table(file, LONG, report=faults.append)
    for stream, count in (("cases", "cases"), ("exchanges", "exchanges"), ("labels", "labels")):
        kept = len(list(getattr(source, stream)()))
        counted = getattr(source.counts, count)
        assert kept == counted.kept
        assert counted.read == counted.kept + counted.rejected
