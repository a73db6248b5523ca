"""Reads one case of our layout: a suite's case, with file references resolved and tools in either of two shapes."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from segue.imports.layout_output import flaws_of
from segue.imports.reading_pass import Flaw
from segue.imports.values import kind_of, plain_text, text_of
from segue.model import Case, Json

MAX_REFERENCE_BYTES = 4 * 2**20
_REFERENCE = re.compile(r"@(\S+)")
_FIELDS = tuple(Case.model_fields)


class CaseReader:
    """Reads cases of one folder; referenced files are read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._texts: dict[str, str | Flaw] = {}

    def read(self, row: dict[str, Json], flaws: list[Flaw]) -> Case | None:
        """The case in `row`, or `None` with what is wrong added to `flaws`.

        A field the model does not have is kept under `metadata`, unless it looks like a field that was misspelt.
        """
        body: dict[str, Json] = {key: value for key, value in row.items() if key in _FIELDS and value is not None}
        body["case_id"] = text_of(row, "case_id", flaws)
        self._keep_others(row, body, flaws)
        for key in ("slice", "variables"):
            if key in body:
                body[key] = _texts_of(body[key], key, flaws)
        if "messages" in body:
            body["messages"] = self._messages(body["messages"], flaws)
        if isinstance(tools := body.get("tools"), list):
            body["tools"] = [_tool(tool) for tool in tools]
        if flaws:
            return None
        try:
            return Case.model_validate(body)
        except ValidationError as error:
            flaws.extend(flaws_of(error))
            return None

    @staticmethod
    def _keep_others(row: dict[str, Json], body: dict[str, Json], flaws: list[Flaw]) -> None:
        others = {key: value for key, value in row.items() if key not in _FIELDS}
        if not others:
            return
        for key in others:
            if near := get_close_matches(key, _FIELDS, n=1, cutoff=0.8):
                flaws.append(Flaw(key, "A case has no such field.", "Rename it, or move it into metadata.", f"'{near[0]}'"))
        metadata = body.get("metadata", {})
        if isinstance(metadata, dict):
            body["metadata"] = {**others, **metadata}

    def _messages(self, messages: Json, flaws: list[Flaw]) -> Json:
        if not isinstance(messages, list):
            flaws.append(Flaw("messages", f"It has to be a list, not {kind_of(messages)}.", "Write a list of messages."))
            return ()
        return [self._resolved(message, position, flaws) for position, message in enumerate(messages)]

    def _resolved(self, message: Json, position: int, flaws: list[Flaw]) -> Json:
        """`message` with `@file` in a system message replaced by the text of that file."""
        if not isinstance(message, dict) or message.get("role") != "system":
            return message
        content = message.get("content")
        found = _REFERENCE.fullmatch(content) if isinstance(content, str) else None
        if found is None:
            return message
        name = found.group(1)
        if name not in self._texts:
            self._texts[name] = self._file_text(name)
        text = self._texts[name]
        if isinstance(text, Flaw):
            flaws.append(text._replace(path=f"messages[{position}].content"))
            return message
        return {**message, "content": text}

    def _file_text(self, name: str) -> str | Flaw:
        file = (self._folder / name).resolve()
        if not file.is_relative_to(self._folder):
            return Flaw(None, "It names a file outside the folder.", "Put the file into the folder of the cases.")
        if not file.is_file():
            near = get_close_matches(name, [one.name for one in self._folder.iterdir() if one.is_file()], n=1)
            likely = f"'@{near[0]}'" if near else None
            return Flaw(None, "It names a file that is not in the folder.", "Add the file, or write the text itself.", likely)
        if file.stat().st_size > MAX_REFERENCE_BYTES:
            return Flaw(None, "It names a file of more than 4 MB.", "Shorten the system message.")
        try:
            return file.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            return Flaw(None, "It names a file that cannot be read as UTF-8 text.", "Save the file as UTF-8.")


def _texts_of(value: Json, key: str, flaws: list[Flaw]) -> Json:
    """An object whose values are scalars, as texts; what is `null` is left out."""
    if not isinstance(value, dict):
        flaws.append(Flaw(key, f"It has to be an object, not {kind_of(value)}.", 'Write {"name": "value"}.'))
        return {}
    texts = {}
    for name, one in value.items():
        if one is None:
            continue
        text = plain_text(one)
        if text is None:
            flaws.append(Flaw(f"{key}.{name}", f"A value has to be a text, not {kind_of(one)}.", "Write it as a string."))
        else:
            texts[name] = text
    return texts


def _tool(tool: Json) -> Json:
    """A tool in our shape; `{"type": "function", "function": {...}}` is unwrapped. Parameters stay as they are."""
    if isinstance(tool, dict) and isinstance(inner := tool.get("function"), dict):
        tool = inner
    if not isinstance(tool, dict):
        return tool
    return {
        key: value
        for key, value in tool.items()
        if key in ("name", "description", "parameters", "effects") and value is not None
    }
