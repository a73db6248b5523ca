"""From columns of the exchange log to rows of evidence: who was served by which arm, in which cells, with which values.

Arrays, for a rehearsal has a million of them. A value is *badness* between 0 and 1, NaN where it is unknown: unknown is never
zero. Which rows count, and when, is `live_blocks`' and `live_counting`'s; nothing here knows of time or verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from segue.simulation.setting import Setting, Stream

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

COLUMNS = (
    "id", "at_ns", "environment", "arm", "bundle", "unit", "segment", "slices", "attributes", "status", "latency_ns",
    "ttft_ns", "cost_microusd", "failure", "fallback_from", "pair", "probabilities", "scores", "tags",
)  # fmt: skip
INCUMBENT, CANDIDATE, SHADOW, DRAWN_OLD, DRAWN_NEW = range(5)
"""The last two: drawn for an arm, and continued on the other's bundle. They say how units were assigned, and nothing else."""
_ARMS = {"incumbent": INCUMBENT, "candidate": CANDIDATE, "shadow": SHADOW}
EVERYONE = "everyone"
"""The segment of requests that no segment's rule met."""
LEVELS: Mapping[str, str] = {"slow": "latency_ns", "slow_start": "ttft_ns", "cost": "cost_microusd"}
"""Served metrics that compare with a level frozen from the incumbent's own traffic, and the column each is of."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What is read of the rows of an upgrade. `sources` and `levels` are by metric."""

    setting: Setting
    environment: str
    incumbent: str
    candidate: str
    sources: Mapping[str, str]
    levels: Mapping[str, float]

    @classmethod
    def of(cls, setting: Setting, environment: str, incumbent: str, candidate: str, levels: Mapping[str, float]) -> Self:
        """The sources are those of the plan's gates."""
        sources = {gate.metric: gate.source for gate in setting.plan.gates}
        return cls(setting, environment, incumbent, candidate, sources, levels)


@dataclass(frozen=True, slots=True)
class Rows:
    """Exchanges, one per place of each array. `arm` is one of the codes above; `cells[0]` is true of all.

    `values` and `asked` have a column per stream: badness (NaN: unknown), and the probability of having been asked for a label
    (NaN: was not asked). `costs` and times are as they were served, NaN where unknown.
    """

    at: Floats
    ids: NDArray[Any]
    units: NDArray[Any]
    pairs: NDArray[Any]
    arm: NDArray[np.int8]
    segment: NDArray[Any]
    cells: Truths
    values: Floats
    asked: Floats
    latency_ns: Floats
    ttft_ns: Floats
    cost_microusd: Floats
    answered: Truths

    def __len__(self) -> int:
        return len(self.at)

    def take(self, chosen: NDArray[Any] | slice) -> Rows:
        """Some of them: by mask, by places, or a stretch."""
        if isinstance(chosen, np.ndarray) and chosen.dtype == bool and chosen.all():
            return self
        return Rows(*(getattr(self, name)[chosen] for name in _NAMES))

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES))

    def in_order(self) -> Rows:
        """By time, and by id where two are of the same moment: however files were merged, sums come out the same."""
        order = np.argsort(self.at, kind="stable")
        at = self.at[order]
        if len(at) > 1 and (at[1:] == at[:-1]).any():
            order = np.array(sorted(range(len(at)), key=lambda place: (self.at[place], self.ids[place])), np.intp)
        return self.take(order)


_NAMES = tuple(one.name for one in fields(Rows))


