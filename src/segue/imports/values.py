"""Reading one value of a record: text, number, count. What does not fit is added to the flaws, and the value is unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson

from segue.imports.reading_pass import Flaw
from segue.model import Json

MAX_REPEAT = 1_000_000
MAX_NUMBER = 1e15
"""Seconds, dollars and tokens stay far below; beyond it, a field holds something else."""

_BLANK = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})


def text_of(row: Mapping[str, Json], key: str, flaws: list[Flaw]) -> str:
    """A text that is not empty. An integer is taken as its digits, for ids are often numbers."""
    value = row.get(key)
    if isinstance(value, str) and value:
        if "\0" in value:
            flaws.append(Flaw(key, "It holds a NUL character.", "Remove it."))
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None:
        flaws.append(Flaw(key, "It is missing.", f"Give the record a '{key}'."))
    else:
        flaws.append(Flaw(key, f"It has to be a text that is not empty, not {kind_of(value)}.", "Write a string."))
    return ""


def number_of(value: Json, path: str, flaws: list[Flaw], *, blank: bool = False) -> float | None:
    """A finite number from 0 up, or `None` where there is none. With `blank`, text is read too; `n/a` and its kin are none."""
    if value is None:
        return None
    if type(value) is float and 0 <= value <= MAX_NUMBER:
        return value
    if isinstance(value, str) and blank:
        if value.strip().lower() in _BLANK:
            return None
        try:
            value = float(value)
        except ValueError:
            flaws.append(Flaw(path, "It is not a number.", "Write a plain number with a decimal point, or leave it empty."))
            return None
        if math.isnan(value):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        flaws.append(Flaw(path, f"It has to be a number, not {kind_of(value)}.", "Write a number, or leave it out."))
        return None
    if not math.isfinite(value) or not 0 <= value <= MAX_NUMBER:
        flaws.append(Flaw(path, "It has to be a finite number from 0 up.", "Leave it out where it is unknown."))
        return None
    return float(value)


def count_of(value: Json, path: str, flaws: list[Flaw], *, blank: bool = False, most: int = 10**12) -> int | None:
    """A whole number from 0 up to `most`, or `None` where there is none."""
    if value is None:
        return None
    if type(value) is int and 0 <= value <= most:
        return value
    number = number_of(value, path, flaws, blank=blank)
    if number is None:
        return None
    if number != int(number) or number > most:
        flaws.append(Flaw(path, f"It has to be a whole number up to {most}.", "Write a whole number."))
        return None
    return int(number)


def label_of(value: Json) -> str | None:
    """A label as text: classes as they stand, numbers in their shortest form, `None` where there is none."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value
    return json_text(value)


def json_text(value: Json) -> str:
    """Compact JSON, keys in their own order."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def as_text(value: Json) -> str:
    """Text as it stands; anything else as compact JSON."""
    return value if isinstance(value, str) else json_text(value)


def plain_text(value: Json) -> str | None:
    """A scalar as a slice value or variable: text, a number or a truth value; `None` for anything else, and for nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return None


def micro_usd(usd: float | None) -> float | None:
    """Dollars to millionths of a dollar, without the dust of the multiplication."""
    return None if usd is None else round(usd * 1e6, 6)


def kind_of(value: Json) -> str:
    """What a JSON value is, in words, for messages that must not show it."""
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, str):
        return "an empty text" if not value else "a text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else "an object"
