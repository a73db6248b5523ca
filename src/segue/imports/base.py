"""What every importer gives back: a stream of cases, exchanges and labels, whatever the file they come from.

Knows nothing of any file format and nothing of the store. The readers are `layout`, `table`, `promptfoo` and `inspect_log`;
`ingest` puts what they read into a store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from segue.errors import Fault
from segue.model import Case, Failure, Json, Prompt, Reply, Usage
from segue.scoring.label_roles import LabelRole

ImportedCase = Case
"""An imported case is a case like any other."""

Report = Callable[[Fault], None]
"""Where faults go, one at a time, while the stream is read."""


@dataclass(frozen=True, slots=True)
class ImportedExchange:
    """One recorded answer of one release to one case: a reply or a failure, never both, never neither.

    `release` is what is compared; `snapshot` is the vendor's model id under it. `at` is ISO 8601, in UTC where the zone is
    known.
    """

    release: str
    snapshot: str
    params: Mapping[str, Json]
    case_id: str
    repeat: int
    reply: Reply | None
    failure: Failure | None
    usage: Usage
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_microusd: float | None = None
    at: str | None = None

    def __post_init__(self) -> None:
        assert (self.reply is None) != (self.failure is None), "an imported exchange has a reply or a failure"


@dataclass(frozen=True, slots=True)
class ImportedLabel:
    """A label somebody gave a recorded answer. `repeat` is `None` where it holds for all repeats of the case.

    `label` is text: a class as it stands, and a number in its shortest form (`1`, `0`, `0.5`; true is `1`).
    """

    release: str
    case_id: str
    repeat: int | None
    labeler: str
    label: str
    detail: Json = None


@dataclass(frozen=True, slots=True)
class Release:
    """One release as its records describe it together.

    `params` are those that are the same in all its records; `varying` names the others.
    """

    name: str
    snapshot: str
    params: Mapping[str, Json]
    varying: tuple[str, ...] = ()
    prompt: Prompt = field(default_factory=Prompt)


@dataclass(slots=True)
class Count:
    """What became of the records of one kind: `read` = `kept` + `rejected` + `left_out`."""

    read: int = 0
    kept: int = 0
    rejected: int = 0
    left_out: int = 0


@dataclass(slots=True)
class Counts:
    """Counts by kind, of the latest pass over each."""

    cases: Count = field(default_factory=Count)
    exchanges: Count = field(default_factory=Count)
    labels: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: file, line, and the part of the file where lines do not tell (a member of an archive)."""

    file: str | None = None
    line: int | None = None
    part: str | None = None


class ImportSource(Protocol):
    """Something that was measured before, as streams. Each can be iterated again; a fault is reported once, not once per pass.

    `place` is where the record that was yielded last stands. Memory does not grow with the number of exchanges and labels.
    `roles` holds what the records themselves tell of their labelers, once the labels were read.
    """

    counts: Counts
    roles: dict[str, LabelRole]

    @property
    def place(self) -> Place: ...

    def report(self, fault: Fault) -> None: ...

    def cases(self) -> Iterator[ImportedCase]: ...

    def exchanges(self) -> Iterator[ImportedExchange]: ...

    def labels(self) -> Iterator[ImportedLabel]: ...

    def releases(self) -> Mapping[str, Release]:
        """The releases among the exchanges, by name, in order of name."""
        ...
