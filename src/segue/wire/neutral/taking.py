"""Reading a client's request: every object is held against its table of fields, every value against its type.

What a table refuses is collected; a value of the wrong type ends the reading at once, for nothing can be read behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from segue.model import Json
from segue.wire import reading
from segue.wire.fields.table import Fields
from segue.wire.neutral.conversation import (
    NO_PARAMETERS,
    Block,
    Declined,
    File,
    Image,
    OutputFormat,
    Part,
    Reasoning,
    Speaker,
    Text,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from segue.wire.neutral.refusal import NAMES, Refusals
from segue.wire.reading import BadReplyError

SAYS: Mapping[Speaker, tuple[type, ...]] = {
    "system": (Text, Image, File),
    "developer": (Text, Image, File),
    "user": (Text, Image, File),
    "assistant": (Text, Declined, ToolUse, Reasoning),
    "tool": (ToolResult,),
}
"""What may stand in whose turn."""


@contextmanager
def malformed(refusals: Refusals) -> Iterator[None]:
    """A wrong type becomes the last refusal."""
    try:
        yield
    except BadReplyError as error:
        where, _, rest = str(error).partition(" ")
        refusals.add(where or "body", f"It {rest}", f"See {NAMES[refusals.dialect]}' reference.")
        refusals.raise_if_any()


@dataclass(frozen=True, slots=True)
class Taken:
    """Reads one request of one dialect."""

    fields: Fields
    refusals: Refusals

    def object(self, place: str, value: Json, where: str) -> dict[str, Any]:
        """An object whose fields stand in the table."""
        found = reading.as_object(value, where or "body")
        self.fields.check(place, found, where, self.refusals)
        return found

    def kind(self, holder: str, value: Mapping[str, Json], tag: Json, where: str) -> bool:
        """Whether objects of this type or role are carried; if so, their fields are held against the table."""
        place = self.fields.place(holder, tag, where, self.refusals)
        if place is None:
            return False
        self.fields.check(place, value, where, self.refusals)
        return True

    def plain_object(self, value: Json, where: str) -> dict[str, Any]:
        """An object, its fields not yet looked at."""
        return reading.as_object(value, where)

    def optional_object(self, value: Json, where: str) -> dict[str, Any]:
        """An object of the client's own making, such as a schema."""
        return reading.optional_object(value, where)

    def list(self, value: Json, where: str) -> list[Any]:
        """A list."""
        return reading.as_list(value, where)

    def optional_list(self, value: Json, where: str) -> Sequence[Any]:
        """A list; absent is empty."""
        return reading.optional_list(value, where)

    def text(self, value: Json, where: str) -> str:
        """Text."""
        return reading.as_text(value, where)

    def optional_text(self, value: Json, where: str) -> str | None:
        """Text or nothing."""
        return reading.optional_text(value, where)

    def texts(self, value: Json, where: str) -> tuple[str, ...]:
        """A list of texts; absent is empty."""
        return tuple(reading.as_text(one, f"{where}[{at}]") for at, one in enumerate(reading.optional_list(value, where)))

    def optional_count(self, value: Json, where: str) -> int | None:
        """A whole number or nothing."""
        return reading.optional_count(value, where)

    def optional_number(self, value: Json, where: str) -> float | None:
        """A number or nothing."""
        return None if value is None else reading.as_number(value, where)

    def optional_flag(self, value: Json, where: str) -> bool | None:
        """True, false or nothing."""
        if value is None or isinstance(value, bool):
            return value
        raise reading.wrong_type(value, where, "true or false")

    def turn(self, speaker: Speaker, blocks: Collection[Block], where: str, name: str | None = None) -> Turn:
        """One speaker's turn. What no such speaker can say is refused."""
        kept = tuple(block for block in blocks if isinstance(block, SAYS[speaker]))
        if len(kept) < len(blocks):
            self.refusals.add(where, f"A part of it cannot stand in a turn of the {speaker}.", "Move it to where it belongs.")
        return Turn(speaker, kept, name)

    def result_parts(self, blocks: Collection[Block], where: str) -> tuple[Part, ...]:
        """The parts of a tool's result: text, images and files."""
        kept = tuple(block for block in blocks if isinstance(block, Text | Image | File))
        if len(kept) < len(blocks):
            self.refusals.add(where, "A part of it cannot stand in the result of a tool.", "Send text, images or files.")
        return kept

    def plain_choice(self, value: str) -> ToolChoice | None:
        """`auto`, `none` or `required`."""
        if value in ("auto", "none", "required"):
            return ToolChoice(cast(Any, value))
        self.refusals.add("tool_choice", "It is not auto, none or required.", "Use one of these, or name a tool.")
        return None

    def allowed_choice(self, mode: Json, names: Sequence[Json]) -> ToolChoice | None:
        """A choice among some of the tools."""
        found = self.plain_choice(self.text(mode, "tool_choice.mode"))
        if found is None:
            return None
        if any(not isinstance(name, str) for name in names):
            self.refusals.add("tool_choice.tools", "An allowed tool has no name.", "Name functions and custom tools only.")
            return None
        return ToolChoice(found.mode, allowed=tuple(cast(Sequence[str], names)))

    def output_format(self, value: Mapping[str, Json], where: str) -> OutputFormat:
        """A schema as both of OpenAI's dialects write it."""
        return OutputFormat(
            self.optional_object(value.get("schema"), f"{where}.schema"),
            self.optional_text(value.get("name"), f"{where}.name") or "output",
            self.optional_text(value.get("description"), f"{where}.description") or "",
            bool(self.optional_flag(value.get("strict"), f"{where}.strict")),
        )


def default_parameters(given: dict[str, Json]) -> Mapping[str, Json]:
    """A tool without parameters takes an empty object."""
    return given or dict(NO_PARAMETERS)
