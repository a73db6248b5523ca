"""Streams the cases of a suite from JSON Lines, plain or gzipped, naming the line of whatever cannot be read.

One pass, one line in memory at a time, besides the line of every `case_id` seen. The fields are those of `segue.model.Case`
(`docs/suite-format.md`). Whether a case fits its workflow is judged in `case_check`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from segue.errors import Fault, InputError, NotFoundError
from segue.model import Case, Json
from segue.workspace.document import Document, Place, Reading, clipped
from segue.workspace.json_file import NotFiniteError, explain_syntax
from segue.workspace.shape import parse_json
from segue.workspace.text_file import Root, cannot_open, entries

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes one case may have."""

SUFFIXES = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class SuiteLine:
    """One line: a case, or what is wrong with it. `faults` pair a fault with its kind, as `FaultTally` counts them."""

    line: int
    case: Case | None
    faults: tuple[tuple[str, Fault], ...] = ()


def suite_names(folder: Path) -> list[str]:
    """The names of the suites in a workflow's `suites` folder."""
    names = set()
    for path in entries(folder):
        for suffix in SUFFIXES:
            if path.name.endswith(suffix) and len(path.name) > len(suffix):
                names.add(path.name[: -len(suffix)])
    return sorted(names)


def find_suite(root: Root, folder: Path, name: str) -> Path:
    """The file of suite `name`. Raises `NotFoundError`, and `InputError` where it is there plain and gzipped."""
    known = suite_names(folder)
    if name not in known:
        fix = (
            f"Write its cases to {root.shown(folder / 'NAME.jsonl').replace('NAME', clipped(name))}, one JSON object per line."
        )
        raise NotFoundError.naming("suite", clipped(name), known, fix=fix)
    here = {path.name: path for path in entries(folder)}
    found = [here[name + suffix] for suffix in SUFFIXES if name + suffix in here]
    if len(found) > 1:
        what = f"The suite is there twice: {found[0].name} and {found[1].name}."
        raise InputError.from_faults(
            [Fault(what, "Delete one of the two.", file=root.shown(found[0]))], subject=f"suite {name}"
        )
    return found[0]


def read_suite(root: Root, path: Path) -> Iterator[SuiteLine]:
    """Every line that has something on it. A suite without a case is a fault too."""
    file = root.shown(path)
    trouble = cannot_open(root, path)
    if trouble is not None:
        yield SuiteLine(0, None, (("files that cannot be read", trouble),))
        return
    first_line: dict[str, int] = {}
    anything = False
    for line, raw in _lines(path, file):
        if isinstance(raw, Fault):
            anything = True
            yield SuiteLine(line, None, (("lines that cannot be read", raw),))
            continue
        text = raw.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n") if line == 1 else raw.strip(b" \t\r\n")
        if not text:
            continue
        anything = True
        yield _read_line(text, line, file, first_line, is_cut=not raw.endswith(b"\n"))
    if not anything:
        fault = Fault("The suite has no cases.", "Write one JSON object per line; see docs/suite-format.md.", file=file, line=1)
        yield SuiteLine(1, None, (("empty suites", fault),))


def _read_line(text: bytes, line: int, file: str, first_line: dict[str, int], *, is_cut: bool) -> SuiteLine:
    parsed = _parse_line(text, line, file, is_cut=is_cut)
    if parsed.value is None:
        return SuiteLine(line, None, tuple(("lines that are not JSON", fault) for fault in parsed.faults))
    document = parsed.value
    if not isinstance(document.value, dict):
        fault = document.fault((), "The line is JSON, and no object.", 'Write a case as {"case_id": …}.')
        return SuiteLine(line, None, (("cases of the wrong form", fault),))
    case = parse_json(Case, text, document)
    faults = [("cases of the wrong form", fault) for fault in (*parsed.faults, *case.faults)]
    case_id = document.value.get("case_id")
    if isinstance(case_id, str) and case_id:
        if case_id in first_line:
            what = f"The case_id '{clipped(case_id)}' is on line {first_line[case_id]} and on line {line}."
            faults.append(
                ("cases with a case_id seen before", document.fault(("case_id",), what, "Give each case an id of its own."))
            )
        first_line.setdefault(case_id, line)
    if case.value is not None:
        try:
            _ = case.value.digest
        except InputError as error:
            what = "The case has a number that cannot be kept exactly (beyond ±2^53, or not finite)."
            faults.append(("cases of the wrong form", document.fault((), what, error.fix)))
    return SuiteLine(line, case.value if not faults else None, tuple(faults))


def _parse_line(text: bytes, line: int, file: str, *, is_cut: bool) -> Reading[Document]:
    """The line's JSON value, with a fault for every key written twice."""
    repeated: list[str] = []

    def without_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        value = dict(pairs)
        if len(value) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.extend(key for key, times in counts.items() if times > 1)
        return value

    def fault(what: str, fix: str) -> Reading[Document]:
        return Reading(None, (Fault(what, fix, file=file, line=line),))

    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=without_repeats, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return fault(f"Byte {error.start + 1} of the line (0x{text[error.start]:02x}) is not UTF-8.", "Save the file as UTF-8.")
    except json.JSONDecodeError as error:
        if is_cut:
            return fault("The last line is cut off.", "Write the rest of the case, or delete the line.")
        return fault(*explain_syntax(error))
    except NotFiniteError:
        return fault("NaN or Infinity is in the line; JSON has neither.", "Write a finite number, or null.")
    except (RecursionError, ValueError):
        return fault("The line is nested too deeply, or has an endless number.", "Flatten it.")
    document = Document(file, value, {(): Place(file, line)})
    faults = [
        document.fault((), f"The key '{clipped(key)}' is written twice in the line.", "Keep one of the two.")
        for key in repeated
    ]
    return Reading(document, tuple(faults))


def _refuse_constant(_: str) -> Json:
    raise NotFiniteError


def _lines(path: Path, file: str) -> Iterator[tuple[int, bytes | Fault]]:
    """Lines counted from 1. What ends the reading early is the last item."""
    line = 0
    try:
        with _open(path) as stream:
            while raw := stream.readline(LONGEST_LINE + 1):
                line += 1
                if len(raw) > LONGEST_LINE and not raw.endswith(b"\n"):
                    while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                        pass
                    what = f"The line has more than {LONGEST_LINE:,} bytes."
                    yield line, Fault(what, "Shorten the case, or refer to large content by URL.", file=file, line=line)
                else:
                    yield line, raw
    except (EOFError, gzip.BadGzipFile, zlib.error):
        what = "The gzip data is damaged or ends too early."
        yield line + 1, Fault(what, "Compress the suite again, or fetch the file anew.", file=file, line=line + 1)
    except OSError as error:
        what = f"The file cannot be read further: {error.strerror or type(error).__name__}."
        yield line + 1, Fault(what, "Check the disk, and that you may read the file.", file=file, line=line + 1)


def _open(path: Path) -> BinaryIO:
    if path.name.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")
