"""How long questions to the exchange log take: five million exchanges of a day, latency by hour and slice, a look's measures.

The rows are written through the log's own schema and writer, without bodies. Beside it, in the same run, SQLite with plain
columns and an index on the hour, asked the same (fewer rows, for it takes long: the ratio is per row, in its favour, for
sorting grows faster than the rows). Processor time of the whole process, all its threads.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import table
from segue.exchanges.columns import EXCHANGES
from segue.exchanges.ledger import ArchiveFile, Change, Ledger
from segue.exchanges.measures import measure as measure_log
from segue.exchanges.measures import sum_scores
from segue.exchanges.parquet import open_writer
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection

START = 1_767_225_600_000_000_000
HOUR = 3_600_000_000_000
SLICES = {"lang": ("de", "en", "fr", "it", "es"), "tier": ("free", "enterprise"), "task": ("refund", "order", "other")}
FILE_ROWS = 250_000
P99_SQLITE = """
WITH sliced AS (
    SELECT hour, '' AS name, '' AS value, latency FROM log UNION ALL SELECT hour, 'lang', lang, latency FROM log
    UNION ALL SELECT hour, 'tier', tier, latency FROM log UNION ALL SELECT hour, 'task', task, latency FROM log),
ranked AS (
    SELECT hour, name, value, latency, row_number() OVER (PARTITION BY hour, name, value ORDER BY latency) AS place,
        count(*) OVER (PARTITION BY hour, name, value) AS n FROM sliced)
