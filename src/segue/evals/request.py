"""The words between a command and a session: what was asked for, what it came to, and where it tells how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from segue.evals.arms import PreparedArm
from segue.evals.forecast import Forecast
from segue.evals.judge_calls import JudgeProgress
from segue.evals.plan import ArmName
from segue.evals.run import Progress
from segue.evals.slicing import CaseFilter
from segue.evals.spending import Spent
from segue.gates.report import Report
from segue.model import Workflow
from segue.store.base import SuiteRecord


@dataclass(frozen=True)
class Request:
    """What the user asked for. `repeats` is `None` for the workflow's own setting."""

    workflow: str
    candidate: str
    incumbent: str | None = None
    suite: str | None = None
    only: tuple[str, ...] = ()
    repeats: int | None = None
    old_repeats: frozenset[int] | None = None
    new_repeats: frozenset[int] | None = None
    budget_microusd: float | None = None
    signed_off: str | None = None


@dataclass(frozen=True)
class Prepared:
    """Everything resolved, nothing asked yet."""

    workflow: Workflow
    suite: SuiteRecord
    old: PreparedArm
    new: PreparedArm
    only: CaseFilter
    notes: tuple[str, ...] = ()
    reprice: bool = False

    @property
    def arms(self) -> tuple[tuple[ArmName, PreparedArm], ...]:
        """Both arms by name."""
        return ("incumbent", self.old), ("candidate", self.new)


@dataclass
class Listener:
    """Where a session tells how it goes. Every field may be replaced; the defaults are silent."""

    estimated: Callable[[Forecast], None] = lambda _: None
    counted_before: Callable[[Spent, float], None] = lambda *_: None
    began: Callable[[str, int], None] = lambda *_: None
    progressed: Callable[[Progress], None] = lambda _: None
    judged: Callable[[int, JudgeProgress], None] = lambda *_: None
    scored: Callable[[int], None] = lambda _: None
    lost: Callable[[int], None] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """A report and the digest its verdict is stored under; `stopped` says why a run ended early.

    `spent` is what this run paid, and nothing for a comparison of stored results. `earlier` is what unfinished runs of the same
    eval had paid before.
    """

    report: Report
    verdict: str
    stopped: str | None = None
    progress: Progress = field(default_factory=Progress)
    judging: JudgeProgress = field(default_factory=JudgeProgress)
    spent: Spent = field(default_factory=Spent)
    earlier: Spent = field(default_factory=Spent)
