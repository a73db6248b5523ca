"""Reads a stored report back: what `Report.as_json` wrote."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from segue.errors import StoreError
from segue.gates.report import SCHEMA, Report
from segue.model import Json


@cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def report_from_json(body: Json) -> Report:
    """The report of a stored verdict. `StoreError` if it was written in another shape."""
    version: Any = body.get("schema") if isinstance(body, dict) else None
    if version != SCHEMA:
        raise StoreError(
            f"This verdict has the shape {version!r}; this program reads shape {SCHEMA}.",
            fix="Use the version of Segue that wrote it, or judge again with segue compare.",
        )
    try:
        return _adapter().validate_python(body)
    except ValidationError as error:
        raise StoreError(
            f"This verdict cannot be read back ({error.error_count()} faults).", fix="Check the log: segue log verify."
        ) from None
