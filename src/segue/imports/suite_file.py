"""Writes imported cases as a suite of the workspace: JSON Lines in Segue's own form, to be kept in git."""

from __future__ import annotations

import os
from pathlib import Path

import orjson

from segue.errors import ConflictError, Fault, InputError
from segue.imports.base import ImportSource


def write_suite(source: ImportSource, path: Path | str, *, replace: bool = False) -> int:
    """Write the cases of `source` to `path`, one per line; returns how many.

    The file appears whole or not at all. `ConflictError` where it exists and `replace` is not set; `InputError` where there
    is no case or the file cannot be written. A second case of one id is a fault and is left out.
    """
    target = Path(path)
    if target.exists() and not replace:
        raise ConflictError(f"{target} exists.", fix="Name another file, or ask for it to be replaced.")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        number = _write_cases(source, partial)
        if number == 0:
            raise InputError("There is no case to write.", fix="See the faults reported, and the selection if there is one.")
        partial.replace(target)
    except OSError as error:
        raise InputError(
            f"{target} cannot be written: {error.strerror}.", fix="Check the folder and its permissions."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return number


def _write_cases(source: ImportSource, path: Path) -> int:
    ids: set[str] = set()
    with path.open("wb") as out:
        for case in source.cases():
            if case.case_id in ids:
                place = source.place
                what, fix = "A case with this case_id came before.", "Give every case its own case_id."
                source.report(Fault(what=what, fix=fix, file=place.file, line=place.line, path="case_id"))
                continue
            ids.add(case.case_id)
            out.write(orjson.dumps(case.body()) + b"\n")
    return len(ids)
