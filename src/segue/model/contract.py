"""The contract: what downstream code needs of an output."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from segue.model.base import Frozen, Json

Counted = Literal["bullets", "numbered", "lines", "paragraphs", "sentences", "words", "characters", "code_blocks"]


class CountRule(Frozen):
    """How many of something an output has: exactly, or at least and at most."""

    of: Counted
    exactly: int | None = Field(default=None, ge=0)
    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _says_something(self) -> CountRule:
        if self.exactly is None and self.at_least is None and self.at_most is None:
            raise ValueError("a count needs exactly, at_least or at_most")
        if self.exactly is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("exactly excludes at_least and at_most")
        return self


class CommandCheck(Frozen):
    """The team's own parser or test command: output on standard input, exit code 0 means accepted.

    `argv` is run without a shell, from the workflow's folder; the case is at the path in `SEGUE_CASE`.
    """

    argv: tuple[str, ...] = Field(min_length=1)
    timeout_s: float = Field(default=10.0, gt=0, le=600)


class Contract(Frozen):
    """JSON Schema, phrases, counts, and the team's own parser."""

    json_schema: dict[str, Json] | bool | None = None
    required: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()
    counts: tuple[CountRule, ...] = ()
    command: CommandCheck | None = None
    ignore_case: bool = False
