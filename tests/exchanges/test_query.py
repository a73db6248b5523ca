"""Asking the log: Parquet and what is not shipped yet are one thing; older files are not broken by newer columns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.errors import StoreError
from segue.exchanges import BodyNote, Logged, ServedExchange
from segue.exchanges.columns import EXCHANGES, exchange_columns, read_exchanges
from segue.exchanges.ledger import Snapshot, Table
from segue.exchanges.query import ExchangeLog, Moment
from segue.exchanges.selection import Selection
from tests.exchanges.builders import DAY, HOUR, NOON, Clock, a_log, a_shipper, a_spool, drain, fill

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.none() | st.integers(-(2**63), 2**63 - 1)
shares = st.floats(allow_nan=False, allow_infinity=False)
notes = st.builds(BodyNote, st.sampled_from(["full", "cut"]), numbers, st.none() | words)
exchanges = st.builds(
    ServedExchange,
    id=words,
    at_ns=st.integers(0, 2**63 - 1),
    workflow=words,
    route_revision=numbers,
    unit=st.none() | words,
    slices=st.dictionaries(words, words, max_size=3),
    attributes=st.dictionaries(words, words, max_size=3),
    status=numbers,
    latency_ns=numbers,
    reasoning_tokens=numbers,
    cost_microusd=st.none() | shares,
    probabilities=st.dictionaries(words, shares, max_size=2),
    scores=st.dictionaries(words, st.none() | shares, max_size=3),
    tags=st.lists(words, max_size=2).map(tuple),
    request=notes,
    response=notes,
)


@given(st.lists(st.builds(Logged, exchanges, st.binary(max_size=9), st.binary(max_size=9), st.floats(0, 1)), max_size=4))
def test_a_record_comes_back_from_its_columns_as_it_was(rows: list[Logged]) -> None:
    """Unknown stays unknown, empty stays empty."""
    assert list(read_exchanges(exchange_columns(rows))) == rows


def test_every_field_of_a_record_has_a_column() -> None:
    """A field that is added and forgotten in the schema would be lost when it is shipped."""
    notes = {f"{part}_{name}" for part in ("request", "response") for name in (*BodyNote.__struct_fields__, "body")}
    fields = set(ServedExchange.__struct_fields__) - {"request", "response"}
    assert set(EXCHANGES.names) == fields | notes | {"kept_share"}


def half_shipped(folder: Path) -> tuple[ExchangeLog, Callable[[], None]]:
    """A hundred exchanges of two days, some archived, some waiting; and what to call at the end."""
    spool, shipper = a_spool(folder), a_shipper(folder, Clock(NOON + DAY))
    rng = np.random.default_rng(1)
    for number in range(100):
        if number == 60:
            drain(shipper)
        given = {
            "arm": ("incumbent", "candidate")[number % 2],
            "workflow": ("reply", "invoice")[number % 3 == 0],
            "at_ns": NOON + number * HOUR // 2,
            "slices": {"lang": ("de", "en")[number % 5 == 0]} if number % 7 else {},
            "tags": ("probe",) if number % 11 == 0 else (),
            "latency_ns": int(rng.integers(1, 1_000)) if number % 13 else None,
        }
        fill(spool, range(number, number + 1), **given)

    def close() -> None:
        shipper.close()
        spool.close()

    return a_log(folder), close


selections = st.builds(
    Selection,
    id=st.none() | st.sampled_from(["x000003", "x000077", "nobody"]),
    workflow=st.none() | st.sampled_from(["reply", "invoice", "o'clock"]),
    arm=st.none() | st.sampled_from(["incumbent", "candidate"]),
    since_ns=st.none() | st.integers(NOON - HOUR, NOON + 50 * HOUR),
    until_ns=st.none() | st.integers(NOON - HOUR, NOON + 50 * HOUR),
    slices=st.dictionaries(st.sampled_from(["lang", "tier"]), st.sampled_from(["de", "en"]), max_size=2),
    without_tags=st.sampled_from([(), ("probe",), ("probe", "eval")]),
)


@pytest.mark.slow
def test_a_selection_means_the_same_in_files_and_in_the_spool(tmp_path: Path) -> None:
    """Whether a record was shipped decides nothing."""
    log, close = half_shipped(tmp_path)
    rows = [row.exchange for row in log.iterate()]
    assert len(rows) == 100

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(selections)
    def holds(selection: Selection) -> None:
        found = {row.exchange.id for row in log.iterate(selection, with_bodies=False)}
        assert found == {row.id for row in rows if selection.takes(row)}

    holds()
    close()


def test_an_exchange_is_found_by_id_wherever_it_is(tmp_path: Path) -> None:
    """With its bodies."""
    log, close = half_shipped(tmp_path)
    for number in (3, 99):
        found = log.find(f"x{number:06d}")
        assert found is not None
        assert (found.request, found.response, found.exchange.arm) == (b"ask", b"say", "candidate")
    assert log.find("nobody") is None
    close()


def test_latency_by_hour_and_slice_is_exact(tmp_path: Path) -> None:
    """Against numpy; unknown latencies are counted apart and take no part."""
    log, close = half_shipped(tmp_path)
    rows = [row.exchange for row in log.iterate(with_bodies=False) if row.exchange.arm == "incumbent"]
    cells = log.latency(Selection(arm="incumbent"))
    assert {cell.slice for cell in cells} == {"", "lang"}
    for cell in cells:
        own = [
            row
            for row in rows
            if row.at_ns // HOUR * HOUR == cell.hour_ns and (not cell.slice or row.slices.get(cell.slice) == cell.value)
        ]
        known = [row.latency_ns for row in own if row.latency_ns is not None]
        assert (cell.n, cell.n_unknown) == (len(own), len(own) - len(known))
        if known:
            assert cell.p50_ns == pytest.approx(np.quantile(known, 0.5))
            assert cell.p99_ns == pytest.approx(np.quantile(known, 0.99))
        else:
            assert cell.p50_ns is cell.p99_ns is None
    close()


def test_a_log_that_nothing_was_written_to_is_empty(tmp_path: Path) -> None:
    """No folder, no ledger, no fault."""
    log = a_log(tmp_path)
    assert log.recount().appended == 0
    assert list(log.iterate()) == []
    assert log.latency() == []


def archived(folder: Path) -> Path:
    """Two exchanges, shipped; their file."""
    spool, shipper = a_spool(folder), a_shipper(folder)
    fill(spool, range(2))
    drain(shipper)
    shipper.close()
    spool.close()
    (path,) = (folder / "archive").rglob("*.parquet")
    return path


def test_files_without_a_newer_column_are_read(tmp_path: Path) -> None:
    """What they do not have is unknown; and they merge with files that have it."""
    path = archived(tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["pair", "kept_share", "slices"]), path)
    rows = list(a_log(tmp_path).iterate())
    assert [(row.exchange.id, row.exchange.pair, row.kept_share) for row in rows] == [
        ("x000000", None, 1.0),
        ("x000001", None, 1.0),
    ]
    assert a_log(tmp_path).latency()[0].n == 2
    spool, shipper = a_spool(tmp_path, run="r1"), a_shipper(tmp_path, Clock(NOON + 3 * DAY))
    fill(spool, range(2, 4), pair="p", slices={"lang": "de"})
    drain(shipper)
    shipper.tidy()
    shipper.close()
    spool.close()
    found = {row.exchange.id: (row.exchange.pair, row.exchange.slices) for row in a_log(tmp_path).iterate()}
    assert found["x000000"] == (None, {})
    assert found["x000003"] == ("p", {"lang": "de"})


def test_a_column_we_do_not_know_survives_a_merge(tmp_path: Path) -> None:
    """Written by a newer Segue that says it is compatible."""
    path = archived(tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.append_column("mood", pa.array(["calm", "calm"])), path)
    spool, shipper = a_spool(tmp_path, run="r1"), a_shipper(tmp_path, Clock(NOON + 3 * DAY))
    fill(spool, range(2, 4))
    drain(shipper)
    shipper.tidy()
    (merged,) = [path for path in (tmp_path / "archive").rglob("*.parquet") if pq.read_metadata(path).num_rows == 4]
    assert sorted(pq.read_table(merged).column("mood").to_pylist(), key=str) == [None, None, "calm", "calm"]
    assert len(list(a_log(tmp_path).iterate())) == 4
    shipper.close()
    spool.close()


def test_a_file_that_is_damaged_is_named_as_unreadable(tmp_path: Path) -> None:
    """An error with a remedy, not another answer."""
    archived(tmp_path).write_bytes(b"not parquet at all")
    with pytest.raises(StoreError, match="could not be read"):
        list(a_log(tmp_path).iterate())


def test_a_reader_is_not_disturbed_by_a_merge(tmp_path: Path) -> None:
    """Files it has in hand stay until the grace is over."""
    spool, clock = a_spool(tmp_path), Clock()
    shipper = a_shipper(tmp_path, clock, fan_in=2)
    for begin in (0, 10):
        fill(spool, range(begin, begin + 10))
        drain(shipper)
    rows = a_log(tmp_path).iterate()
    first = next(rows)
    shipper.tidy()
    assert len({first.exchange.id, *(row.exchange.id for row in rows)}) == 20
    shipper.close()
    spool.close()


@pytest.mark.parametrize("shipped", ["before the ledger is read", "after it"])
def test_a_moment_holds_each_record_once_though_it_is_shipped_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: str
) -> None:
    """In files or in the spool, never in both or neither, deleted segments included."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(50))
    drain(shipper)
    fill(spool, range(50, 400))
    spool.close()
    read = Moment._read_ledger

    def read_ledger(moment: Moment) -> tuple[Snapshot, dict[tuple[Table, str], int]]:
        if shipped != "after it":
            drain(shipper)
        found = read(moment)
        if shipped == "after it":
            drain(shipper)
        return found

    monkeypatch.setattr(Moment, "_read_ledger", read_ledger)
    ids = [row.exchange.id for row in a_log(tmp_path).iterate(with_bodies=False)]
    assert sorted(ids) == [f"x{number:06d}" for number in range(400)]
    assert not list((tmp_path / "spool").iterdir())
    shipper.close()


def test_a_ledger_without_its_tables_yet_is_an_empty_one(tmp_path: Path) -> None:
    """A reader may come in the very moment the first shipper starts."""
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "ledger.db").touch()
    assert a_log(tmp_path).recount().appended == 0


def test_what_a_worker_imports_is_light() -> None:
    """No pyarrow, no DuckDB, no SQLite on the way of a request."""
    code = "import sys, segue.exchanges; print({'pyarrow', 'duckdb', 'sqlite3', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
