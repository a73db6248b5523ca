"""Cases and suites: an input with its expectation and slices; a versioned set of them.

The field names are those of the JSON Lines a suite is kept in (`docs/suite-format.md`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pydantic import Field

from segue.model.base import Frozen, Json
from segue.model.conversation import Message, ToolSpec
from segue.model.digest import digest_of, short_id

CaseKind = Literal["representative", "edge", "high-stakes", "regression", "red-team"]


class Case(Frozen):
    """One input, what is expected of the answer, and the slices it belongs to.

    `cluster` names what cases are not independent within: a conversation, a document.
    """

    case_id: str = Field(min_length=1)
    task: str = Field(default="default", min_length=1)
    slice: dict[str, str] = Field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    variables: dict[str, str] = Field(default_factory=dict)
    tools: tuple[ToolSpec, ...] = ()
    reference: Json = None
    kind: CaseKind = "representative"
    critical: bool = False
    cluster: str | None = None
    metadata: dict[str, Json] = Field(default_factory=dict)

    def body(self) -> dict[str, Json]:
        """The JSON value that is digested. Defaults are left out."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @cached_property
    def digest(self) -> str:
        """Digest of the whole case."""
        return digest_of(self.body())

    @cached_property
    def input_digest(self) -> str:
        """Digest of what the model is shown: results stay valid while this stays the same."""
        body = self.body()
        return digest_of({key: body.get(key) for key in ("messages", "variables", "tools")})

    @cached_property
    def slices(self) -> Mapping[str, str]:
        """The declared slices, and the task as one more."""
        return {"task": self.task, **self.slice}


def suite_digest(case_digests: Iterable[tuple[str, str]]) -> str:
    """Digest of a suite from `(case_id, case digest)` pairs, whatever their order."""
    return digest_of(sorted([case_id, digest] for case_id, digest in case_digests))


@dataclass(frozen=True)
class Suite:
    """A versioned set of cases, held in memory. Very large imported suites are streamed from the store instead."""

    name: str
    cases: tuple[Case, ...] = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """Order of the file does not matter; any change to any case does."""
        return suite_digest((case.case_id, case.digest) for case in self.cases)

    @property
    def short(self) -> str:
        """The short id."""
        return short_id(self.digest)

    @cached_property
    def by_id(self) -> Mapping[str, Case]:
        """Cases by id."""
        return {case.case_id: case for case in self.cases}

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)
