"""Whether an extracted value is the reference's: texts, numbers, dates, lists in order or as sets, objects."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from segue.model import Json
from segue.scoring.settings import Settings

DateOrder = Literal["day_first", "month_first"]


class ValueSettings(Settings):
    """How values of a field are compared."""

    kind: Literal["auto", "text", "number", "date"] = "auto"
    """`auto` compares values of the reference's own type; `number` and `date` also read numbers and dates written as text."""
    lists: Literal["ordered", "set"] = "ordered"
    """Whether the order of a list matters. As a `set`, neither order nor repetition does."""
    ignore_case: bool = True
    """Whether upper and lower case of texts are the same."""
    ignore_whitespace: bool = True
    """Whether runs of blanks count as one, and blanks around a text as none."""
    abs_tolerance: float = Field(default=0.0, ge=0)
    """Allowed distance of numbers."""
    rel_tolerance: float = Field(default=0.0, ge=0)
    """Allowed distance of numbers, as a share of the reference's size. The larger of the two allowances holds."""
    date_order: DateOrder | None = None
    """How a date such as 03/04/2024 is read. Without it, a date that could be either is compared as text."""


class FieldRule(ValueSettings):
    """A field's own way of being compared, and where it stands in the output if not where it stands in the reference."""

    at: str | None = None
    """Dotted path of the field in the answer's JSON."""


Steps = tuple[str, ...]
"""The keys that lead to a field, one after the other."""


def leaves(value: Json, steps: Steps = ()) -> Iterator[tuple[Steps, Json]]:
    """The fields of a reference: every value that is no object, with the way to it. A list is one field, as is `{}`."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*steps, str(key)))
    else:
        yield steps, value


def at_steps(value: Json, steps: Steps) -> Json:
    """The field of `value` that `steps` lead to; `None` where they lead nowhere."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def is_same_value(found: Json, wanted: Json, rules: ValueSettings) -> bool:
    """Whether `found` is what the reference says. A missing value and `null` are the same."""
    if rules.kind == "number" and not isinstance(wanted, list | dict):
        numbers = _number(found), _number(wanted)
        if None not in numbers:
            return _is_close(*numbers, rules)  # type: ignore[arg-type]
    if rules.kind == "date" and isinstance(found, str) and isinstance(wanted, str):
        dates = read_date(found, rules.date_order), read_date(wanted, rules.date_order)
        if None not in dates:
            return dates[0] == dates[1]
    if isinstance(wanted, bool) or isinstance(found, bool):
        return found is wanted
    if isinstance(wanted, int | float):
        return isinstance(found, int | float) and _is_close(found, wanted, rules)
    if isinstance(wanted, str):
        return isinstance(found, str) and _text(found, rules) == _text(wanted, rules)
    if isinstance(wanted, list | tuple):
        return isinstance(found, list) and _is_same_list(found, wanted, rules)
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and found.keys() <= wanted.keys()
            and all(is_same_value(found.get(key), inner, rules) for key, inner in wanted.items())
        )
    return found is None


def read_date(text: str, order: DateOrder | None = None) -> datetime.date | None:
    """A calendar date: `2024-03-05` (a time after it is ignored), `5 March 2024`, `Mar 5, 2024`, `05.03.2024`, `3/5/24`.

    With dots the day comes first. With slashes or dashes `order` decides, unless only one reading is a date.
    """
    text = text.strip()
    if len(text) > MOST_DATE_CHARACTERS:
        return None
    if iso := _ISO.match(text):
        return _date(iso[1], iso[2], iso[3])
    if dotted := _DOTTED.match(text):
        return _date(dotted[3], dotted[2], dotted[1])
    if named := _DAY_MONTH.match(text):
        return _date(named[3], _MONTHS.get(named[2][:3].lower()), named[1])
    if named := _MONTH_DAY.match(text):
        return _date(named[3], _MONTHS.get(named[1][:3].lower()), named[2])
    if slashed := _SLASHED.match(text):
        day_first = _date(slashed[3], slashed[2], slashed[1])
        month_first = _date(slashed[3], slashed[1], slashed[2])
        if order is None:
            return day_first or month_first if None in (day_first, month_first) or day_first == month_first else None
        return day_first if order == "day_first" else month_first
    return None


MOST_DATE_CHARACTERS = 40
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:$|[T ])")
_DOTTED = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})$")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})$")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.?\s+([A-Za-z]{3,9})\.?,?\s+(\d{4})$")
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})$")
_MONTHS = {
    name: number
    for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)
}
_PLAIN_NUMBER = re.compile(r"[-+−]?(?:\d{1,3}(?:[,'’\u00a0\u202f ]\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")


def _date(year: str, month: str | int | None, day: str) -> datetime.date | None:
    if month is None:
        return None
    full_year = int(year) if len(year) == 4 else 2000 + int(year)
    try:
        return datetime.date(full_year, int(month), int(day))
    except ValueError:
        return None


def _number(value: Json) -> float | None:
    """A number, also one written as text with thousands separators, a currency sign or a unit around it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str) or len(value) > MOST_DATE_CHARACTERS:
        return None
    found = _PLAIN_NUMBER.findall(value)
    return float(re.sub(r"[,'’\u00a0\u202f ]", "", found[0]).replace("−", "-")) if len(found) == 1 else None


def _is_close(found: float, wanted: float, rules: ValueSettings) -> bool:
    if found == wanted:
        return True
    allowed = max(rules.abs_tolerance, rules.rel_tolerance * abs(wanted))
    # a rounding error of the subtraction must not decide at the edge of the tolerance
    return allowed > 0 and abs(found - wanted) <= allowed * (1 + 1e-12)


def _text(text: str, rules: ValueSettings) -> str:
    text = unicodedata.normalize("NFC", text)
    if rules.ignore_case:
        text = text.casefold()
    return " ".join(text.split()) if rules.ignore_whitespace else text


def _is_same_list(found: Sequence[Json], wanted: Sequence[Json], rules: ValueSettings) -> bool:
    if rules.lists == "ordered":
        return len(found) == len(wanted) and all(
            is_same_value(one, other, rules) for one, other in zip(found, wanted, strict=True)
        )
    if len(found) > MOST_IN_A_SET or len(wanted) > MOST_IN_A_SET:
        return False
    return all(any(is_same_value(one, other, rules) for other in wanted) for one in found) and all(
        any(is_same_value(one, other, rules) for one in found) for other in wanted
    )


MOST_IN_A_SET = 1000
"""A longer list is not compared as a set: it would take the square of its length."""
