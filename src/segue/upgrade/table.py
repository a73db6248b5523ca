"""What may follow from where: the whole state machine, as rows. The table of the docs is drawn from here.

An event is what an observation amounts to, or what a person does. A pair of stage and event without a row is refused for a
person, and changes nothing for evidence. Which events there are, and how they are told apart, is `event.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from segue.upgrade.state import EXPOSED, OFFLINE, Role, Stage, Standing

Observed = Literal[
    "rolled_back_elsewhere",
    "critical_incident",
    "harm",
    "route_changed",
    "incumbent_silent",
    "invalid",
    "harm_hold",
    "over_budget",
    "incumbent_unheard",
    "unserved",
    "unconfirmed",
    "quiet",
    "overdue",
    "confirmed",
    "needs_approval",
    "passed",
    "unsound",
    "suite_open",
    "suite_failed",
    "suite_equal",
    "staging_failed",
]
"""Worst first: of all that holds at one look, the first one counts."""
Action = Literal["advance", "approve", "hold", "pause", "resume", "roll_back", "abort", "replace", "defer"]
Event = Observed | Action
Effect = Literal[
    "flip", "notify", "incident", "ask_approval", "start_clock", "stop_clock", "fresh_evidence", "run_suite", "run_staging"
]
"""flip: bring the route to what stage and step ask for. fresh_evidence: what was served before counts no more.
All are idempotent and named by the entry that asked for them."""
To = Stage | Literal["same", "next"]

LIVE: frozenset[Stage] = frozenset(("shadow", *EXPOSED))
ANY: frozenset[Standing] = frozenset(("going", "holding", "paused"))
GOING: frozenset[Standing] = frozenset(("going",))
HELD: frozenset[Standing] = frozenset(("holding",))
STOOD: frozenset[Standing] = frozenset(("holding", "paused"))
UNDECIDED: frozenset[Stage] = OFFLINE | {"shadow"}
WORKING: frozenset[Stage] = (OFFLINE | LIVE) - {"retune"}
"""Where something goes on that can be held. Re-tuning is people's work, and waits for them as it is."""


@dataclass(frozen=True, slots=True)
class Row:
    """In one of `stages` and `standings`, `event` leads `to` there; `who` is the role a person needs, `None` is evidence.

    With `held_by`, only where this event holds it; such a row goes before the one without.
    """

    event: Event
    stages: frozenset[Stage]
    standings: frozenset[Standing]
    to: To
    standing: Standing | Literal["keep"] = "going"
    effects: tuple[Effect, ...] = ()
    who: Role | None = None
    held_by: Observed | None = None


def _on(*stages: Stage) -> frozenset[Stage]:
    return frozenset(stages)


def _holds(events: Iterable[Event], stages: frozenset[Stage], standings: frozenset[Standing] = GOING) -> tuple[Row, ...]:
    return tuple(Row(event, stages, standings, "same", "holding", ("notify",)) for event in events)


_BACK: tuple[Effect, ...] = ("flip", "incident", "notify")
_AGAIN: tuple[Effect, ...] = ("flip", "fresh_evidence", "run_suite", "notify")

ROWS: tuple[Row, ...] = (
    # What takes users back, whatever else stands or waits.
    Row("rolled_back_elsewhere", EXPOSED, ANY, "rolled_back", effects=("incident", "notify")),
    Row("rolled_back_elsewhere", _on("shadow"), ANY, "stopped", effects=("notify",)),
    Row("critical_incident", EXPOSED, ANY, "rolled_back", effects=_BACK),
    Row("critical_incident", _on("shadow"), ANY, "stopped", effects=_BACK),
    Row("harm", EXPOSED, ANY, "rolled_back", effects=_BACK),
    # What makes people look. Share and stage stay as they are.
    *_holds(("harm",), _on("shadow")),
    *_holds(("route_changed", "incumbent_silent", "invalid", "harm_hold", "over_budget"), LIVE),
    *_holds(("incumbent_unheard", "unserved", "quiet", "overdue"), LIVE),
    # Held for less, it is held for this: nobody may advance past it.
    *_holds(("incumbent_silent", "invalid"), LIVE, HELD),
    *_holds(("overdue",), OFFLINE - {"retune"}),
    *_holds(("unsound",), _on("decide")),
    *_holds(("suite_open",), _on("eval")),
    *_holds(("staging_failed",), _on("staging")),
    # What goes on by itself.
    Row("passed", _on("decide"), GOING, "next", effects=("run_suite",)),
    Row("passed", _on("eval"), GOING, "next", effects=("run_staging", "notify")),
    Row("suite_failed", _on("eval"), GOING, "retune", "holding", ("notify",)),
    Row("suite_equal", _on("eval"), GOING, "deferred", effects=("notify",)),
    Row("passed", _on("staging"), GOING, "next", effects=("flip", "notify")),
    Row("unconfirmed", LIVE, GOING, "same", effects=("stop_clock",)),
    Row("confirmed", LIVE, GOING, "same", effects=("start_clock",)),
    Row("needs_approval", LIVE | {"staging"}, GOING, "same", effects=("ask_approval", "notify")),
    Row("passed", LIVE, GOING, "next", effects=("flip", "notify")),
    # What people do.
    Row("roll_back", EXPOSED, ANY, "rolled_back", effects=_BACK, who="rescuer"),
    Row("roll_back", _on("shadow"), ANY, "stopped", effects=("flip", "notify"), who="rescuer"),
    # Before that there is nobody to take back. Whoever may roll back and no more keeps it from going on; operators abort.
    Row("roll_back", OFFLINE, ANY - HELD, "same", "holding", ("notify",), "rescuer"),
    Row("roll_back", OFFLINE, HELD, "same", "keep", ("notify",), "rescuer"),
    Row("hold", WORKING, GOING, "same", "holding", ("notify",), "operator"),
    Row("pause", WORKING, GOING, "same", "paused", ("notify",), "operator"),
    Row("resume", LIVE, HELD, "same", effects=("flip", "fresh_evidence", "notify"), who="operator", held_by="invalid"),
    Row("resume", LIVE, STOOD, "same", effects=("flip", "notify"), who="operator"),
    Row("resume", _on("eval"), HELD, "same", effects=("run_suite", "notify"), who="operator", held_by="suite_open"),
    Row("resume", _on("decide", "eval", "staging"), STOOD, "same", effects=("notify",), who="operator"),
    Row("approve", LIVE | {"staging"}, ANY, "same", "keep", ("notify",), "approver"),
    Row("advance", _on("decide"), ANY, "next", effects=("run_suite", "notify"), who="operator"),
    Row("advance", _on("eval", "retune"), ANY, "next", effects=("run_staging", "notify"), who="operator"),
    # Not while it is paused: what was seen meanwhile would be passed over.
    Row("advance", LIVE | {"staging"}, GOING | HELD, "next", effects=("flip", "notify"), who="operator"),
    Row("replace", _on("decide"), ANY, "decide", effects=("fresh_evidence", "notify"), who="operator"),
    Row("replace", UNDECIDED - {"decide"}, ANY, "eval", effects=_AGAIN, who="operator"),
    Row("abort", UNDECIDED, ANY, "stopped", effects=("flip", "notify"), who="operator"),
    Row("defer", _on("decide", "eval", "retune", "staging"), ANY, "deferred", effects=("notify",), who="operator"),
)


def find_row(stage: Stage, standing: Standing, event: Event, held_by: str = "") -> Row | None:
    """The row for this event here, if there is one. No two rows answer to the same."""
    for row in ROWS:
        if row.event == event and stage in row.stages and standing in row.standings and row.held_by in (None, held_by):
            return row
    return None
