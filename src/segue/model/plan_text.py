"""How a plan's quantities are written: `5 %`, `2d`, `2 points`. Text in, numbers out, and back; nothing of what they are for.

A number without a unit is what the type holds: a share from 0 to 1, days, a margin as a share.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from segue.model.base import Json

DAYS = {"s": 1 / 86_400, "m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)(?:ec|econds?|in|inutes?|ours?|ays?|eeks?)?", re.ASCII)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)
_LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*(%|pp|pts?|points?)", re.ASCII)


def read_share(value: Json) -> Json:
    """`5%` as 0.05; a number stays what it is. `ValueError` for other texts, and for 5 where 5 % is likely meant."""
    if isinstance(value, str):
        found = _SHARE.fullmatch(value.strip())
        if found is None:
            raise ValueError("a share is written as 5% or 0.05")
        return float(found[1]) / 100
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        raise ValueError(f"a share lies between 0 and 1; for {value:g} per cent write {value:g}%")
    return value


def read_days(value: Json) -> Json:
    """`2d`, `36h`, `30m`, `90s`, `1w` as days. `ValueError` for other texts."""
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        raise ValueError("a length of time is written as 90s, 30m, 36h, 2d or 1w")
    return float(found[1]) * DAYS[found[2]]


def read_limit(value: Json) -> tuple[float, bool]:
    """`2 points` as (0.02, False), `20 %` as (0.2, True): relative to the incumbent's own rate. `ValueError` for else."""
    if isinstance(value, str):
        found = _LIMIT.fullmatch(value.strip().removeprefix("+").removeprefix("-"))
        if found is not None:
            return float(found[1]) / 100, found[2] == "%"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value >= 1:
            raise ValueError(f"a limit is a share; for {value:g} points write '{value:g} points'")
        return float(value), False
    raise ValueError("a limit is written as '2 points', or as '20%' of the incumbent's own rate")


def days_text(days: float) -> str:
    """Days as people say them: `2 days`, `36 hours`."""
    if days <= 0:
        return "no time"
    if days < 1 / 1440:
        return _counted(days * 86_400, "second")
    if days < 1 / 24:
        return _counted(days * 1440, "minute")
    return _counted(days * 24, "hour") if days < 2 and days != 1 else _counted(days, "day")


def share_text(share: float) -> str:
    """`5 %`."""
    return f"{share * 100:.3g} %"


def _counted(n: float, noun: str) -> str:
    shown = f"{n:,.1f}".removesuffix(".0")
    return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"


Part = Annotated[float, BeforeValidator(read_share), Field(ge=0, le=1)]
"""A share, `5%` or 0.05."""
Days = Annotated[float, BeforeValidator(read_days), Field(ge=0, le=3650)]
"""A length of time in days, `2d` or 2."""
