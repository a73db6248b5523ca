"""Reads YAML into a `Document`: JSON types only, every piece with its line, all faults of the content at once.

Built on the node graph of ruamel.yaml's round-trip reader (YAML 1.2), not on its constructed values: nodes keep both
lines of a duplicate key and the text of a scalar as it was typed, and an alias bomb is seen before it goes off.
`no`, `yes` and dates stay text. What JSON cannot carry is a fault: keys that are not text, NaN, custom tags.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import count
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from segue.errors import Fault
from segue.model import Json
from segue.model.digest import LARGEST
from segue.workspace.document import Document, Place, Reading, ValuePath, clipped
from segue.workspace.json_file import is_text

DEEPEST = 40
MOST_PIECES = 50_000
MOST_REMEMBERED = 65_536

_TAG = "tag:yaml.org,2002:"
_PLAIN = {_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")}


class _TooManyPieces(Exception):  # noqa: N818  a signal within this module, not an error anybody sees
    """The aliases of the file stand for more pieces than anybody writes."""


def read_yaml(text: str, file: str) -> Reading[Document]:
    """Parse the YAML `text` of `file`. An empty file has the value `None`."""
    try:
        node = _compose_once(text) if len(text) <= MOST_REMEMBERED else _compose(text)
    except MarkedYAMLError as error:
        return Reading(None, (_syntax_fault(error, text, file),))
    except (YAMLError, RecursionError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError, AssertionError):
        # ruamel leaks plain Python errors for some broken directives and escapes
        fix = "Compare it with docs/workspace.md, or start again from what `segue init` writes."
        return Reading(None, (Fault("The file is not YAML.", fix, file=file),))
    builder = _Builder(file)
    if node is None:
        return Reading(Document(file, None, {(): Place(file, 1)}))
    try:
        value = builder.value_of(node, ())
    except _TooManyPieces:
        what = f"The aliases of this file stand for more than {MOST_PIECES:,} pieces."
        return Reading(None, (Fault(what, "Write the values out, or put them in files of their own.", file=file),))
    builder.places[()] = Place(file, 1)
    document = Document(file, value, builder.places)
    return Reading(document, tuple(builder.faults))


def _compose(text: str) -> Node | None:
    reader = YAML(typ="rt", pure=True)
    reader.max_depth = DEEPEST
    reader.composer.warn_double_anchors = False
    found: Node | None = reader.compose(text)
    return found


# A command comes back to the same few files many times over, and composing is by far the dearest part of reading one.
# Nodes are only read from, so they can be shared; errors are not kept.
_compose_once = lru_cache(maxsize=32)(_compose)


class _Builder:
    """Turns nodes into JSON values, noting places and faults."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.places: dict[ValuePath, Place] = {}
        self._open: list[Node] = []
        self._pieces = count(1)

    def value_of(self, node: Node, path: ValuePath) -> Json:
        """The JSON value of `node`; faulty pieces become `None`, with a fault."""
        self._count(path)
        self.places.setdefault(path, Place(self.file, node.start_mark.line + 1))
        tag = str(node.tag)
        if tag not in _PLAIN:
            self._fault(node, path, f"The tag '{clipped(tag)}' is not used here.", "Delete the tag; write plain YAML.")
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, tag.removeprefix(_TAG), path)
        if any(node is one for one in self._open):
            self._fault(node, path, "The alias contains itself.", "Write the value out where it is needed.")
            return None
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            assert isinstance(node, SequenceNode), "a node is a scalar, a mapping or a sequence"
            return [self.value_of(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, path: ValuePath) -> dict[str, Json]:
        value: dict[str, Json] = {}
        lines: dict[str, int] = {}
        merged: list[Node] = []
        for key, item in node.value:
            line = key.start_mark.line + 1
            if str(key.tag) == _TAG + "merge":
                merged += item.value if isinstance(item, SequenceNode) else [item]
                continue
            name = self._key(key, path)
            if name is None:
                continue
            if name in lines:
                what = f"The key '{clipped(name)}' is written twice: on line {lines[name]} and on line {line}."
                self._fault(key, (*path, name), what, "Keep one of the two.")
                continue
            lines[name] = line
            self.places[(*path, name)] = Place(self.file, line)
            value[name] = self.value_of(item, (*path, name))
        for source in merged:
            for name, item in self._merge(source, path).items():
                value.setdefault(name, item)
        return value

    def _merge(self, source: Node, path: ValuePath) -> dict[str, Json]:
        if not isinstance(source, MappingNode):
            self._fault(source, path, "'<<' merges something that is not a mapping.", "Merge an alias of a mapping.")
            return {}
        if any(source is one for one in self._open):
            self._fault(source, path, "The alias contains itself.", "Write the value out where it is needed.")
            return {}
        self._count(path)
        inner = _Builder(self.file)
        inner._open = [*self._open, source]
        inner._pieces = self._pieces
        value = inner._mapping(source, path)
        for at, place in inner.places.items():
            self.places.setdefault(at, place)
        known = set(self.faults)
        self.faults += [fault for fault in inner.faults if fault not in known]
        return value

    def _key(self, key: Node, path: ValuePath) -> str | None:
        if not isinstance(key, ScalarNode):
            self._fault(key, path, "A key is a list or a mapping.", "Keys are text.")
            return None
        kind = str(key.tag).removeprefix(_TAG)
        text = str(key.value)
        if not is_text(text):
            self._fault(key, path, "Half of a character is in a key.", "Write the whole character, or delete it.")
            return None
        if kind in ("str", "timestamp", "value"):
            return text
        meant = {"int": "a number", "float": "a number", "bool": "true or false", "null": "empty"}.get(kind)
        if meant is None:
            self._fault(key, path, f"The tag '{clipped(str(key.tag))}' is not used here.", "Delete the tag; write plain YAML.")
            return None
        self._fault(key, path, f"A key is {meant}; keys are text.", f'Put it in quotes: "{clipped(text)}".')
        return None

    def _scalar(self, node: ScalarNode, kind: str, path: ValuePath) -> Json:
        text = str(node.value)
        if not is_text(text):
            what = "Half of a character (a lone surrogate, \\ud800 to \\udfff) is in the text."
            self._fault(node, path, what, "Write the whole character, or delete it.")
            return None
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            self._note_raw(node, path)
            return text.lower() == "true"
        if kind == "int":
            return self._int(node, text, path)
        if kind == "float":
            return self._float(node, text, path)
        return text

    def _int(self, node: ScalarNode, text: str, path: ValuePath) -> Json:
        self._note_raw(node, path)
        digits = text.replace("_", "")
        sign = digits[:1] if digits[:1] in "+-" else ""
        body = digits.removeprefix(sign).lower()
        base = {"0x": 16, "0o": 8, "0b": 2}.get(body[:2], 10)
        try:
            number = int(sign + (body if base == 10 else body[2:]), base) if len(body) < 400 else LARGEST + 1
        except ValueError:
            return text
        if abs(number) > LARGEST:
            fix = "Put it in quotes if it is an identifier, or write a smaller number."
            self._fault(node, path, "The number is too large to be kept exactly (beyond ±2^53).", fix)
            return None
        return number

    def _float(self, node: ScalarNode, text: str, path: ValuePath) -> Json:
        self._note_raw(node, path)
        plain = text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")
        try:
            number = float(plain)
        except ValueError:
            return text
        if not math.isfinite(number):
            self._fault(node, path, "The number is not finite.", "Write a finite number, or leave the key out.")
            return None
        return number

    def _count(self, path: ValuePath) -> None:
        """Merges repeat pieces without a place of their own, so pieces are counted, not places."""
        if next(self._pieces) > MOST_PIECES or len(path) > DEEPEST:
            raise _TooManyPieces

    def _note_raw(self, node: ScalarNode, path: ValuePath) -> None:
        old = self.places[path]
        self.places[path] = Place(old.file, old.line, str(node.value))

    def _fault(self, node: Node, path: ValuePath, what: str, fix: str) -> None:
        place = Document(self.file, None, self.places).place(path)
        line = node.start_mark.line + 1
        fault = Document(self.file, None, {path: Place(place.file, line)}).fault(path, what, fix)
        self.faults.append(fault)


def _syntax_fault(error: MarkedYAMLError, text: str, file: str) -> Fault:
    """One sentence for what the YAML reader could not take, without repeating the content of the line."""
    mark: Any = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else None
    problem = str(error.problem or "")
    lines = text.split("\n")
    written = lines[line - 1] if line is not None and line <= len(lines) else ""
    what, fix = "The YAML cannot be read here.", "Look for a missing quote, bracket, colon or space near this line."
    if "maximum depth" in problem:
        what, fix = f"The YAML is nested more than {DEEPEST} levels deep.", "Flatten it."
    elif "\t" in written[: len(written) - len(written.lstrip())] or "character '\\t'" in problem:
        what, fix = "A tab indents this line; YAML takes spaces only.", "Replace the tab by two spaces."
    elif "undefined alias" in problem:
        what, fix = (
            "The alias has no anchor.",
            "Define the anchor (&name) above, or put the text in quotes if no alias is meant.",
        )
    elif "another document" in problem:
        what, fix = "A second YAML document begins here.", "Delete the '---' line, or move the second part to its own file."
    elif "mapping values are not allowed" in problem:
        what, fix = (
            "A colon is not allowed here.",
            "Put a text that has a colon in quotes, or give the line above its colon or its indentation.",
        )
    elif "cannot start any token" in problem:
        what, fix = "A text begins with a character that means something else in YAML.", "Put the text in quotes."
    elif "end of stream" in problem or "<stream end>" in problem:
        started = error.context_mark.line + 1 if error.context_mark is not None else line
        what = "The file ends in the middle of something."
        if started != line:
            what = f"The file ends before what began on line {started} is closed."
        fix = "Close the quote or bracket."
    elif "expected <block end>" in problem:
        what, fix = "The indentation changes here, or a list and a mapping are mixed.", "Indent as the lines above it do."
    elif "could not find expected ':'" in problem:
        what, fix = "A key without a colon.", "Write `key: value`."
    return Fault(what, fix, file=file, line=line)
