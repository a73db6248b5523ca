"""When an answer was recorded, as ISO 8601: in UTC where the zone is known, without a zone where it is not."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from segue.model import Json

_US_STYLE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}),? (\d{1,2}):(\d{2}):(\d{2})")
_MILLISECONDS_FROM = 1e11
"""Epoch numbers from here on are milliseconds (in seconds it would be the year 5138)."""


def read_timestamp(value: Json) -> str | None:
    """ISO 8601, seconds or milliseconds of the epoch, or `month/day/year, h:m:s`. `None` for what cannot be read."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _from_epoch(float(value))
    if not isinstance(value, str):
        return None
    return _from_text(value.strip())


def _from_epoch(number: float) -> str | None:
    try:
        return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, tz=UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _from_text(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        found = _US_STYLE.fullmatch(text)
        if not found:
            return None
        month, day, year, hour, minute, second = (int(part) for part in found.groups())
        try:
            moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  the source states no zone
        except ValueError:
            return None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat()
