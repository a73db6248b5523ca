"""Reads one answer of a table's row: what came back, what it took, and its labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from segue.imports.failures import failure_from
from segue.imports.layout_output import read_reply
from segue.imports.reading_pass import Flaw
from segue.imports.table_mapping import ReleaseColumns, TableMapping, named
from segue.imports.table_rows import cell
from segue.imports.timestamps import read_timestamp
from segue.imports.values import as_text, count_of, label_of, number_of
from segue.model import Failure, Json, Reply, Usage

_TO_MS = {"s": 1000.0, "ms": 1.0}
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)?(\.[0-9]+|(?<=[0-9])\.?)([eE][+-]?[0-9]{1,3})?")
_TO_MICROUSD = {"usd": 1e6, "cent": 1e4, "microusd": 1.0}


@dataclass(frozen=True, slots=True)
class TableArm:
    """The columns of one release; of all releases in a long table, where `release` is `None`."""

    release: str | None
    columns: ReleaseColumns


@dataclass(frozen=True, slots=True)
class SharedFields:
    """What a row says of the answer apart from the answer itself."""

    release: str
    snapshot: str
    params: dict[str, Json]
    repeat: int
    at: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    reply: Reply | None
    failure: Failure | None
    usage: Usage
    latency_ms: float | None
    ttft_ms: float | None
    cost_microusd: float | None


def read_shared(row: dict[str, Json], mapping: TableMapping, release: str, flaws: list[Flaw]) -> SharedFields:
    """Release, snapshot, parameters, repeat and time. `release` holds where no column tells it."""
    if mapping.release is not None:
        value = cell(row, mapping.release)
        release = as_text(value).strip() if value is not None else ""
        release = release.removeprefix(mapping.release_prefix)
        if not release or "\0" in release:
            flaws.append(Flaw(mapping.release, "The row names no release.", "Fill it in, or remove the row."))
    snapshot = cell(row, mapping.snapshot)
    params = {
        name: _plain_number(value)
        for name, column in named(mapping.params).items()
        if (value := cell(row, column)) not in (None, "")
    }
    repeat = count_of(cell(row, mapping.repeat), mapping.repeat or "", flaws, blank=True, most=mapping.most_repeats)
    return SharedFields(
        release=release,
        snapshot=as_text(snapshot) if snapshot not in (None, "") else release,
        params=params,
        repeat=repeat or 0,
        at=read_timestamp(cell(row, mapping.at)),
    )


def is_answered(row: dict[str, Json], arm: TableArm) -> bool:
    """Whether the row holds an answer of this release, or an error in place of one.

    In a long table an empty cell is an empty answer. In a wide one it means that this release was not asked.
    """
    if cell(row, arm.columns.error) not in (None, "", False):
        return True
    output = cell(row, arm.columns.output)
    return output is not None and not (output == "" and arm.release is not None)


def read_answer(row: dict[str, Json], mapping: TableMapping, arm: TableArm, flaws: list[Flaw]) -> Answer | None:
    """The answer; `None` without a flaw where none was recorded."""
    if not is_answered(row, arm):
        return None
    columns = arm.columns
    error = cell(row, columns.error)
    output = cell(row, columns.output)
    failure = failure_from(as_text(error)) if error not in (None, "", False) else None
    found: list[Flaw] = []
    reply = read_reply({"output": output}, found) if isinstance(output, dict) and failure is None else None
    if failure is None and reply is None:
        reply = Reply(text=as_text(output))
    latency = number_of(cell(row, columns.latency), columns.latency or "", flaws, blank=True)
    ttft = number_of(cell(row, columns.ttft), columns.ttft or "", flaws, blank=True)
    cost = number_of(cell(row, columns.cost), columns.cost or "", flaws, blank=True)
    usage = Usage(
        input_tokens=count_of(cell(row, columns.input_tokens), columns.input_tokens or "", flaws, blank=True),
        output_tokens=count_of(cell(row, columns.output_tokens), columns.output_tokens or "", flaws, blank=True),
        reasoning_tokens=count_of(cell(row, columns.reasoning_tokens), columns.reasoning_tokens or "", flaws, blank=True),
    )
    if flaws:
        return None
    to_ms = _TO_MS[mapping.latency_unit]
    return Answer(
        reply=reply,
        failure=failure,
        usage=usage,
        latency_ms=None if latency is None else latency * to_ms,
        ttft_ms=None if ttft is None else ttft * to_ms,
        cost_microusd=None if cost is None else round(cost * _TO_MICROUSD[mapping.cost_unit], 6),
    )


def read_labels(row: dict[str, Json], arm: TableArm) -> Iterator[tuple[str, str]]:
    """`(labeler, label)`; an empty cell is no label. `1.0` of a CSV is `1`, as everywhere."""
    for labeler, column in arm.columns.labels.items():
        value = _plain_number(cell(row, column))
        label = label_of(value)
        if label:
            yield labeler, label


def _plain_number(value: Json) -> Json:
    """The number that a CSV cell spells, where it spells one; anything else (`007` too) as it stands."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        return value
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
