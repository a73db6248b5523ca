"""What it costs to log an exchange of 2 + 2 KB: µs of processor in the thread that answers, and of the whole process.

Beside it, in the same run and with the same records: `write()` of a JSON line each, and an insert into SQLite each (WAL, not
synced). Then shipping to Parquet, end to end, with a recount; bytes per record in the spool and archived; and the time of a
question. Bodies are JSON of random words, which compress to about half. The best round is nearest
to what the machine does when nobody else is on it; the median is what it did.
"""

from __future__ import annotations

import argparse
import base64
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks import table
from segue.exchanges import BodyNote, ServedExchange, SpoolSettings, SpoolThread
from segue.exchanges.query import ExchangeLog
from segue.exchanges.shipper import Shipper

BODY = 2048
ROUND = 5_000
START = 1_767_225_600_000_000_000
Write = Callable[[ServedExchange, bytes, bytes], object]


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where to write (default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=1)


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Time, print, save."""
    bodies = _bodies(np.random.default_rng(given.seed), 4_096)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        _spooled(folder / "warm", bodies, 5_000)
        rows = [
            _timed("nothing (the loop alone)", lambda *_: None, bodies, given.records),
            _spooled(folder, bodies, given.records),
            _lines(folder, bodies, given.records),
            _sqlite(folder, bodies, given.records),
        ]
        table.show(f"Logging {given.records:,} exchanges, µs each, in rounds of {ROUND:,}", rows)
        shipped = _shipped(folder, given.records)
        table.show("Shipping them to Parquet, and asking", shipped)
    table.save(results, "exchange_log", {"records": given.records, "append": rows, "ship": shipped})


def _spooled(folder: Path, bodies: list[bytes], count: int) -> dict[str, Any]:
    settings = SpoolSettings(folder / "spool", "w0", "r0", total_bytes=1 << 50)
    with SpoolThread(settings) as spool:
        row = _timed("spool", spool.append, bodies, count)
        state = spool.state
    assert (state.kept, state.not_kept) == (count, 0), state
    size = sum(path.stat().st_size for path in settings.folder.iterdir())
    return {**row, "bytes each": size / count}


def _lines(folder: Path, bodies: list[bytes], count: int) -> dict[str, Any]:
    encode = msgspec.json.Encoder().encode
    path = folder / "log.jsonl"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(exchange: ServedExchange, request: bytes, response: bytes) -> None:
        os.write(descriptor, encode((exchange, request.decode(), response.decode())) + b"\n")

    row = _timed("write() of a JSON line", write, bodies, count)
    os.close(descriptor)
    return {**row, "bytes each": path.stat().st_size / count}


def _sqlite(folder: Path, bodies: list[bytes], count: int) -> dict[str, Any]:
    encode = msgspec.msgpack.Encoder().encode
    count = min(count, 20_000)
    path = folder / "log.db"
    base = sqlite3.connect(path, isolation_level=None)
    base.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE log (id, head, request, response)")

    def write(exchange: ServedExchange, request: bytes, response: bytes) -> None:
        base.execute("INSERT INTO log VALUES (?, ?, ?, ?)", (exchange.id, encode(exchange), request, response))

    row = _timed("insert into SQLite", write, bodies, count)
    base.close()
    return {**row, "bytes each": path.stat().st_size / count}


def _timed(name: str, write: Write, bodies: list[bytes], count: int) -> dict[str, Any]:
    n, spent = len(bodies), []
    for begin in range(0, count, ROUND):
        records = [_exchange(number) for number in range(begin, min(begin + ROUND, count))]
        thread, process = time.thread_time(), time.process_time()
        for number, record in enumerate(records, begin):
            write(record, bodies[number % n], bodies[(number * 7 + 1) % n])
        taken = (time.thread_time() - thread, time.process_time() - process)
        spent.append([seconds * 1e6 / len(records) for seconds in taken])
    answering, whole = np.median(spent, axis=0)
    return {
        "way": name,
        "answering, median": float(answering),
        "best round": float(np.min(spent, axis=0)[0]),
        "whole process, median": float(whole),
        "best round of it": float(np.min(spent, axis=0)[1]),
        "bytes each": None,
    }


def _shipped(folder: Path, count: int) -> list[dict[str, Any]]:
    shipper = Shipper(folder / "spool", folder / "archive", clock=lambda: START)
    import segue.exchanges.parquet  # noqa: F401 - its import is no part of a record's cost

    begin, wall = time.process_time(), time.perf_counter()
    steps, going = [], True
    while going:
        at = time.process_time()
        step = shipper.step()
        steps.append((time.process_time() - at) * 1e6 / max(1, step.n_rows))
        going = step.has_more
    ship = (time.process_time() - begin, time.perf_counter() - wall)
    begin, wall = time.process_time(), time.perf_counter()
    shipper.tidy()
    merge = (time.process_time() - begin, time.perf_counter() - wall)
    shipper.close()
    log = ExchangeLog(folder / "spool", folder / "archive")
    recount = log.recount()
    assert (recount.archived, recount.waiting) == (count, 0), recount
    with log.moment() as moment:
        size = sum(file.n_bytes for file in moment.files("exchanges"))
    begin, wall = time.process_time(), time.perf_counter()
    cells = log.latency()
    ask = (time.process_time() - begin, time.perf_counter() - wall)
    assert sum(cell.n for cell in cells if not cell.slice) == count
    return [
        {**_row("ship", ship, count, size / count), "best step": min(steps)},
        _row("merge small files", merge, count),
        _row("p50 and p99 by hour and slice", ask, count),
    ]


def _row(name: str, taken: tuple[float, float], count: int, size: float | None = None) -> dict[str, Any]:
    cpu, wall = taken
    return {"step": name, "µs each": cpu * 1e6 / count, "wall s": wall, "records": count, "bytes each": size, "best step": None}


def _exchange(number: int) -> ServedExchange:
    note = BodyNote("full", BODY)
    return ServedExchange(
        id=f"019b7a5d-ac96-774b-bcce-{number:012x}",
        at_ns=START + number * 1_000_000,
        workflow="draft-reply",
        environment="production",
        route_revision=12,
        arm="candidate" if number % 20 == 0 else "incumbent",
        bundle="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        answered_by="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        unit=f"{number * 2654435761 % 10_000:032x}",
        segment="everyone",
        slices={"lang": ("de", "en", "fr")[number % 3], "task": "refund" if number % 4 else "other"},
        attributes={"tier": "enterprise"},
        dialect_in="openai_chat",
        dialect_out="openai_chat",
        status=200,
        latency_ns=800_000_000 + number * 7919 % 400_000_000,
        ttft_ns=200_000_000 + number * 104_729 % 100_000_000,
        input_tokens=480 + number % 60,
        output_tokens=300 + number % 90,
        cost_microusd=1234.5,
        finish_reason="stop",
        scores={"contract": 1.0, "format": 1.0, "length": 400.0 + number % 50, "refusal": 0.0},
        request=note,
        response=note,
    )


def _bodies(rng: np.random.Generator, count: int) -> list[bytes]:
    """JSON of exactly `BODY` bytes, words drawn from five thousand random ones."""
    words = [base64.b32encode(rng.bytes(4))[: rng.integers(2, 7)].decode().lower() for _ in range(5_000)]
    bodies = []
    for _ in range(count):
        text = " ".join(words[at] for at in (5_000 * rng.random(600) ** 2).astype(int))
        head, tail = b'{"model": "draft-reply", "messages": [{"role": "user", "content": "', b'"}]}'
        bodies.append(head + text.encode()[: BODY - len(head) - len(tail)] + tail)
    assert {len(body) for body in bodies} == {BODY}
    return bodies