SELECT hour, name, value, latency FROM ranked WHERE place = CAST(n * 0.99 AS INTEGER)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--sqlite-rows", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, help="where to write (default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=1)


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Time, print, save."""
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        size = _write(folder / "archive", given.rows, given.seed)
        log = ExchangeLog(folder / "spool", folder / "archive")
        hour = Selection(since_ns=START + 9 * HOUR, until_ns=START + 10 * HOUR)
        rows = [
            _timed("segue: p50 and p99 per hour and slice", given.rows, lambda: len(log.latency())),
            _timed("segue: measures per arm, bundle and slice", given.rows, lambda: len(measure_log(log))),
            _timed("segue: the same of one hour", given.rows // 24, lambda: len(measure_log(log, hour))),
            _timed(
                "segue: two scores, in blocks of an hour",
                given.rows,
                lambda: len(sum_scores(log, ["contract", "refusal"], block_ns=HOUR)),
            ),
            _timed("segue: one exchange by its id", 1, lambda: log.find(f"{START + 12_345:020d}") is not None),
            _sqlite(folder / "log.db", given.sqlite_rows, given.seed),
        ]
    first = rows[0]["µs cpu per row"]
    for row in rows:
        row["÷ first"] = row["µs cpu per row"] / first if row["rows asked"] > 1 else None
    table.show(f"{given.rows:,} exchanges, {size / given.rows:.0f} bytes each without bodies", rows)
    table.save(results, "exchange_log_query", {"rows": rows, "bytes": size})


def _timed(name: str, count: int, ask: Callable[[], Any]) -> dict[str, Any]:
    best: tuple[float, float] | None = None
    for _ in range(2):
        cpu, wall = time.process_time(), time.perf_counter()
        found = ask()
        taken = (time.process_time() - cpu, time.perf_counter() - wall)
        best = taken if best is None else min(best, taken)
    assert best is not None
    assert found, name
    return {"question": name, "rows asked": count, "cpu s": best[0], "wall s": best[1], "µs cpu per row": best[0] * 1e6 / count}


def _sqlite(path: Path, count: int, seed: int) -> dict[str, Any]:
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE log (hour INTEGER, lang TEXT, tier TEXT, task TEXT, latency INTEGER)")
    rng = np.random.default_rng(seed)
    picked = [rng.integers(len(values), size=count).tolist() for values in SLICES.values()]
    slices = [[values[at] for at in part] for values, part in zip(SLICES.values(), picked, strict=True)]
    hours = (np.arange(count) * 24 // count).tolist()
    base.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?)", zip(hours, *slices, _latencies(rng, count), strict=True))
    base.execute("CREATE INDEX by_hour ON log (hour)")
    base.commit()
    row = _timed("SQLite: p99 per hour and slice", count, lambda: len(base.execute(P99_SQLITE).fetchall()))
    base.close()
    return row


def _latencies(rng: np.random.Generator, count: int) -> list[int]:
    found: list[int] = (rng.gamma(4.0, 2e8, size=count)).astype(np.int64).tolist()
    return found


def _write(archive: Path, count: int, seed: int) -> int:
    """An archive of one day, in files as shipping leaves them; its size."""
    rng = np.random.default_rng(seed)
    files = []
    for begin in range(0, count, FILE_ROWS):
        rows = min(FILE_ROWS, count - begin)
        path = Path("exchanges") / "workflow=reply" / "day=2026-01-01" / f"{begin:012d}.parquet"
        whole = archive / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        batch = _batch(rng, begin, rows, count)
        with open_writer(whole, EXCHANGES) as writer:
            writer.write_batch(batch)
        times, ids = batch.column("at_ns"), batch.column("id")
        ends = (times[0].as_py(), times[-1].as_py(), ids[0].as_py(), ids[-1].as_py())
        files.append(ArchiveFile(path.as_posix(), "exchanges", "reply", "2026-01-01", rows, whole.stat().st_size, *ends))
    ledger = Ledger(archive, writes=True)
    ledger.commit(Change((), files))
    ledger.close()
    return sum(file.n_bytes for file in files)


def _batch(rng: np.random.Generator, begin: int, rows: int, count: int) -> pa.RecordBatch:
    at = START + (np.arange(begin, begin + rows) * (24 * HOUR / count)).astype(np.int64)
    arm = rng.random(rows) < 0.05
    columns: dict[str, Any] = {
        "id": pa.array([f"{one:020d}" for one in (START + np.arange(begin, begin + rows)).tolist()]),
        "at_ns": pa.array(at),
        "workflow": _words(np.zeros(rows, int), ("reply",)),
        "environment": _words(np.zeros(rows, int), ("production",)),
        "arm": _words(arm.astype(int), ("incumbent", "candidate")),
        "bundle": _words(arm.astype(int), ("9f86d081884c7d65" * 4, "2c26b46b68ffc68f" * 4)),
        "unit": _words(rng.integers(10_000, size=rows), tuple(f"u{number:06d}" for number in range(10_000))),
        "slices": _map(SLICES, [rng.integers(len(values), size=rows) for values in SLICES.values()]),
        "status": pa.array(np.full(rows, 200)),
        "latency_ns": pa.array(_latencies(rng, rows)),
        "ttft_ns": pa.array(_latencies(rng, rows)),
        "input_tokens": pa.array(rng.integers(1_000, size=rows)),
        "output_tokens": pa.array(rng.integers(1_000, size=rows)),
        "cost_microusd": pa.array(rng.random(rows) * 1_000),
        "finish_reason": _words(np.zeros(rows, int), ("stop",)),
        "scores": _numbers(("contract", "refusal"), (rng.random((rows, 2)) < 0.5).astype(float)),
        "kept_share": pa.array(np.ones(rows)),
    }
    arrays = [columns[field.name] if field.name in columns else _nothing(field.type, rows) for field in EXCHANGES]
    return pa.RecordBatch.from_arrays(arrays, schema=EXCHANGES)


def _nothing(kind: pa.DataType, rows: int) -> pa.Array:
    if not pa.types.is_map(kind):
        return pa.nulls(rows, kind)
    zeros = pa.array(np.zeros(rows + 1, np.int32))
    return pa.MapArray.from_arrays(zeros, pa.array([], kind.key_type), pa.array([], kind.item_type))


def _words(which: Any, words: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(which.astype(np.int32)), pa.array(words)).cast(pa.string())


def _offsets(rows: int, width: int) -> pa.Array:
    return pa.array(np.arange(0, (rows + 1) * width, width, dtype=np.int32))


def _map(slices: dict[str, tuple[str, ...]], picked: list[Any]) -> pa.Array:
    rows, width = len(picked[0]), len(slices)
    flat = [one for values in slices.values() for one in values]
    starts = np.cumsum([0, *(len(values) for values in slices.values())])[:-1]
    which = np.stack(picked, axis=1) + starts
    keys = _words(np.tile(np.arange(width), rows), tuple(slices))
    return pa.MapArray.from_arrays(_offsets(rows, width), keys, _words(which.reshape(-1), tuple(flat)))


def _numbers(names: tuple[str, ...], values: Any) -> pa.Array:
    keys = _words(np.tile(np.arange(len(names)), len(values)), names)
    return pa.MapArray.from_arrays(_offsets(len(values), len(names)), keys, pa.array(values.reshape(-1)))
