"""The client's trace: what is read of it, and what the provider is told."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from segue.gateway.telemetry.traceparent import parent_of, passed_on, read_traceparent, span_id_of, trace_id_of
from tests.gateway.telemetry.builders import CLIENT

HEX = "0123456789abcdef"
headers = st.builds(
    lambda version, trace, span, flags: f"{version}-{trace}-{span}-{flags}",
    st.text(HEX, min_size=2, max_size=2),
    st.text(HEX, min_size=32, max_size=32),
    st.text(HEX, min_size=16, max_size=16),
    st.text(HEX, min_size=2, max_size=2),
)


@given(headers)
@example("ff-" + CLIENT[3:])
@example(f"00-{'0' * 32}-{'1' * 16}-01")
@example(f"00-{'1' * 32}-{'0' * 16}-01")
def test_a_header_is_read_as_the_official_sdk_reads_it(header: str) -> None:
    """The same trace, span and flag, or nothing."""
    official = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": header})).get_span_context()
    kept = read_traceparent(header.encode())
    assert (kept is not None) == official.is_valid
    if kept is not None:
        parent = parent_of(kept)
        sampled = official.trace_flags.sampled
        assert (parent.trace_id, parent.span_id, parent.is_sampled) == (official.trace_id, official.span_id, sampled)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00",
        CLIENT.upper().encode(),
        f"{CLIENT}-more".encode(),
        f" {CLIENT}".encode(),
        CLIENT.encode() + b"\n",
        b"\xff" * 55,
    ],
    ids=["empty", "short", "upper case", "more in version 0", "a space", "a line end", "bytes"],
)
def test_what_is_no_trace_is_none(header: bytes) -> None:
    """The request is served all the same, without one."""
    assert read_traceparent(header) is None


def test_a_later_version_may_say_more() -> None:
    """Of it we keep what we know, as version 00, and unknown flags are dropped."""
    assert read_traceparent(b"01" + CLIENT[2:-2].encode() + b"ff-more") == f"{CLIENT[:-2]}03"


@given(headers, st.text(min_size=1, max_size=40))
def test_the_provider_is_told_the_same_trace_with_our_span_as_its_parent(header: str, exchange: str) -> None:
    """And the flag as the client set it; the identifiers of a span follow from the exchange alone."""
    kept = read_traceparent(header.encode())
    if kept is None:
        return
    told = read_traceparent(passed_on(kept, exchange))
    assert told is not None
    before, after = parent_of(kept), parent_of(told)
    assert (after.trace_id, after.flags, after.span_id) == (before.trace_id, before.flags, span_id_of(exchange))
    assert 0 < span_id_of(exchange) < 2**64
    assert 0 < trace_id_of(exchange) < 2**128
