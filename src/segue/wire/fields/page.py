"""The tables of `docs/dialects.md`, from the tables of the codecs. Print them anew with `python -m segue.wire.fields.page`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from segue.wire.fields import FIELDS
from segue.wire.fields.lossy import ANSWERS, REQUESTS, Lossy
from segue.wire.fields.table import Field, Fields
from segue.wire.neutral.refusal import NAMES


def render() -> str:
    """All tables, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from _lossy("What a request loses", "On the way to", REQUESTS)
    yield from _lossy("What an answer loses", "Told in", ANSWERS)
    for fields in FIELDS.values():
        yield from _fields(fields)


def _lossy(title: str, where: str, rows: Iterable[Lossy]) -> Iterator[str]:
    yield from (f"## {title}", "", f"| what | {where.lower()} | becomes |", "|---|---|---|")
    for row in rows:
        yield f"| {row.what} | {row.where} | {row.becomes} |"
    yield ""


def _fields(fields: Fields) -> Iterator[str]:
    yield from (f"## Fields of {NAMES[fields.dialect]}", "", "| place | field | | note |", "|---|---|---|---|")
    for place, known in fields.places.items():
        for name, field in known.items():
            yield f"| {_code(place)} | {_code(name)} | {field.treatment} | {_note(field)} |"
    for place, reason in fields.kinds.items():
        yield f"| {_code(place)} | | refused | {reason} |"
    yield ""


def _note(field: Field) -> str:
    if not field.harmless:
        return field.note
    known = ", ".join(_code(repr(value)) for value in field.harmless)
    return f"{field.note} Taken: {known}."


def _code(text: str) -> str:
    return f"`{text}`"


if __name__ == "__main__":
    sys.stdout.write(render())
