"""What people do to an upgrade under way: read the log, have `segue.upgrade` decide, append. Works while no controller runs.

An action becomes true by being written; its effects are carried out by whichever controller acts, now or later. What was
appended meanwhile is read before a second try: an action never lands on a step its author has not seen.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, get_args

from segue.controller.moments import iso
from segue.controller.reading import PRODUCTION, read_upgrade
from segue.errors import ConflictError, NotFoundError
from segue.model import Json
from segue.store.base import Store
from segue.upgrade.decide import act, where
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.table import Action

ACTIONS: tuple[Action, ...] = get_args(Action)
LOOK = "look"
"""The kind of fact that says what the controller saw last."""
_FORWARD: frozenset[Action] = frozenset(("advance", "approve", "resume", "replace"))
"""What is meant for the step its author saw; to stop is meant for any."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be sent again: what it is known by, and the digest of what it asks for."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A candidate may take the place of another: in spite of which ways, and with which warnings."""

    despite: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Admission(Protocol):
    """Whether a candidate may take the place of the one that an upgrade has, as it would be asked at an opening."""

    def __call__(self, upgrade: Upgrade, candidate: str, despite: tuple[str, ...], at: float) -> Admitted:
        """`InputError` with what speaks against it. `despite` are the ways that whoever replaces it answers for."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants done."""

    action: Action
    by: str
    reason: str
    at: float
    candidate: str | None = None
    key: str = ""
    request: Request | None = None
    despite: tuple[str, ...] = ()
    admission: Admission | None = None


def act_on(
    store: Store,
    workflow: str,
    action: Action,
    *,
    by: str,
    reason: str,
    at: float,
    environment: str = PRODUCTION,
    candidate: str | None = None,
    key: str = "",
    request: Request | None = None,
    of: str | None = None,
    despite: tuple[str, ...] = (),
    admission: Admission | None = None,
) -> UpgradeEntry:
    """Do it, and write it down; `key` names the API key it came with, and a `request` counts once.

    With `of` it is meant for that upgrade alone, and never for one that was opened since. Whoever replaces a candidate brings
    along who admits one (`segue.controller.admission`), and the ways they answer for.

    `InputError` where it is not possible there, or not theirs; `ConflictError` where the upgrade moved on meanwhile;
    `NotFoundError` where there is none.
    """
    upgrade = read_upgrade(store, workflow, environment)
    if of is not None and upgrade.opening.upgrade != of:
        raise _is_another(upgrade, of)
    asked = Asked(action, by, reason, at, candidate, key, request, despite, admission)
    try:
        return _append(store, upgrade, asked)
    except ConflictError:
        again = read_upgrade(store, workflow, environment)
        made = None if request is None else made_before(again, request)
        if made is not None:
            return made
        if again.opening.upgrade != upgrade.opening.upgrade:
            raise _is_another(again, upgrade.opening.upgrade) from None
        if action in _FORWARD and _place(again) != _place(upgrade):
            raise ConflictError(
                f"'{workflow}' moved on meanwhile: it was in {where(upgrade.state)}, and is in {where(again.state)} now.",
                fix=f"Look, and say again what you want: segue status {workflow}",
            ) from None
        return _append(store, again, asked)


def _is_another(found: Upgrade, meant: str) -> ConflictError:
    """What was meant for one upgrade is not done to the next."""
    workflow = found.opening.workflow
    return ConflictError(
        f"'{workflow}' has another upgrade by now: {found.opening.upgrade}; this was meant for {meant}.",
        fix=f"Look, and say again what you want: segue status {workflow}",
    )


def _append(store: Store, upgrade: Upgrade, asked: Asked) -> UpgradeEntry:
    opening = upgrade.opening
    by, at = asked.by, asked.at
    if asked.request is not None and (made := made_before(upgrade, asked.request)) is not None:
        return made
    decision = act(upgrade.state, asked.action, upgrade.plan, by=by, reason=asked.reason, at=at, candidate=asked.candidate)
    admitted = _admitted(upgrade, asked)
    entry = UpgradeEntry(
        upgrade=opening.upgrade,
        number=decision.state.number,
        event=decision.event,
        by=by,
        at=at,
        because=(*decision.because, *(f"In spite of: {one}." for one in asked.despite)),
        effects=decision.effects,
        evidence=_evidence(store, upgrade, asked, admitted),
        state=decision.state,
    )
    store.add_upgrade_entry(
        opening.upgrade,
        entry.number,
        entry.model_dump(mode="json"),
        ends=entry.state.is_ended,
        fence=None,
        author=signed(by, asked.key),
        at=iso(at),
    )
    return entry


def _admitted(upgrade: Upgrade, asked: Asked) -> Admitted:
    """Another candidate is asked what the first one was; nothing else is."""
    if asked.action != "replace":
        return Admitted()
    assert asked.admission is not None, "whoever replaces a candidate brings along who admits one"
    assert asked.candidate is not None, "refused without one"
    return asked.admission(upgrade, asked.candidate, asked.despite, asked.at)


def signed(by: str, key: str) -> str:
    """A person as the store's log has them: with the key they came with, where it was not the command line."""
    return f"{by} (key {key})" if key else by


def warnings_of(entry: UpgradeEntry) -> list[str]:
    """What whoever replaced a candidate was warned of."""
    found = entry.evidence.get("warnings")
    return [str(one) for one in found] if isinstance(found, list) else []


def made_before(upgrade: Upgrade, request: Request) -> UpgradeEntry | None:
    """The entry that this very request made already. `ConflictError` where its name was given to another one."""
    for entry in upgrade.entries:
        noted = entry.evidence.get("request")
        if isinstance(noted, dict) and noted.get("name") == request.name:
            if noted.get("digest") != request.digest:
                raise ConflictError(
                    f"This Idempotency-Key belongs to another request, which made entry {entry.number}.",
                    fix="Draw a fresh key for each request, and repeat it only with the same body.",
                )
            return entry
    return None


def _evidence(store: Store, upgrade: Upgrade, asked: Asked, admitted: Admitted) -> dict[str, Json]:
    """What stood before whoever acted: the route in force, the number of the controller's last look, what they answer for."""
    found: dict[str, Json] = {"key": asked.key} if asked.key else {}
    if asked.action == "replace":
        found |= {"despite": list(admitted.despite), "warnings": list(admitted.warnings)}
    if asked.request is not None:
        found["request"] = {"name": asked.request.name, "digest": asked.request.digest}
    opening = upgrade.opening
    with suppress(NotFoundError):
        found["route"] = store.find_route(opening.workflow, opening.environment).revision
    look = store.newest_fact(LOOK, opening.upgrade)
    if look is not None:
        found["look"] = look.number
    return found


def _place(upgrade: Upgrade) -> tuple[str, str, int, str, str]:
    """With what holds it: whoever resumes takes that upon them, and nothing that they have not seen."""
    state = upgrade.state
    return state.upgrade, state.stage, state.step, state.candidate, state.held_by
