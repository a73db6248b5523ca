"""Shadow pairs to look at: made up, with what moved said by the test; in memory, or as records of a log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from segue.drift.drift_report import DriftReport, Move
from segue.drift.gathering import gather
from segue.drift.live_pair import LivePair, Side
from segue.drift.moves import About, judge_drift
from segue.exchanges import ServedExchange, Spool
from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import BodyNote
from segue.model import Reply
from tests.exchanges.builders import NOON, a_log, a_spool

OLD, NEW = "a" * 64, "b" * 64
TASKS = ("refund", "delivery", "product", "billing")
WORDS = (
    "Thank you for your mail. Perhaps your parcel is late, and we are sorry. It will come on Monday.",
    "Your order was sent on Friday! You should have it soon. Please write again if not.",
    "The refund is on its way to you. It may take three days, sometimes longer than that for a bank or for a post office.",
)
Change = Callable[[str, str, np.random.Generator], str]
"""From task and text to the candidate's text."""


def same(_task: str, text: str, _rng: np.random.Generator) -> str:
    """Nothing moved."""
    return text


def fence_on_product(task: str, text: str, rng: np.random.Generator) -> str:
    """Two thirds of the answers about products are in a fence."""
    return f"```\n{text}\n```" if task == "product" and rng.random() < 0.67 else text


def a_side(text: str | None, rng: np.random.Generator, **given: Any) -> Side:
    """An answer with amounts of its own."""
    values: dict[str, Any] = {
        "reply": None if text is None else Reply(text=text, finish_reason="stop"),
        "failed": False,
        "latency_ms": float(rng.lognormal(6, 0.4)),
        "cost_microusd": float(rng.lognormal(3, 0.2)),
        "output_tokens": float(20 if text is None else len(text) // 4),
    }
    return Side(**{**values, **given})


def pairs(n: int, change: Change = same, *, seed: int = 0, units: int | None = None, **given: Any) -> Iterator[LivePair]:
    """So many pairs; both arms say one of three things at random, and the candidate what `change` makes of its own."""
    rng = np.random.default_rng(seed)
    for number in range(n):
        task = TASKS[int(rng.integers(4))]
        old, new = (WORDS[int(rng.integers(3))] for _ in range(2))
        unit = None if units is None else f"u{int(rng.integers(units))}"
        sides = a_side(old, rng), a_side(change(task, new, rng), rng, **given)
        yield LivePair(f"p{number}", *sides, slices={"task": task}, unit=unit)


def report_of(found: Iterator[LivePair] | list[LivePair], slow_ms: float | None = 900.0, **given: Any) -> DriftReport:
    """What moved in them."""
    return judge_drift(gather(found, slow_ms), About("mail", "staging", OLD, NEW, **given))


def named(report: DriftReport) -> set[tuple[str, str]]:
    """What moved, and where."""
    return {(one.question, one.where) for one in report.moves}


def move(report: DriftReport, question: str, where: str = "") -> Move:
    """The one that is meant."""
    return next(one for one in report.moves if (one.question, one.where) == (question, where))


def standing(report: DriftReport, dimension: str) -> str:
    """How a dimension stands."""
    return next(one.standing for one in report.dimensions if one.name == dimension)


def chat(text: str) -> bytes:
    """An answer of Chat Completions."""
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": text}}]}
    return json.dumps(body).encode()


def keep_pair(spool: Spool, number: int, old: str, new: str, *, keep: str = "full", **given: Any) -> None:
    """A pair in the log, as a gateway in staging keeps it."""
    request, bodies = b'{"model":"mail","messages":[]}', (chat(old), chat(new))
    for arm, bundle, body, own in (
        ("incumbent", OLD, bodies[0], f"x{number:06d}"),
        ("shadow", NEW, bodies[1], f"y{number:06d}"),
    ):
        values: dict[str, Any] = {
            "id": own,
            "at_ns": NOON + number,
            "workflow": "mail",
            "environment": "staging",
            "arm": arm,
            "bundle": bundle,
            "answered_by": bundle,
            "pair": f"x{number:06d}",
            "status": 200,
            "dialect_in": "openai_chat",
            "dialect_out": "openai",
            "latency_ns": 400_000_000 + 1_000_000 * (number % 50),
            "request": BodyNote(keep, len(request)),
            "response": BodyNote(keep, len(body)),
        }
        kept = (request, body) if keep == "full" else (b"", b"")
        assert spool.append(ServedExchange(**{**values, **given}), *kept) is not None
    spool.tend()


def a_kept_log(folder: Path, n: int, change: Change = same, **given: Any) -> ExchangeLog:
    """A log of so many pairs, not shipped yet."""
    rng = np.random.default_rng(1)
    spool = a_spool(folder, segment_bytes=1 << 20)
    for number in range(n):
        task = TASKS[int(rng.integers(4))]
        old, new = (WORDS[int(rng.integers(3))] for _ in range(2))
        keep_pair(spool, number, old, change(task, new, rng), attributes={"task": task}, **given)
    spool.close()
    return a_log(folder)
