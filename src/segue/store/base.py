"""The port to Segue's state. The memory fake, SQLite and PostgreSQL pass one contract suite (`tests/store`).

Bundles, suites, exchanges, scores, runs, verdicts, routes, upgrades, facts and the log are append-only: nothing here updates or
deletes them. Labels are pointers: they may move, and every move is an entry of the log. What gateways say is a sign of life, no
record; so is a lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from segue.model import Bundle, Case, Exchange, Json, Score
from segue.model import RecordedLabel as RecordedLabel
from segue.model.route import Route, RouteRevision
from segue.store.gateways import GatewayStore
from segue.store.upgrades import Fence, UnderWay, UpgradeStore


@dataclass(frozen=True, slots=True)
class BundleRecord:
    """A stored bundle. `author` and `at` (UTC, ISO 8601) are of the first time it was added."""

    bundle: Bundle
    author: str
    at: str


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """A stored suite: its digest, the workflow and name it was added under, and how many cases it has."""

    digest: str
    workflow: str
    name: str
    n_cases: int


@dataclass(frozen=True, slots=True)
class CaseRow:
    """What a comparison needs of a case, without its messages."""

    case_id: str
    input_digest: str
    task: str
    slices: Mapping[str, str]
    kind: str
    critical: bool
    cluster: str | None


ArmStatus = Literal["reply", "failure"]


@dataclass(frozen=True, slots=True)
class ArmRow:
    """One exchange of one arm as a comparison reads it: outcome, costs, and the scores asked for.

    `scores` maps metric name to value; a metric that was tried and could not be scored maps to `None`; one never scored
    is absent.
    """

    case_id: str
    input_digest: str
    repeat: int
    status: ArmStatus
    failure_kind: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_microusd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One link of the hash chain. `hash` = SHA-256 of the canonical JSON of all other fields, `prev_hash` among them."""

    seq: int
    at: str
    author: str
    kind: str
    subject: str
    body: Json
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class LogCheck:
    """The outcome of walking the chain: how far it holds, and what is wrong where."""

    n_entries: int
    head: str
    faults: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.faults


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds a name: which run, since when, by whom. Parts that are not known are empty."""

    run: str
    at: str
    author: str

    def as_text(self) -> str:
        """In one line."""
        return f"{self.run} {self.at} {self.author}"

    @classmethod
    def from_text(cls, text: str) -> Claim:
        """What `as_text` wrote, or as much of it as is there."""
        run, at, author = (*text.split(" ", 2), "", "", "")[:3]
        return cls(run, at, author)


class RouteStore(Protocol):
    """The routes of all workflows. Append-only: a flip is a new revision, and its log entry is written with it."""

    def flip_route(
        self, route: Route, *, follows: int | None, author: str, reason: str, at: str, fence: Fence | None = None
    ) -> RouteRevision:
        """Put `route` in force as the revision after `follows`, `None` for the first one.

        `ConflictError` if another revision is in force by now, so that nobody undoes a change they have not seen.
        `FencedError` if it is made under a lease that somebody else has taken over.
        `NotFoundError` if the store lacks a bundle it names, or has it for another workflow.
        """
        ...

    def take_back(
        self, workflow: str, environment: str, *, author: str, reason: str, at: str, may: Callable[[UnderWay | None], object]
    ) -> tuple[RouteRevision, bool]:
        """The incumbent for everyone, whatever is in force by now: the revision that says so, and whether this made it.

        One transaction: nothing comes between the look at the route, the look at the upgrade under way, which `may` is given
        and raises where it is not theirs to do, and the flip. `NotFoundError` without a route.
        """
        ...

    def find_route(self, workflow: str, environment: str) -> RouteRevision:
        """The revision in force. `NotFoundError`, naming the near ones."""
        ...

    def list_routes(self, environment: str | None = None) -> list[RouteRevision]:
        """The revisions in force, by workflow and environment."""
        ...

    def route_history(self, workflow: str, environment: str) -> list[RouteRevision]:
        """All revisions, newest first; empty where there never was one."""
        ...


class Store(RouteStore, UpgradeStore, GatewayStore, Protocol):
    """Segue's state. Methods that write take `author` and `at`; a write and its log entry are one transaction.

    Errors: `NotFoundError`, `ConflictError`, `StoreError`, `TamperError`.
    """

    # bundles and labels
    def add_bundle(self, bundle: Bundle, *, author: str, at: str) -> bool:
        """Store `bundle`. True if it is new; adding it again is no error and changes nothing."""
        ...

    def list_bundles(self, workflow: str) -> list[BundleRecord]:
        """All bundles of `workflow`, oldest first."""
        ...

    def find_bundle(self, workflow: str, ref: str) -> BundleRecord:
        """By label, full digest, or unique prefix of at least 4 digits. `NotFoundError`, `ConflictError` (ambiguous)."""
        ...

    def get_bundle(self, digest: str) -> BundleRecord:
        """By full digest, whatever the workflow."""
        ...

    def labels(self, workflow: str) -> dict[str, str]:
        """Label → bundle digest."""
        ...

    def set_label(self, workflow: str, label: str, digest: str, *, author: str, at: str) -> str | None:
        """Point `label` at `digest`; returns where it pointed before. `NotFoundError` if there is no such bundle."""
        ...

    # suites
    def add_suite(self, workflow: str, name: str, cases: Iterable[Case], *, author: str, at: str) -> SuiteRecord:
        """Store a suite, streaming. Adding the same cases again returns the same digest and changes nothing.

        Two cases with one `case_id`: `ConflictError`.
        """
        ...

    def get_suite(self, digest: str) -> SuiteRecord: ...

    def list_suites(self, workflow: str) -> list[SuiteRecord]: ...

    def iter_cases(self, suite: str, *, case_ids: Sequence[str] | None = None) -> Iterator[Case]:
        """Whole cases of a suite digest, ordered by `case_id` (code points)."""
        ...

    def iter_case_rows(self, suite: str) -> Iterator[CaseRow]:
        """The same cases in the same order, light."""
        ...

    # exchanges
    def add_exchanges(self, exchanges: Iterable[Exchange]) -> int:
        """Store exchanges, in one transaction; returns how many were new. The first one of a key stays.

        One exception: a reply takes the place of an earlier failure of the same key, by being the newer row that readers see.
        """
        ...

    def finished(self, behaviour: str, *, with_failures: bool = False) -> set[tuple[str, str, int]]:
        """Keys `(case_id, input_digest, repeat)` that have a reply (or, if asked, a failure)."""
        ...

    def iter_exchanges(self, behaviour: str, *, case_ids: Sequence[str] | None = None) -> Iterator[Exchange]:
        """Whole exchanges, ordered by `(case_id, input_digest, repeat)`.

        Per key the reply if there is one, else the last failure.
        """
        ...

    def cost_sources(self, behaviour: str) -> list[str]:
        """Where the costs of its replies come from: price lists, recordings; sorted, each once. Unknown costs have none."""
        ...

    # recorded labels
    def add_labels(self, behaviour: str, labels: Iterable[RecordedLabel]) -> int:
        """Store labels given outside Segue; returns how many were new.

        Another label for the same key and labeler: `ConflictError`.
        """
        ...

    def iter_labels(self, behaviour: str, labeler: str | None = None) -> Iterator[RecordedLabel]:
        """Ordered by `(case_id, repeat)`, a `None` repeat first."""
        ...

    def labelers(self, behaviour: str) -> list[str]: ...

    # scores
    def add_scores(self, behaviour: str, scorer: str, rows: Iterable[tuple[str, str, int, Sequence[Score]]]) -> int:
        """Scores by scorer digest for `(case_id, input_digest, repeat)`; the first of a key stays. Returns rows written."""
        ...

    def scored(self, behaviour: str, scorer: str) -> set[tuple[str, str, int]]:
        """Keys already scored by this scorer digest."""
        ...

    def iter_arm(self, behaviour: str, scorers: Sequence[str]) -> Iterator[ArmRow]:
        """One arm as a comparison reads it, streaming, ordered like `iter_exchanges`.

        The scores of these scorer digests are joined in.
        """
        ...

    def iter_scores(
        self, behaviour: str, scorer: str, *, case_ids: Sequence[str] | None = None
    ) -> Iterator[tuple[str, str, int, Sequence[Score]]]:
        """Whole scores (with labels and details) of one scorer, in the same order."""
        ...

    # runs
    def begin_attempts(self, run: str, keys: Sequence[tuple[str, str, str, int]]) -> None:
        """Note `(behaviour, case_id, input_digest, repeat)` as about to be sent, before it is sent (durable on return)."""
        ...

    def open_attempts(self, run: str) -> set[tuple[str, str, str, int]]:
        """Attempts begun by `run` that have no exchange yet: in flight, or lost when the process died."""
        ...

    def attempts(self, run: str) -> set[tuple[str, str, str, int]]:
        """All attempts begun by `run`, answered or not: what it has paid for."""
        ...

    def add_run(self, run: str, workflow: str, body: Json, *, author: str, at: str) -> None:
        """Record that a run began: what it compares, with which settings."""
        ...

    def finish_run(self, run: str, body: Json, *, author: str, at: str) -> None:
        """Record how a run ended (a second record, not an update)."""
        ...

    def get_run(self, run: str) -> tuple[Json, Json | None]:
        """Its beginning, and its end if it has one."""
        ...

    def list_runs(self, workflow: str) -> list[tuple[str, str, Json, Json | None]]:
        """`(run, at, beginning, end)`, newest first."""
        ...

    # claims
    def claim(self, name: str, holder: Claim) -> Claim | None:
        """Hold `name` until `release` or `close`, or until this process ends in any way; `None` if it is ours now.

        Else who holds it: another process, or another part of this one. Nothing waits, and nothing is recorded.
        """
        ...

    def release(self, name: str) -> None:
        """Let go of a name that was claimed here; no error where it was not."""
        ...

    # verdicts
    def add_verdict(self, verdict: str, workflow: str, body: Json, *, author: str, at: str) -> None:
        """Record a verdict with its evidence, under its own digest."""
        ...

    def get_verdict(self, ref: str) -> tuple[str, Json]:
        """By digest or unique prefix: `(digest, body)`."""
        ...

    def list_verdicts(self, workflow: str) -> list[tuple[str, str, Json]]:
        """`(digest, at, body)`, newest first."""
        ...

    # the log
    def append_log(self, kind: str, subject: str, body: Json, *, author: str, at: str) -> LogEntry: ...

    def iter_log(self, *, after: int = 0) -> Iterator[LogEntry]: ...

    def verify_log(self) -> LogCheck:
        """Walk the chain, and check every record the log vouches for (bundles, suites, runs, verdicts) against it."""
        ...

    def close(self) -> None: ...
