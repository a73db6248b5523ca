"""What happens next to an upgrade, when, and who has to do something: in sentences, with the command that does it.

Pure: from the upgrade, what was missing at the last look, and the time. What may follow at all is `segue.upgrade.table`'s.
"""

from __future__ import annotations

import shlex

from segue.controller.moments import iso
from segue.controller.reading import PRODUCTION
from segue.errors import InputError
from segue.papers.upgrade_view import ANYBODY, NextView
from segue.upgrade.decide import UNPASSABLE, act
from segue.upgrade.event import until
from segue.upgrade.log import Upgrade
from segue.upgrade.people import due_approvals, missing_approvals
from segue.upgrade.state import UpgradeState
from segue.upgrade.table import LIVE, Action, find_row


def next_steps(
    upgrade: Upgrade, *, served_s: float, missing: tuple[str, ...] | None, now: float, learnings: int = 0
) -> tuple[NextView, ...]:
    """Everything that can follow, what waits for a person first. `learnings`: how many were recorded."""
    state = upgrade.state
    if state.is_ended:
        return (*_after_end(upgrade), *_to_learn(upgrade, learnings))
    if state.standing == "paused":
        return (_person(upgrade, "resume", "It is paused, and its time stands. Somebody resumes it."),)
    if state.stage == "retune":
        what = "The suite failed. Somebody re-tunes, and brings another candidate."
        return (_person(upgrade, "replace", what, " --candidate BUNDLE"), _person(upgrade, "abort", "Or it ends here."))
    if state.standing == "holding":
        return _held(upgrade)
    if state.stage in LIVE and not state.is_counting:
        return (_unconfirmed(upgrade, now),)
    if state.stage not in LIVE:
        return (*_asked(upgrade), NextView(_OFFLINE[state.stage]))
    return (*_asked(upgrade), _going(upgrade, served_s, missing, now))


_OFFLINE = {
    "decide": "The controller looks whether there is a reason and a usable suite; the regression eval follows by itself.",
    "eval": "The regression eval runs, or is judged; staging follows by itself where it passes.",
    "staging": "Recorded traffic is replayed in staging; what follows does so by itself where it passes.",
}


def goal_words(upgrade: Upgrade) -> str:
    """Where it goes from here: `step 3 of 3 (25 %)`, `soak`."""
    after = _goal(upgrade)
    if after is None:
        return "the end"
    if after.stage != "canary":
        return {"soak": "soak, with everyone", "completed": "its end: completed"}.get(after.stage, after.stage)
    step = upgrade.plan.canary[after.step]
    whom = f" of {step.segment}" if step.segment else ""
    return f"step {after.step + 1} of {len(upgrade.plan.canary)}, {100 * step.share:.4g} %{whom}"


def command(upgrade: Upgrade, action: Action, rest: str = "") -> str:
    """The words to type."""
    opening = upgrade.opening
    where = "" if opening.environment == PRODUCTION else f" --environment {shlex.quote(opening.environment)}"
    words = "segue rollback" if action == "roll_back" else f"segue upgrade {action.replace('_', '-')}"
    return f"{words} {shlex.quote(opening.workflow)}{rest}{where} --reason '…'"


def _after_end(upgrade: Upgrade) -> tuple[NextView, ...]:
    opening, state = upgrade.opening, upgrade.state
    name = shlex.quote(opening.workflow)
    if state.stage == "completed":
        return (NextView("It is done. The incumbent may be retired, and the candidate is the next one's incumbent."),)
    if state.stage == "rolled_back":
        what = "Users are back on the incumbent. Before another attempt at this model, its root cause and a case are recorded."
        return (NextView(what, command=f"segue incident show {name}"),)
    again = f"segue upgrade {name} --candidate BUNDLE"
    return (NextView(f"It ended as {state.stage}; nobody met the candidate. Another can be opened.", command=again),)


