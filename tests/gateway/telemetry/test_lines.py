"""Log lines: JSON, whole, and with nothing in them that has no field."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.telemetry.lines import AT_ONCE, Happened, LineWriter, exchange_line
from tests.gateway.telemetry.builders import CLIENT, NEW, NOW_NS, OLD, an_exchange


def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is written from now on, call by call."""
    calls: list[bytes] = []

    def write(_descriptor: int, data: bytes) -> int:
        calls.append(bytes(data))
        return len(data)

    monkeypatch.setattr(os, "write", write)
    return calls


def test_an_exchange_is_a_line() -> None:
    """With what it cost and took; what is not known is null."""
    one = an_exchange(
        input_tokens=7,
        cost_microusd=1_500.0,
        finish_reason="stop",
        traceparent=CLIENT,
        fallback_from=NEW.digest,
        fallback_reason="status 503",
    )
    line = json.loads(exchange_line(one))
    ended = datetime.fromtimestamp(NOW_NS // 10**9 + 1, UTC).strftime("%Y-%m-%dT%H:%M:%S.500Z")
    assert line == {
        "time": ended,
        "id": "x1",
        "workflow": "mail",
        "route_revision": 3,
        "bundle": OLD.short,
        "answered_by": OLD.short,
        "arm": "incumbent",
        "status": 200,
        "failure": None,
        "fallback": "503",
        "latency_ms": 1500.0,
        "ttft_ms": None,
        "input_tokens": 7,
        "output_tokens": None,
        "cost_usd": 0.0015,
        "finish_reason": "stop",
        "pair": None,
        "trace": CLIENT[3:35],
        "level": "info",
        "event": "exchange",
    }


def test_words_of_a_provider_and_a_unit_are_in_no_line() -> None:
    """A failure or a finish reason that is not in our lists is `other`."""
    one = an_exchange(
        failure="SECRET", finish_reason="SECRET", unit="SECRET", attributes={"SECRET": "SECRET"}, tags=("SECRET",)
    )
    line = json.loads(exchange_line(one))
    assert "SECRET" not in str(line)
    assert (line["failure"], line["finish_reason"]) == ("other", "other")


def test_many_lines_are_written_whole_in_pieces_that_a_pipe_takes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So lines of two processes never mix."""
    calls = written(monkeypatch)
    lines = [exchange_line(an_exchange(id=f"x{number}")) for number in range(100)]
    LineWriter(2, lambda: NOW_NS).write(lines)
    assert b"".join(calls).splitlines() == lines
    assert max(map(len, calls)) <= AT_ONCE
    assert len(calls) < 20
    assert all(one.endswith(b"\n") for one in calls)


@given(st.text(), st.text(max_size=5000), st.dictionaries(st.text(), st.none() | st.text() | st.integers(-(2**60), 2**60)))
def test_what_happened_is_one_short_line_whatever_it_says(event: str, text: str, fields: dict[str, str | int | None]) -> None:
    """A line end within a text does not end the line."""
    line = Happened(event, text, "error", fields).line(NOW_NS)
    assert b"\n" not in line
    assert len(line) < AT_ONCE + len(event) * 12
    assert json.loads(line)["level"] == "error"


def test_half_a_character_is_a_sign_and_no_fault() -> None:
    """As in the name of a file of another system."""
    line = json.loads(Happened("notice", "a\udcff", "info", {"path": "b\udcff"}).line(NOW_NS))
    assert (line["text"], line["path"]) == ("a?", "b?")


def test_where_nobody_reads_lines_are_lost_and_nothing_else() -> None:
    """A closed pipe fails nothing."""
    ours, theirs = os.pipe()
    os.close(ours)
    writer = LineWriter(theirs, lambda: NOW_NS)
    writer.happened(Happened("notice", "Nobody reads this."))
    os.close(theirs)
    writer.happened(Happened("notice", "Nor this."))
