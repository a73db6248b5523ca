"""Reading numbers out of text: thousands separators, decimal marks, signs, powers of ten, `\\boxed{}`, fractions, units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, DecimalException

MOST_DIGITS = 400
"""A longer number is not read as one."""

_GROUPS = "\u00a0\u2009\u202f'’_"
_POWER = re.compile(r"\s*(?:\\times|\\cdot|[×·*x])\s*10(?:\^\{?|\*\*)(?P<power>[-+−]?\d{1,4})\}?")
_PERCENT = re.compile(r"\s?(?:\\?%|per ?cent\b)")
_BOX = re.compile(r"\\f?box(?:ed)?\s*\{")
_FRACTION = re.compile(
    r"(?P<sign>[-−]?)\\[dt]?frac\s*\{\s*(?P<over>[-−]?\d{1,15})\s*\}\s*\{\s*(?P<under>[-−]?\d{1,15})\s*\}"
    r"|(?<![\w/.])(?P<plain_over>[-−]?\d{1,15})\s?/\s?(?P<plain_under>\d{1,15})(?![\w/.])"
)


class NumberReader:
    """Reads numbers with one decimal mark, one sense of per cent and one set of units."""

    def __init__(self, *, decimal: str = ".", percent: str = "ignored", units: Mapping[str, float] | None = None) -> None:
        group = re.escape(_GROUPS + ("," if decimal == "." else "."))
        mark = re.escape(decimal)
        self._decimal = decimal
        self._percent_is_share = percent == "share"
        self._units = {unit: Decimal(str(factor)) for unit, factor in (units or {}).items()}
        self._groups = re.compile(f"[{group}]")
        self._number = re.compile(
            rf"(?<![\w{mark}])(?P<sign>[-+−]?)[$€£¥]?"
            rf"(?P<digits>\d{{1,3}}(?:[{group}]\d{{3}})+(?!\d)(?:{mark}\d+)?|\d+(?:{mark}\d+)?|{mark}\d+)"
            r"(?P<power>[eE][-+]?\d{1,4}(?!\w))?"
        )
        names = "|".join(re.escape(unit) for unit in sorted(self._units, key=len, reverse=True))
        self._unit = re.compile(rf"\s?(?P<unit>{names})(?![^\W\d_])") if names else None

    def read(self, text: str, where: str) -> Decimal | None:
        """The number at `where` (`boxed_or_last`, `boxed`, `last`, `first`, `whole`), or `None` where there is none."""
        if where in ("boxed", "boxed_or_last"):
            inside = last_boxed(text)
            if inside is not None:
                fraction = _FRACTION.search(inside)
                return _divide(fraction) if fraction else self._last(inside)
            if where == "boxed":
                return None
        if where == "first":
            found = self._number.search(text)
            return None if found is None else self._value(found, text)[0]
        if where == "whole":
            stripped = text.strip()
            whole = self._number.match(stripped)
            value, end = (None, 0) if whole is None else self._value(whole, stripped)
            return value if end == len(stripped) else None
        return self._last(text)

    def _last(self, text: str) -> Decimal | None:
        """The last number; a power of ten is part of the number before it."""
        last, end = None, 0
        while (found := self._number.search(text, end)) is not None:
            power = _POWER.match(text, found.end())
            last, end = found, power.end() if power else found.end()
        return None if last is None else self._value(last, text)[0]

    def _value(self, found: re.Match[str], text: str) -> tuple[Decimal | None, int]:
        """The number's value, and where it ends with its power of ten and its unit or per cent sign."""
        end = found.end()
        power = _POWER.match(text, end)
        if power:
            end = power.end()
        exponent = power["power"].replace("−", "-") if power else None
        tail = found["power"] or (f"e{exponent}" if exponent else "")
        if len(found["digits"]) > MOST_DIGITS:
            return None, end
        digits = self._groups.sub("", found["digits"]).replace(self._decimal, ".")
        sign = "-" if found["sign"] in ("-", "−") else ""
        try:
            value = Decimal(f"{sign}{digits}{tail}")
            if self._unit and (unit := self._unit.match(text, end)):
                return value * self._units[unit["unit"]], unit.end()
            if share := _PERCENT.match(text, end):
                return (value / 100 if self._percent_is_share else value), share.end()
        except DecimalException:
            return None, end
        return value, end


def last_boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{}` with balanced braces; `None` where there is none."""
    start = None
    for box in _BOX.finditer(text):
        start = box.end()
    if start is None:
        return None
    depth = 1
    for position in range(start, len(text)):
        if text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return text[start:position]
    return None


def _divide(fraction: re.Match[str]) -> Decimal | None:
    """The value of `\\frac{1}{2}` or `1/2`; `None` for a division by nothing."""
    over = (fraction["over"] or fraction["plain_over"]).replace("−", "-")
    under = (fraction["under"] or fraction["plain_under"]).replace("−", "-")
    if int(under) == 0:
        return None
    value = Decimal(over) / Decimal(under)
    return -value if fraction["sign"] else value
