"""Reads a JSON file into a `Document`, with the line of every piece.

The text is parsed by the standard library, and then walked once more by token for lines, keys written twice and numbers
that canonical JSON cannot carry. Suites are not read here: they are streamed line by line (`suite_file`).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

from segue.errors import Fault
from segue.model import Json
from segue.model.digest import LARGEST
from segue.workspace.document import Document, Place, Reading, ValuePath, clipped

DEEPEST = 60

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class NotFiniteError(ValueError):
    """NaN or an infinity stands where JSON has a number."""


def read_json(text: str, file: str) -> Reading[Document]:
    """Parse the JSON `text` of `file`."""
    if not text.strip():
        return Reading(None, (Fault("The file is empty.", "Write JSON into it, at least {}.", file=file, line=1),))
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        what, fix = explain_syntax(error)
        return Reading(None, (Fault(what, fix, file=file, line=error.lineno),))
    except NotFiniteError:
        fault = Fault("NaN or Infinity is in the file; JSON has neither.", "Write a finite number, or null.", file=file)
        return Reading(None, (fault,))
    except (RecursionError, ValueError):
        return Reading(None, (Fault("The JSON is nested too deeply, or has an endless number.", "Flatten it.", file=file),))
    places, faults = _walk(text, file)
    return Reading(Document(file, value, places), tuple(faults))


def explain_syntax(error: json.JSONDecodeError) -> tuple[str, str]:
    """What and fix for text that is not JSON, without repeating any of it. The column counts from 1."""
    if error.pos >= len(error.doc.rstrip()):
        return "The JSON ends before it is complete.", "Write the rest of it; the end may have been lost."
    where = f"column {error.colno}"
    known = {
        "Expecting property name enclosed in double quotes": (
            f"A key in double quotes is missing at {where}.",
            "Write keys as \"key\", and no comma before '}'.",
        ),
        "Illegal trailing comma before end of object": (f"A comma at {where} has nothing after it.", "Delete the comma."),
        "Illegal trailing comma before end of array": (f"A comma at {where} has nothing after it.", "Delete the comma."),
        "Expecting ',' delimiter": (f"A comma or a closing bracket is missing at {where}.", "Add it."),
        "Expecting ':' delimiter": (f"A colon is missing at {where}.", 'Write keys as "key": value.'),
        "Expecting value": (
            f"A value is missing at {where}.",
            "Write a JSON value; text needs double quotes, and None or True are null and true.",
        ),
        "Extra data": (f"Something follows the JSON value at {where}.", "Keep one value; in JSON Lines, one per line."),
        "Unterminated string starting at": (f"The text that begins at {where} is never closed.", 'Close it with ".'),
        "Invalid control character at": (f"A line break or control character is inside a text at {where}.", "Write it as \\n."),
    }
    return known.get(error.msg, (f"This is not JSON at {where}.", "Write one JSON value, as a JSON encoder would."))


def _refuse_constant(_: str) -> Json:
    raise NotFiniteError


@dataclass(slots=True)
class _Frame:
    """An open object or list of the walk."""

    path: ValuePath
    is_object: bool
    index: int = 0
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)


def _walk(text: str, file: str) -> tuple[dict[ValuePath, Place], list[Fault]]:
    """Places and faults of `text`, which is known to be well-formed JSON."""
    places: dict[ValuePath, Place] = {(): Place(file, 1)}
    faults: list[Fault] = []
    frames: list[_Frame] = []
    line, seen = 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", seen, token.start())
        seen = token.start()
        mark = token.group()
        frame = frames[-1] if frames else None
        if mark in "]}":
            frames.pop()
        elif mark == ",":
            assert frame is not None, "a comma is inside something"
            frame.key, frame.index = None, frame.index + 1
        elif frame is not None and frame.is_object and frame.key is None:
            frame.key = json.loads(mark)
            assert isinstance(frame.key, str), "the key of an object is text"
            if not is_text(frame.key):
                what = "Half of a character (a lone surrogate, \\ud800 to \\udfff) is in a key."
                faults.append(Fault(what, "Write the whole character, or delete it.", file=file, line=line))
            if frame.key in frame.lines:
                what = f"The key '{clipped(frame.key)}' is written twice: on line {frame.lines[frame.key]} and on line {line}."
                faults.append(Document(file, None, {(): Place(file, line)}).fault(frame.path, what, "Keep one of the two."))
            frame.lines[frame.key] = line
            places[(*frame.path, frame.key)] = Place(file, line)
        elif mark != ":":
            path = () if frame is None else (*frame.path, frame.index if frame.key is None else frame.key)
            places.setdefault(path, Place(file, line))
            if mark in "[{":
                frames.append(_Frame(path, mark == "{"))
                if len(frames) > DEEPEST:
                    what = f"The JSON is nested more than {DEEPEST} levels deep."
                    return places, [*faults, Fault(what, "Flatten it.", file=file, line=line)]
            elif mark[0] == '"' and not is_text(json.loads(mark)):
                what = "Half of a character (a lone surrogate, \\ud800 to \\udfff) is in the text."
                faults.append(
                    Document(file, None, {(): Place(file, line)}).fault(path, what, "Write the whole character, or delete it.")
                )
            elif mark[0] in "-0123456789" and not _is_exact(mark):
                fix = "Put it in quotes if it is an identifier, or write a smaller number."
                what = "The number is too large to be kept exactly (beyond ±2^53)."
                faults.append(Document(file, None, {(): Place(file, line)}).fault(path, what, fix))
    return places, faults


def is_text(value: str) -> bool:
    """Whether `value` can be written as UTF-8: it has no lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_exact(number: str) -> bool:
    if set(number) <= set("-0123456789"):
        return len(number) < 20 and abs(int(number)) <= LARGEST
    return math.isfinite(float(number))
