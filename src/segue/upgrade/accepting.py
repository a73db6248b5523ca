"""What a person who resumes takes upon them, by name, and what a look shows beyond it. Pure; which event counts: `event.py`.

Accepted is what the entry that held it named, in this step: `harm_hold:METRIC@SLICE` for each cell beyond its hold limit, and
`over_budget:NAME`. A name without a colon accepts all of its kind, as older logs have it. The longest length has no name: it
begins anew (`UpgradeState.lasts_from_s`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from segue.evidence.sequential.cells import POOLED
from segue.evidence.sequential.verdicts import Evidence, Judgement
from segue.upgrade.seen import OverBudget, Seen
from segue.upgrade.state import UpgradeState
from segue.upgrade.table import Event

WHOLE: frozenset[str] = frozenset(("incumbent_unheard",))
"""What is accepted as it is, for the rest of the step."""
TOGETHER = "together"
"""The harm of all cells at once, where none of them is named."""
EVERYONE = "everyone"


def held_for(event: Event, seen: Seen) -> tuple[str, ...]:
    """What holds it, by name, as far as a person can take it upon them part by part."""
    if event == "harm_hold" and seen.judgement is not None:
        return tuple(_names_of_harm(seen.judgement))
    if event == "over_budget":
        return tuple(_name("over_budget", one.budget) for one in seen.over_budget)
    return ()


def taken_upon(state: UpgradeState, accepted: Iterable[str], at: float) -> dict[str, Any]:
    """What a resumption changes: added to what stays `accepted`, who resumes takes upon them what held it, and no more."""
    if state.held_by == "overdue":
        return {"lasts_from_s": state.counted_s(at)}
    return {"accepted": tuple(sorted({*accepted, *state.held_for, *({state.held_by} & WHOLE)}))}


def has_new_harm(state: UpgradeState, judgement: Judgement) -> bool:
    """Whether harm beyond a hold limit is shown where nobody took it upon them."""
    return judgement.verdict == "harm" and not all(_is_accepted(state, one) for one in _names_of_harm(judgement))


def new_harm(state: UpgradeState, judgement: Judgement) -> tuple[Evidence, ...]:
    """The cells with it; none where only all of them together show it."""
    return tuple(
        one
        for one in judgement.cells
        if one.verdict == "harm" and not _is_accepted(state, _name_of_cell(one.metric, one.slice))
    )


def new_overruns(state: UpgradeState, over: Iterable[OverBudget]) -> tuple[OverBudget, ...]:
    """The budgets that are exceeded and that nobody took upon them."""
    return tuple(one for one in over if not _is_accepted(state, _name("over_budget", one.budget)))


def _names_of_harm(judgement: Judgement) -> list[str]:
    found = [_name_of_cell(metric, name) for metric, name in judgement.culprits]
    return found or [_name("harm_hold", TOGETHER)]


def _name_of_cell(metric: str, name: str) -> str:
    return _name("harm_hold", f"{metric}@{EVERYONE if name == POOLED else name}")


def _name(event: Event, what: str) -> str:
    return f"{event}:{what}"


def _is_accepted(state: UpgradeState, name: str) -> bool:
    return name in state.accepted or name.partition(":")[0] in state.accepted
