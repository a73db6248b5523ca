"""What a dialect cannot hold, said by name: the field, the dialect, the reason and the remedy. Nothing is dropped in silence.

Knows no dialect. All refusals of one request are collected before it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from segue.errors import Fault, InputError
from segue.wire.neutral.conversation import Dialect

NAMES: dict[Dialect, str] = {
    "openai_chat": "OpenAI Chat Completions",
    "openai_responses": "OpenAI Responses",
    "anthropic_messages": "Anthropic Messages",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """`field` is a path in the client's request, or the neutral name where the request was well-formed. No values in it."""

    field: str
    dialect: Dialect
    reason: str
    remedy: str

    def sentence(self) -> str:
        """One line for a person."""
        return f"{self.field}: {self.reason} {self.remedy}".strip()


class RefusedError(InputError):
    """A request that is not sent. `refusals` names every field; `field` is the first, for errors that have room for one."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        faults = [Fault(what=one.reason, fix=one.remedy, path=one.field) for one in self.refusals]
        super().__init__(" ".join(one.sentence() for one in self.refusals), faults=faults)

    @property
    def field(self) -> str:
        """Where the first refusal stands."""
        return self.refusals[0].field


@dataclass(slots=True)
class Refusals:
    """Collects what one dialect refuses of one request."""

    dialect: Dialect
    found: list[Refusal] = field(default_factory=list)

    def add(self, where: str, reason: str, remedy: str) -> None:
        """One more."""
        self.found.append(Refusal(where, self.dialect, reason, remedy))

    def cannot(self, where: str, what: str, remedy: str) -> None:
        """`what` has no place in this dialect."""
        self.add(where, f"{NAMES[self.dialect]} has no {what}.", remedy)

    def raise_if_any(self) -> None:
        """Refuse, if there is a reason to."""
        if self.found:
            raise RefusedError(self.found)
