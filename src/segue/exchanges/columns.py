"""Records as columns: the schema of the two Parquet tables, and the way there and back. Imports pyarrow; nothing light may
import this. New columns go to the end; a column is never renamed, retyped or reused (`docs/exchange-log.md`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any

import msgspec
import pyarrow as pa

from segue.exchanges.outcome import Outcome, Told
from segue.exchanges.record import BodyNote, Logged, ServedExchange

VERSION = 1
VERSION_KEY = b"segue.exchange_log"
_WORDS = pa.map_(pa.string(), pa.string())
_NUMBERS = pa.map_(pa.string(), pa.float64())

EXCHANGES = pa.schema(
    [
        ("id", pa.string()),
        ("at_ns", pa.int64()),
        ("workflow", pa.string()),
        ("environment", pa.string()),
        ("route_revision", pa.int64()),
        ("arm", pa.string()),
        ("bundle", pa.string()),
        ("answered_by", pa.string()),
        ("unit", pa.string()),
        ("segment", pa.string()),
        ("slices", _WORDS),
        ("attributes", _WORDS),
        ("dialect_in", pa.string()),
        ("dialect_out", pa.string()),
        ("status", pa.int64()),
        ("latency_ns", pa.int64()),
        ("ttft_ns", pa.int64()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("cost_microusd", pa.float64()),
        ("finish_reason", pa.string()),
        ("failure", pa.string()),
        ("fallback_from", pa.string()),
        ("fallback_reason", pa.string()),
        ("pair", pa.string()),
        ("probabilities", _NUMBERS),
        ("scores", _NUMBERS),
        ("tags", pa.list_(pa.string())),
        ("request_kept", pa.string()),
        ("request_length", pa.int64()),
        ("request_digest", pa.string()),
        ("request_body", pa.binary()),
        ("response_kept", pa.string()),
        ("response_length", pa.int64()),
        ("response_digest", pa.string()),
        ("response_body", pa.binary()),
        ("kept_share", pa.float64()),
        ("traceparent", pa.string()),
    ],
    metadata={VERSION_KEY: str(VERSION)},
)

OUTCOMES = pa.schema(
    [
        ("identity", pa.string()),
        ("exchange", pa.string()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("key", pa.string()),
        ("at_ns", pa.int64()),
        ("value", pa.float64()),
        ("label", pa.string()),
        ("workflow", pa.string()),
        ("text_kept", pa.string()),
        ("text_length", pa.int64()),
        ("text_digest", pa.string()),
        ("text_body", pa.binary()),
        ("happened_ns", pa.int64()),
        ("lowest", pa.float64()),
        ("highest", pa.float64()),
        ("author", pa.string()),
        ("scope", pa.list_(pa.string())),
        ("content", pa.string()),
    ],
    metadata={VERSION_KEY: str(VERSION)},
)

BODIES = ("request_body", "response_body", "text_body")
_EMPTY: Mapping[str, Any] = {}
_PLAIN = [name for name in ServedExchange.__struct_fields__ if name in EXCHANGES.names]
_PLAIN_OUTCOME = [name for name in Outcome.__struct_fields__ if name in OUTCOMES.names]


def exchange_columns(rows: Sequence[Logged], *, with_bodies: bool = True) -> pa.RecordBatch:
    """Exchanges as one batch of `EXCHANGES`; without bodies those columns are empty."""
    columns = _fields(ServedExchange, [row.exchange for row in rows])
    for part in ("request", "response"):
        notes: list[BodyNote] = columns.pop(part)
        columns |= _note_columns(part, notes)
        bodies = [getattr(row, part) if note.kept in ("full", "cut") else None for row, note in zip(rows, notes, strict=True)]
        columns[f"{part}_body"] = bodies if with_bodies else [None] * len(rows)
    columns["kept_share"] = [row.kept_share for row in rows]
    return _batch(EXCHANGES, columns)


def outcome_columns(rows: Sequence[Told]) -> pa.RecordBatch:
    """Outcomes as one batch of `OUTCOMES`."""
    columns = _fields(Outcome, [row.outcome for row in rows])
    columns["identity"] = [row.outcome.identity for row in rows]
    columns["content"] = [row.content for row in rows]
    columns |= _note_columns("text", columns.pop("text"))
    columns["text_body"] = [row.text if row.outcome.text.kept in ("full", "cut") else None for row in rows]
    return _batch(OUTCOMES, columns)


def read_exchanges(batch: pa.RecordBatch) -> Iterable[Logged]:
    """What `exchange_columns` made; a column that the file did not have yet is unknown."""
    names = set(batch.schema.names)
    for row in batch.to_pylist(maps_as_pydicts="strict"):
        plain = {name: row[name] for name in _PLAIN if name in names and row[name] is not None}
        if "tags" in plain:
            plain["tags"] = tuple(plain["tags"])
        exchange = ServedExchange(**plain, request=_note(row, "request"), response=_note(row, "response"))
        bodies = (row.get("request_body") or b"", row.get("response_body") or b"")
        yield Logged(exchange, *bodies, kept_share=1.0 if row.get("kept_share") is None else row["kept_share"])


def read_outcomes(batch: pa.RecordBatch) -> Iterable[Told]:
    """What `outcome_columns` made."""
    names = set(batch.schema.names)
    for row in batch.to_pylist():
        plain = {name: row[name] for name in _PLAIN_OUTCOME if name in names and row[name] is not None}
        if "scope" in plain:
            plain["scope"] = tuple(plain["scope"])
        yield Told(Outcome(**plain, text=_note(row, "text")), row.get("text_body") or b"")


def _fields(kind: type[msgspec.Struct], records: Sequence[msgspec.Struct]) -> dict[str, Any]:
    """Field → its values."""
    values = zip(*map(msgspec.structs.astuple, records), strict=True)
    return dict(zip(kind.__struct_fields__, values if records else ((),) * len(kind.__struct_fields__), strict=True))


def _note_columns(part: str, notes: Sequence[BodyNote]) -> dict[str, Any]:
    return {f"{part}_{name}": values for name, values in _fields(BodyNote, notes).items()}


def _note(row: Mapping[str, Any], part: str) -> BodyNote:
    return BodyNote(row.get(f"{part}_kept") or "absent", row.get(f"{part}_length"), row.get(f"{part}_digest"))


def _batch(schema: pa.Schema, columns: Mapping[str, Sequence[Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([_array(columns[field.name], field.type) for field in schema], schema=schema)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_map(kind):
        unknown = values.count(None) == len(values)
        return pa.nulls(len(values), kind) if unknown else pa.array(values, kind)
    # Flattened here: pyarrow takes ten times as long over a list of mappings.
    maps = [mapping or _EMPTY for mapping in values]
    offsets = [0, *accumulate(map(len, maps))]
    keys = pa.array(list(chain.from_iterable(maps)), kind.key_type)
    items = pa.array(list(chain.from_iterable(mapping.values() for mapping in maps)), kind.item_type)
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, items)


def empty_of(schema: pa.Schema) -> pa.Table:
    """No rows, all columns."""
    return schema.empty_table()