def read_rows(table: pa.Table, reader: Reader) -> Rows:
    """The rows that may be evidence of this upgrade: of its environment and bundles, and without a tag."""
    chosen = table.filter(_wanted(table, reader)).combine_chunks()
    n, setting = chosen.num_rows, reader.setting
    at_ns = _ints(chosen, "at_ns")
    slices = _Words(chosen, "slices", "attributes")
    cells = np.ones((n, len(setting.slices)), bool)
    for place, name in enumerate(setting.slices[1:], 1):
        key, _, value = name.partition("=")
        cells[:, place] = slices.has(key, value)
    scores, drawn = _Numbers(chosen, "scores"), _Numbers(chosen, "probabilities")
    known = _Served(chosen, scores, reader.levels)
    values, asked = np.full((n, len(setting.streams)), np.nan), np.ones((n, len(setting.streams)))
    for place, stream in enumerate(setting.streams):
        values[:, place] = _badness(stream, reader.sources[stream.metric], scores, known)
        if stream.sampled < 1:
            asked[:, place] = drawn.of(stream.metric)
    # What another bundle answered says nothing of this one, but that it was not answered: unknown is never good.
    of_itself = np.array([stream.metric not in ("error", "fallback") for stream in setting.streams], bool)
    values[np.outer(_is_there(chosen, "fallback_from"), of_itself)] = np.nan
    ids = _objects(chosen, "id")
    units = _objects(chosen, "unit")
    unknown = np.array([one is None for one in units], bool)
    units[unknown] = ids[unknown]
    segment = _objects(chosen, "segment")
    segment[np.array([one is None for one in segment], bool)] = EVERYONE
    return Rows(
        at=at_ns / 1e9,
        ids=ids,
        units=units,
        pairs=_objects(chosen, "pair"),
        arm=_arms(chosen, reader),
        segment=segment,
        cells=cells,
        values=values,
        asked=asked,
        latency_ns=_floats(chosen, "latency_ns"),
        ttft_ns=_floats(chosen, "ttft_ns"),
        cost_microusd=_floats(chosen, "cost_microusd"),
        answered=~known.failed & (known.status < 300),
    )


def _wanted(table: pa.Table, reader: Reader) -> pa.Array:
    """Served by one of the two, shadowed by the candidate, or continued on either; pinned traffic and tags are no evidence."""
    import pyarrow as pa
    import pyarrow.compute as pc

    arm, bundle = table["arm"], table["bundle"]

    def both(arms: Sequence[str], bundles: Sequence[str]) -> pa.Array:
        return pc.and_(pc.is_in(arm, pa.array(arms)), pc.is_in(bundle, pa.array(bundles)))

    old, new = reader.incumbent, reader.candidate
    served = pc.or_(both(["incumbent"], [old]), both(["candidate", "shadow"], [new]))
    wanted = pc.and_(pc.or_(served, both(["continued"], [old, new])), pc.equal(table["environment"], reader.environment))
    if "tags" in table.schema.names:
        untagged = pc.equal(pc.fill_null(pc.list_value_length(table["tags"]), 0), 0)
        wanted = pc.and_(wanted, untagged)
    return wanted


def _arms(table: pa.Table, reader: Reader) -> NDArray[np.int8]:
    """A conversation continued on one bundle was drawn for the other."""
    is_new = [one == reader.candidate for one in table["bundle"].to_pylist()]
    arms = zip(table["arm"].to_pylist(), is_new, strict=True)
    return np.array([_ARMS.get(arm, DRAWN_OLD if new else DRAWN_NEW) for arm, new in arms], np.int8)


def _badness(stream: Stream, source: str, scores: _Numbers, known: _Served) -> Floats:
    if source == "served":
        return known.badness(stream.metric)
    if source == "outcome":
        return np.full(scores.n, np.nan)
    value = scores.of(stream.metric)
    value = np.where((value >= 0) & (value <= 1), value, np.nan)
    return 1 - value if stream.better == "higher" else value


