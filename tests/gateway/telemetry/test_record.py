"""The client's trace in the exchange log: a field that older files do not have."""

from __future__ import annotations

import msgspec
import pyarrow as pa

from segue.exchanges.columns import EXCHANGES, exchange_columns, read_exchanges
from segue.exchanges.record import Logged, ServedExchange, decode_exchange, encode_exchange
from segue.gateway.telemetry.failing import trail_of
from tests.gateway.telemetry.builders import CLIENT, an_exchange


def test_a_record_of_before_is_read_without_one() -> None:
    """The field is the last of the array; a shorter array has none."""
    one = an_exchange(traceparent=CLIENT)
    fields = msgspec.msgpack.decode(encode_exchange(one))
    assert ServedExchange.__struct_fields__[-1] == "traceparent"
    before = decode_exchange(msgspec.msgpack.encode(fields[:-1]))
    assert before == an_exchange()
    assert decode_exchange(encode_exchange(one)) == one


def test_a_file_of_before_is_read_without_one() -> None:
    """The column is the last; a file without it says nothing of traces."""
    batch = exchange_columns([Logged(an_exchange(traceparent=CLIENT))])
    assert EXCHANGES.names[-1] == "traceparent"
    assert [row.exchange.traceparent for row in read_exchanges(batch)] == [CLIENT]
    older: pa.RecordBatch = batch.select(EXCHANGES.names[:-1])
    assert [row.exchange for row in read_exchanges(older)] == [an_exchange()]


def test_an_error_is_told_by_type_and_place_and_never_by_its_words() -> None:
    """Its message may hold what a user sent."""
    try:
        {}["SECRET"]
    except KeyError as error:
        trail = trail_of(error)
    assert trail.startswith("KeyError at test_record.py:")
    assert "SECRET" not in trail
    assert trail_of(ValueError("SECRET")) == "ValueError"