def _to_learn(upgrade: Upgrade, learnings: int) -> tuple[NextView, ...]:
    """Asked for once users have met the candidate, also where all went well, until somebody has said anything."""
    if upgrade.state.stage not in ("completed", "rolled_back") or learnings:
        return ()
    what = "What did it teach: drift that was found, cases that would have helped, lessons of the prompt? Nobody has said yet."
    name = shlex.quote(upgrade.opening.upgrade)
    return (NextView(what, who=_operators(upgrade), command=f"segue upgrade learn {name} --about cases '…'"),)


def _held(upgrade: Upgrade) -> tuple[NextView, ...]:
    state = upgrade.state
    what = "It holds: share and stage stay as they are until people have looked."
    looks = NextView(what, who=_operators(upgrade), command=f"segue why {shlex.quote(upgrade.opening.workflow)}")
    found = [looks]
    if find_row(state.stage, state.standing, "resume", state.held_by) is not None:
        found.append(_person(upgrade, "resume", "Once what held it is mended, or somebody answers for it, it goes on:"))
    if find_row(state.stage, state.standing, "advance", state.held_by) is not None and state.held_by not in UNPASSABLE:
        found.append(_person(upgrade, "advance", "Or it is left as it is, and the next stage or step begins:"))
    if state.stage in LIVE and find_row(state.stage, state.standing, "roll_back", state.held_by) is not None:
        found.append(_person(upgrade, "roll_back", "Or users go back:"))
    elif find_row(state.stage, state.standing, "abort", state.held_by) is not None:
        found.append(_person(upgrade, "abort", "Or it ends here:"))
    return tuple(found)


def _asked(upgrade: Upgrade) -> tuple[NextView, ...]:
    """The approvals that are still to be given before this stage or step is left."""
    state, plan = upgrade.state, upgrade.plan
    missing = set(missing_approvals(state, plan))
    return tuple(
        NextView(f"{rule.name} has to say yes before {goal_words(upgrade)}.", who=rule.who, command=command(upgrade, "approve"))
        for rule in due_approvals(state, plan)
        if rule.name in missing
    )


def _going(upgrade: Upgrade, served_s: float, missing: tuple[str, ...] | None, now: float) -> NextView:
    earliest, latest = until(upgrade.state, upgrade.plan, served_s, now)
    what = f"On to {goal_words(upgrade)}"
    what += ", by itself" if not missing_approvals(upgrade.state, upgrade.plan) else ""
    if missing is None:
        what += "; what is still missing for it is not known yet"
    elif missing:
        what += f", once what is missing is there ({len(missing)} thing{'' if len(missing) == 1 else 's'})"
    if latest is not None and missing:
        what += _decided_by(latest)
    return NextView(f"{what}.", at=None if earliest is None else iso(earliest))


def _unconfirmed(upgrade: Upgrade, now: float) -> NextView:
    """Its time stands until the gateways serve what was asked for."""
    _, latest = until(upgrade.state, upgrade.plan, 0.0, now)
    begins = "begins once every gateway has confirmed the route"
    what = "goes on once every gateway serves the route again" if upgrade.state.periods else begins
    return NextView(f"Its time {what}{_decided_by(latest)}.")


def _decided_by(latest: float | None) -> str:
    return "" if latest is None else f"; a person decides if it is not by {iso(latest)[:16].replace('T', ' ')} UTC"


def _person(upgrade: Upgrade, action: Action, what: str, rest: str = "") -> NextView:
    plan = upgrade.plan
    who = tuple(dict.fromkeys((*plan.operators, *plan.roll_back))) if action == "roll_back" else plan.operators
    return NextView(what, who=who or (ANYBODY,), command=command(upgrade, action, rest))


def _operators(upgrade: Upgrade) -> tuple[str, ...]:
    return upgrade.plan.operators or (ANYBODY,)


def _goal(upgrade: Upgrade) -> UpgradeState | None:
    """Where *advance* would lead: the table's own answer. The approvals it wants are not the question here."""
    free = upgrade.plan.model_copy(update={"approvals": (), "operators": ()})
    state = upgrade.state.model_copy(update={"held_by": ""})
    try:
        return act(state, "advance", free, by="-", reason="-", at=state.entered_at).state
    except InputError:
        return None
