"""What holds of upgrades, leases and facts in every store: which writes are refused, and how that is said.

Pure; shared by the memory fake and the databases, as `segue.store.rules` is. The store does not read what an entry says.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from segue.errors import ConflictError, FencedError, InputError, NotFoundError
from segue.model import Json, digest_of
from segue.store.encoding import check_texts
from segue.store.upgrades import Fence

SHOWN = 5
"""How many names an ambiguous one is told to mean."""


def check_record(body: Json, **texts: str) -> str:
    """The digest of `body`. `InputError` for keys that cannot be stored, and for a body that canonical JSON cannot carry."""
    check_texts(**texts)
    for name in ("upgrade", "kind"):
        if texts.get(name) == "":
            raise InputError(f"The {name} of a record is empty.", fix="Give it a name.")
    return digest_of(body)


def check_opening(upgrade: str, workflow: str, environment: str, known: bool, still_open: str | None) -> None:
    """`still_open` names the upgrade of this workflow and environment that has not ended; `known`: the name is taken."""
    if still_open is not None:
        raise ConflictError(
            f"Workflow '{workflow}' has an upgrade in {environment} already: {still_open}.",
            fix=f"Let it end first. See where it stands: segue status {workflow}",
        )
    if known:
        raise ConflictError(f"There was an upgrade '{upgrade}' already.", fix="Give this one another name.")


def check_entry(upgrade: str, number: int, last: int, ended: bool) -> None:
    """Entry `number` may be written where `last` is the last one, 0 if there is none yet, and that one does not end it."""
    if ended:
        raise ConflictError(f"Upgrade {upgrade} ended with entry {last}.", fix="See how: segue upgrade list")
    if number != last + 1:
        there = f"entry {last} is its last" if last else "it has no entry yet"
        raise ConflictError(f"Entry {number} of upgrade {upgrade} does not follow: {there}.", fix="Read it again: segue status")


def entry_taken(upgrade: str, number: int, last: int) -> ConflictError:
    """Entry `number` is there already, and says something else."""
    return ConflictError(
        f"Entry {number} of upgrade {upgrade} was written meanwhile, with other content; entry {last} is its last.",
        fix="Read it again: segue status",
    )


def check_fence(fence: Fence, token: int | None) -> None:
    """`token` is the lease's present one, `None` if it was never taken. One that was never given is refused like an old one."""
    if token is None:
        raise FencedError(f"Nobody ever took the lease {fence.name}, so nothing can be written under it.", fix="Take it first.")
    if fence.token != token:
        raise FencedError(
            f"The lease {fence.name} is held with token {token} by now; this was written with {fence.token}.",
            fix="Nothing is lost: whoever holds it acts. Look: segue status",
        )


def check_lease(name: str, holder: str, seconds: float, now: float | None) -> None:
    """`InputError` for a lease that nobody could hold."""
    check_texts(name=name, holder=holder)
    if not (isfinite(seconds) and seconds > 0):
        raise InputError(f"A lease cannot run for {seconds} seconds.", fix="Give a finite length above 0.")
    if now is not None and not isfinite(now):
        raise InputError(f"A lease cannot be taken at {now}.", fix="Give a finite time in seconds.")


def no_upgrade(ref: str, names: Sequence[str]) -> NotFoundError:
    """There is no upgrade of this name."""
    return NotFoundError.naming("upgrade", ref, names, fix="`segue upgrade list` shows them all.")


def pick_upgrade(ref: str, names: Sequence[str]) -> str:
    """The one of `names` that is `ref`, or the only one that begins with it."""
    if ref in names:
        return ref
    matches = sorted(name for name in names if ref and name.startswith(ref))
    if not matches:
        raise no_upgrade(ref, names)
    if len(matches) > 1:
        shown = ", ".join(matches[:SHOWN])
        raise ConflictError(f"'{ref}' begins {len(matches)} upgrades: {shown}.", fix="Give more of the name.")
    return matches[0]
