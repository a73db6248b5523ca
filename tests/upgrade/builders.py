"""The smallest upgrade, judgement and observation, so that a test shows only what matters to it."""

from __future__ import annotations

from typing import Any

from segue.evidence.sequential.verdicts import Judgement
from segue.upgrade.seen import RouteSeen, Seen
from segue.upgrade.state import UpgradeState

OLD, NEW, NEWER, OTHER = (digit * 64 for digit in "abcd")


def began(**changes: Any) -> UpgradeState:
    """An upgrade that has just been opened."""
    return UpgradeState(upgrade="u1", workflow="w", incumbent=OLD, candidate=NEW, entered_at=0.0).model_copy(update=changes)


def judged(verdict: str, limit: str | None = None) -> Judgement:
    """A judgement without cells."""
    return Judgement(verdict, limit, 0.0, 0.0, (), ())  # type: ignore[arg-type]


def all_well(at: float, **changes: Any) -> Seen:
    """A look at a live stage that has everything it asks for."""
    given: dict[str, Any] = {
        "route": RouteSeen("as asked", 1),
        "judgement": judged("safe"),
        "missing": (),
        "served_s": 14_000 * 86_400.0,
        "quiet_s": 0.0,
        "incumbent_answers": True,
    }
    return Seen(at, **{**given, **changes})
