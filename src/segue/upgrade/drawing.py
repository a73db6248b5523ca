"""The state machine as people read it: tables and diagram of `docs/upgrade.md`, drawn from the rows. Pure text.

`python -m tests.upgrade.page` writes them into the page; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from segue.upgrade.state import ENDED, ORDER, Role, Stage, Standing
from segue.upgrade.table import ANY, ROWS, Action, Effect, Event, Observed, Row

MEANINGS: Mapping[Event, str] = {
    "rolled_back_elsewhere": "the incumbent is in force again, and it was not the upgrade that flipped",
    "critical_incident": "a critical safety incident was confirmed",
    "harm": "harm beyond a rollback limit was shown",
    "route_changed": "somebody else changed the route",
    "incumbent_silent": "the incumbent does not answer: there would be nothing to go back to",
    "invalid": "the two arms cannot be compared: shares are not as set, or labels come back differently",
    "harm_hold": "harm beyond a hold limit was shown",
    "over_budget": "an absolute budget is exceeded",
    "incumbent_unheard": "for a twenty-fourth of a cycle nobody has known whether the incumbent answers",
    "unserved": "for a whole cycle some gateway has not served the route, or there was none; the same after each resumption",
    "unconfirmed": "some gateway does not serve the route any more that it had confirmed",
    "quiet": "nothing has arrived for a whole cycle",
    "overdue": "at its longest length it is still not settled, or offline nothing has moved for a day; the same after each "
    "resumption from that",
    "confirmed": "the last gateway says that it serves what was asked for",
    "needs_approval": "all is there but somebody's yes",
    "passed": "everything that the stage or step asks for is there",
    "unsound": "there is no reason to migrate, or no suite to judge by",
    "suite_open": "the suite's verdict is *hold*",
    "suite_failed": "the suite's verdict is *fail*",
    "suite_equal": "the suite passed, and nothing speaks for migrating",
    "staging_failed": "staging found what breaks an integration, or what nobody can explain",
    "advance": "go on without what is missing",
    "approve": "say yes where a rule of approval asks for it",
    "hold": "stop it, and let people look",
    "pause": "stop its clock",
    "resume": "go on from where it stands",
    "roll_back": "take users back; before shadow, hold it, as nobody has met the candidate",
    "abort": "end it before users meet the candidate",
    "replace": "begin again with another candidate",
    "defer": "end it for now",
}
EFFECTS: Mapping[Effect, str] = {
    "flip": "flip the route",
    "notify": "tell those who want to hear",
    "incident": "open an incident",
    "ask_approval": "ask for the approval",
    "start_clock": "start the clock",
    "stop_clock": "stop the clock",
    "fresh_evidence": "begin the evidence anew",
    "run_suite": "run the suite",
    "run_staging": "replay in staging",
}
ROLES: Mapping[Role, str] = {"operator": "an operator", "approver": "an approver", "rescuer": "who may roll back"}


def words(name: str) -> str:
    """`rolled_back` as `rolled back`."""
    return name.replace("_", " ")


def table_markdown() -> str:
    """Every row of the machine, in its order."""
    lines = ["| event | in | while | leads to | and then | who |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(_line(row) for row in ROWS)])


def events_markdown() -> str:
    """What evidence can amount to, worst first, and what people can do."""
    lines = ["| event | what it means |", "|---|---|"]
    names: tuple[Event, ...] = (*get_args(Observed), *get_args(Action))
    return "\n".join([*lines, *(f"| {words(one)} | {MEANINGS[one]} |" for one in names)])


def diagram() -> str:
    """How stages follow each other, for Mermaid. What leaves the stage as it is is not drawn."""
    edges: dict[tuple[Stage, Stage], dict[str, None]] = {}
    for row in ROWS:
        for begin, end in _moves(row):
            edges.setdefault((begin, end), {})[words(row.event)] = None
    drawn = [f"    {begin} --> {end}: {', '.join(events)}" for (begin, end), events in edges.items()]
    named = [f'    state "{words(one)}" as {one}' for one in get_args(Stage) if "_" in one]
    ends = [f"    {one} --> [*]" for one in get_args(Stage) if one in ENDED]
    return "\n".join(["stateDiagram-v2", *named, "    [*] --> decide", *drawn, *ends])


def _moves(row: Row) -> Iterator[tuple[Stage, Stage]]:
    for stage in get_args(Stage):
        if stage not in row.stages or row.to == "same":
            continue
        if row.to != "next":
            yield stage, row.to
            continue
        if stage == "canary":
            yield stage, stage
        here = ORDER.index("eval" if stage == "retune" else stage)
        yield stage, ORDER[here + 1]


def _line(row: Row) -> str:
    stages = _joined(one for one in get_args(Stage) if one in row.stages)
    goal = {"same": "–", "next": "the next stage or step"}.get(row.to, words(row.to))
    effects = _joined(EFFECTS[one] for one in row.effects) or "–"
    who = "evidence" if row.who is None else ROLES[row.who]
    return f"| {words(row.event)} | {stages} | {_standing(row)} | {_goal(row, goal)} | {effects} | {who} |"


def _standing(row: Row) -> str:
    if row.held_by is not None:
        return f"held by {words(row.held_by)}"
    return "any" if row.standings == ANY else _joined(one for one in get_args(Standing) if one in row.standings)


def _goal(row: Row, goal: str) -> str:
    """Standing is told where it is another than going, or changes nothing."""
    if row.standing in ("keep", "going"):
        resumed = row.standing == "going" and row.to == "same" and "going" not in row.standings
        return "going" if resumed else goal
    return row.standing if goal == "–" else f"{goal}, {row.standing}"


def _joined(names: Iterable[str]) -> str:
    return ", ".join(words(one) for one in names)