class _Served:
    """What a record says by itself, as badness."""

    def __init__(self, table: pa.Table, scores: _Numbers, levels: Mapping[str, float]) -> None:
        self.table, self.scores, self.levels = table, scores, levels
        self.status = _floats(table, "status")
        has_failed = _is_there(table, "failure")
        self.failed = has_failed | (np.nan_to_num(self.status, nan=0.0) >= 400)
        self.is_ended = has_failed | ~np.isnan(self.status)

    def badness(self, metric: str) -> Floats:
        """NaN where it is not known: an answer that has not ended, a level that was never frozen."""
        if metric == "error":
            return np.where(self.is_ended, self.failed.astype(float), np.nan)
        if metric == "fallback":
            return _is_there(self.table, "fallback_from").astype(float)
        if metric == "refusal":
            return self.scores.of("refusal")
        if metric == "contract_broken":
            return 1 - self.scores.of("contract")
        column, level = LEVELS.get(metric), self.levels.get(metric)
        if column is None or level is None or level <= 0:
            return np.full(self.table.num_rows, np.nan)
        value = _floats(self.table, column)
        if metric == "cost":
            return np.asarray(np.clip(value, 0.0, level) / level)
        return np.where(np.isnan(value), np.nan, (value > level).astype(float))


class _Map:
    """A column of maps, flat: keys and values, and the row that each is of."""

    def __init__(self, table: pa.Table, name: str) -> None:
        self.n = table.num_rows
        self.keys: Any = None
        if name not in table.schema.names or not self.n:
            return
        column = table[name].combine_chunks()
        # A table without rows of its own has a chunked array of none; one with rows has one chunk after combining.
        array = column.chunk(0) if hasattr(column, "chunk") else column
        offsets = np.asarray(array.offsets)
        self.keys = array.keys.dictionary_encode() if hasattr(array.keys, "dictionary_encode") else array.keys
        self.items = array.items
        self.first = int(offsets[0])
        self.row = np.repeat(np.arange(self.n), np.diff(offsets))

    def places(self, key: str) -> NDArray[np.intp]:
        """Where this key stands."""
        if self.keys is None or len(self.row) == 0:
            return np.zeros(0, np.intp)
        known = self.keys.dictionary.to_pylist()
        if key not in known:
            return np.zeros(0, np.intp)
        codes = np.asarray(self.keys.indices)[self.first : self.first + len(self.row)]
        return np.flatnonzero(codes == known.index(key))


class _Numbers(_Map):
    """Scores, or probabilities."""

    def of(self, key: str) -> Floats:
        """By row; NaN where it is not known."""
        found = np.full(self.n, np.nan)
        places = self.places(key)
        if len(places):
            values = self.items.slice(self.first, len(self.row)).to_numpy(zero_copy_only=False)
            found[self.row[places]] = np.asarray(values, float)[places]
        return found


class _Words:
    """Slices; where a record has not the name among them, among its attributes, which slices are told apart by."""

    def __init__(self, table: pa.Table, *names: str) -> None:
        self.maps = [_Map(table, name) for name in names]
        self.n = table.num_rows

    def has(self, key: str, value: str) -> Truths:
        """By row, whether it has this value."""
        found, decided = np.zeros(self.n, bool), np.zeros(self.n, bool)
        for one in self.maps:
            places = one.places(key)
            if not len(places):
                continue
            rows = one.row[places]
            items = one.items.slice(one.first, len(one.row))
            same = np.asarray(_equal(items, value), bool)[places]
            fresh = ~decided[rows]
            found[rows[fresh]] = same[fresh]
            decided[rows] = True
        return found


def _equal(items: Any, value: str) -> Any:
    import pyarrow.compute as pc

    return pc.fill_null(pc.equal(items, value), False).to_numpy(zero_copy_only=False)


def _is_there(table: pa.Table, name: str) -> Truths:
    import pyarrow.compute as pc

    if name not in table.schema.names:
        return np.zeros(table.num_rows, bool)
    return np.asarray(pc.is_valid(table[name]).to_numpy(), bool)


def _floats(table: pa.Table, name: str) -> Floats:
    import pyarrow as pa

    if name not in table.schema.names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), float)


def _ints(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(table[name].to_numpy(), np.int64)


def _objects(table: pa.Table, name: str) -> NDArray[Any]:
    if name not in table.schema.names:
        return np.full(table.num_rows, None, object)
    return np.array(table[name].to_pylist(), object)
