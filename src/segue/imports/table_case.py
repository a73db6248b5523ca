"""Reads the case of a table's row."""

from __future__ import annotations

import hashlib

import orjson
from pydantic import ValidationError

from segue.imports.layout_output import flaws_of, read_messages
from segue.imports.reading_pass import Flaw
from segue.imports.table_mapping import TableMapping, named
from segue.imports.table_rows import cell
from segue.imports.values import as_text, plain_text
from segue.model import Case, Json, Message


def read_case(row: dict[str, Json], mapping: TableMapping, flaws: list[Flaw]) -> Case | None:
    """The case, or `None` with what is wrong added to `flaws`. An empty cell is nothing; a list is taken as messages."""
    variables = {name: as_text(value) for name, value in _cells(row, mapping.variables).items()}
    messages = _messages(row, mapping, flaws)
    if not messages and not variables and not flaws:
        column = mapping.input or ", ".join(named(mapping.variables).values())
        flaws.append(Flaw(column, "The row has no input.", "Fill it in, or remove the row."))
    case_id = _case_id(row, mapping, messages, variables, flaws)
    slices = {}
    for name, value in _cells(row, mapping.slices).items():
        if (text := plain_text(value)) is None:
            flaws.append(Flaw(named(mapping.slices)[name], "A slice has to be a text or a number.", "Name another column."))
        else:
            slices[name] = text
    if flaws:
        return None
    body: dict[str, Json] = {
        "task": plain_text(_filled(row, mapping.task)),
        "kind": _filled(row, mapping.kind),
        "cluster": plain_text(_filled(row, mapping.cluster)),
    }
    try:
        return Case(
            case_id=case_id,
            slice=slices,
            messages=messages,
            variables=variables,
            reference=_filled(row, mapping.reference),
            metadata=_cells(row, mapping.metadata),
            **{name: value for name, value in body.items() if value is not None},
        )
    except ValidationError as error:
        flaws.extend(flaws_of(error))
        return None


def _case_id(
    row: dict[str, Json],
    mapping: TableMapping,
    messages: tuple[Message, ...],
    variables: dict[str, str],
    flaws: list[Flaw],
) -> str:
    """The id columns joined; or, without any, a digest of what the model is shown."""
    columns = mapping.id_columns()
    if not columns:
        shown = [[one.model_dump(mode="json", exclude_defaults=True) for one in messages], variables]
        return "case-" + hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
    parts = []
    for column in columns:
        text = plain_text(_filled(row, column))
        if text is None or "\0" in text:
            flaws.append(Flaw(column, "The row has no id.", "Fill it in, or map no id: then one is made of the input."))
        else:
            parts.append(text)
    return "-".join(parts)


def _messages(row: dict[str, Json], mapping: TableMapping, flaws: list[Flaw]) -> tuple[Message, ...]:
    value = _filled(row, mapping.input)
    system = _filled(row, mapping.system)
    first = () if system is None else (Message(role="system", content=as_text(system)),)
    if value is None:
        return first
    if isinstance(value, list):
        return first + (read_messages(value, mapping.input or "input", flaws) or ())
    return (*first, Message(role="user", content=as_text(value)))


def _cells(row: dict[str, Json], columns: dict[str, str] | tuple[str, ...]) -> dict[str, Json]:
    return {name: value for name, column in named(columns).items() if (value := _filled(row, column)) is not None}


def _filled(row: dict[str, Json], column: str | None) -> Json:
    value = cell(row, column)
    return None if value == "" else value
