"""Log lines: one JSON object each. What happened to the gateway, and, where it is asked for, one line for each exchange.

The types here are all that a line can say: there is no field for a body, a key, a header or a unit. Processes share one
stream; what is written at once is no longer than a pipe takes whole, so that their lines never mix.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, get_args

import msgspec

from segue.exchanges.record import ServedExchange
from segue.gateway.telemetry.metrics import failure_word
from segue.model.digest import short_id
from segue.model.exchange import FinishReason

Level = Literal["info", "warning", "error"]
Field = str | int | float | bool | None
AT_ONCE = 4096
"""POSIX: a pipe takes at least 512 bytes whole, Linux 4,096 (PIPE_BUF)."""
_LONGEST_TEXT = 1000
_FINISHED = frozenset(get_args(FinishReason))
_encode = msgspec.json.Encoder().encode


class Happened(msgspec.Struct, frozen=True):
    """Something that happened to the gateway. `text` says it to a person; `event` and `fields` to a program."""

    event: str
    text: str
    level: Level = "warning"
    fields: dict[str, Field] = {}

    def line(self, wall_ns: int) -> bytes:
        """As JSON."""
        head = {"time": time_text(wall_ns), "level": self.level, "event": _plain(self.event), "text": _plain(self.text)}
        fields = {_plain(name): _plain(value) if isinstance(value, str) else value for name, value in self.fields.items()}
        line = _encode({**fields, **head})
        return line if len(line) < AT_ONCE else _encode({**head, "text": head["text"][:200]})


class ExchangeLine(msgspec.Struct, frozen=True, gc=False):
    """One exchange, as the access log has it. What is not known is null."""

    time: str
    id: str
    workflow: str
    route_revision: int | None
    bundle: str
    answered_by: str | None
    arm: str
    status: int | None
    failure: str | None
    fallback: str | None
    latency_ms: float | None
    ttft_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    finish_reason: str | None
    pair: str | None
    trace: str | None
    level: Level = "info"
    event: str = "exchange"


def exchange_line(one: ServedExchange) -> bytes:
    """The line of an exchange; its time is that of its end."""
    failure, reason, trace = one.failure, one.finish_reason, one.traceparent
    return _encode(
        ExchangeLine(
            time=time_text(one.at_ns + (one.latency_ns or 0)),
            id=one.id,
            workflow=one.workflow,
            route_revision=one.route_revision,
            bundle=short_id(one.bundle),
            answered_by=None if one.answered_by is None else short_id(one.answered_by),
            arm=one.arm,
            status=one.status,
            failure=None if failure is None else failure_word(failure),
            fallback=None if one.fallback_from is None else failure_word(one.fallback_reason) or "other",
            latency_ms=_ms(one.latency_ns),
            ttft_ms=_ms(one.ttft_ns),
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            cost_usd=None if one.cost_microusd is None else one.cost_microusd / 1e6,
            finish_reason=reason if reason is None or reason in _FINISHED else "other",
            pair=one.pair,
            trace=None if trace is None else trace[3:35],
        )
    )


class LineWriter:
    """Writes lines to a file descriptor, whole ones at a time. Where nobody reads any more they are lost."""

    def __init__(self, descriptor: int, wall_ns: Callable[[], int]) -> None:
        self._descriptor, self._wall_ns = descriptor, wall_ns

    def happened(self, what: Happened) -> None:
        """One line."""
        self.write([what.line(self._wall_ns())])

    def write(self, lines: Iterable[bytes]) -> None:
        """All of them, as many in one go as a pipe takes whole."""
        waiting: list[bytes] = []
        size = 0
        for line in lines:
            if size + len(line) + 1 > AT_ONCE and waiting:
                self._out(waiting)
                waiting, size = [], 0
            waiting.append(line)
            size += len(line) + 1
        if waiting:
            self._out(waiting)

    def _out(self, lines: list[bytes]) -> None:
        left = memoryview(b"\n".join(lines) + b"\n")
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            return


def _plain(text: str) -> str:
    """Not too long, and with a sign for what is no character: names of files may hold halves of some."""
    return text[:_LONGEST_TEXT].encode("utf-8", "replace").decode()


def time_text(wall_ns: int) -> str:
    """UTC, to the millisecond."""
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1_000_000:03d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _ms(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1e6, 3)
