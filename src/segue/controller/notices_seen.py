"""What became of notices, as facts: written by who sends (`notices`), read by who shows a status (`soak_facts`).

What is waited for follows from the log: a notice that it asks for and no fact says was delivered. Never repeats an address
beyond its host, nor a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from segue.controller.moments import iso
from segue.controller.notices_made import Notice, Trouble, notices_due, shown_address
from segue.model import Json
from segue.papers.upgrade_words import moment
from segue.store.upgrades import UpgradeStore
from segue.upgrade.log import Upgrade

NOTICE, TROUBLE = "notice", "notice-trouble"
"""Kinds of fact: what became of a notice, and a trouble that people are told of. Their subject is the upgrade."""
Fate = Literal["waiting", "delivered", "failed", "given up"]
"""waiting: an attempt went wrong, and another follows. failed: it could not be sent from there, and is sent anew by the next
controller. given up: nobody tries any more."""
DONE: frozenset[str] = frozenset(("delivered", "given up"))
WINDOW_S = 3 * 86_400.0
"""Older notices are not sent anew after a start."""
FRESH_S = 60.0
"""What is younger may be on its way."""
OVER = frozenset(("given up", "lost"))
"""Nobody sends it any more."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Notices to one receiver that share a fate: empty where no attempt is known of, `lost` where it is too old for another.

    `is_over`: nobody sends it any more, and another one was delivered there since.
    """

    to: str
    count: int
    fate: str
    reason: str = ""
    attempts: int = 0
    next_at: str | None = None
    is_over: bool = False

    @property
    def sentence(self) -> str:
        """For people."""
        notices = "1 notice" if self.count == 1 else f"{self.count} notices"
        words = f"{notices} to {self.to} not delivered"
        if self.reason:
            words += f": {self.reason.removesuffix('.')}"
        tried = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        if self.fate == "given up":
            return f"{words}; given up after {tried}."
        if self.fate == "lost":
            return f"{words}; too old to be sent any more."
        if self.next_at is not None:
            return f"{words}; tried again at {moment(self.next_at)}."
        return f"{words}; tried again once a controller acts."


def note_fate(store: UpgradeStore, notice: Notice, fate: Fate, said: dict[str, Json], *, author: str, at: float) -> None:
    """Write down what became of it, without the address. `said`: attempts, status, reason, and when the next one follows."""
    body: dict[str, Json] = {"id": notice.name, "number": notice.number, "receiver": notice.receiver, "outcome": fate, **said}
    store.add_fact(NOTICE, notice.workflow, notice.upgrade, body, author=author, at=iso(at))


def last_fates(store: UpgradeStore, upgrade: Upgrade) -> dict[tuple[str, str], dict[str, Any]]:
    """What was said last of each notice, by receiver and name."""
    facts = store.list_facts(upgrade.opening.workflow, kind=NOTICE, subject=upgrade.opening.upgrade)
    bodies = [one.body for one in facts if isinstance(one.body, dict)]
    return {(str(body.get("receiver")), str(body.get("id"))): body for body in bodies}


def list_troubles(store: UpgradeStore, upgrade: Upgrade) -> list[Trouble]:
    """Those that were written down, oldest first."""
    facts = store.list_facts(upgrade.opening.workflow, kind=TROUBLE, subject=upgrade.opening.upgrade)
    return [
        Trouble(place, str(body.get("what", "")), float(body.get("at", 0.0)), _texts(body, "keys"), _texts(body, "because"))
        for place, body in enumerate((one.body for one in facts if isinstance(one.body, dict)), 1)
    ]


def due_anew(store: UpgradeStore, upgrade: Upgrade, now: float) -> list[Notice]:
    """Young ones that no fact says were delivered or given up."""
    if not upgrade.plan.notify:
        return []
    young = [one for one in notices_due(upgrade, list_troubles(store, upgrade)) if now - one.at <= WINDOW_S]
    fates = last_fates(store, upgrade) if young else {}
    return [one for one in young if fates.get((one.receiver, one.name), {}).get("outcome") not in DONE]


def undelivered(store: UpgradeStore, upgrade: Upgrade, now: float) -> tuple[Undelivered, ...]:
    """All notices that nobody has got, together where receiver, fate and reason are the same."""
    if not upgrade.plan.notify:
        return ()
    fates = last_fates(store, upgrade)
    waits = {receiver: body for (receiver, _), body in fates.items() if body.get("outcome") == "waiting"}
    due = list(notices_due(upgrade, list_troubles(store, upgrade)))
    reached: dict[str, float] = {}
    left: dict[tuple[str, str, str], list[tuple[Notice, dict[str, Any]]]] = {}
    for one in due:
        known = fates.get((one.receiver, one.name))
        # Where nothing is known of it, it is on its way, or stands in line behind another one.
        body = waits.get(one.receiver, {}) if known is None else known
        if body.get("outcome") == "delivered":
            reached[one.receiver] = one.at
        elif body or now - one.at > FRESH_S:
            key = (one.receiver, _fate(one, body, now), str(body.get("reason", "")))
            left.setdefault(key, []).append((one, body))
    return tuple(
        Undelivered(
            to=shown_address(some[-1][0].spec.url),
            count=len(some),
            fate=fate,
            reason=reason,
            attempts=int(some[-1][1].get("attempts") or 0),
            next_at=_next_at(some[-1][1], now),
            is_over=fate in OVER and reached.get(receiver, -1.0) > some[-1][0].at,
        )
        for (receiver, fate, reason), some in left.items()
    )


def _fate(notice: Notice, body: dict[str, Any], now: float) -> str:
    """As it was said last; what nobody sends anew after so long is lost."""
    said = str(body.get("outcome", ""))
    is_old = now - notice.at > WINDOW_S
    return "lost" if is_old and said != "given up" and _next_at(body, now) is None else said


def _next_at(body: dict[str, Any], now: float) -> str | None:
    """When another attempt follows; `None` where whoever meant to make it is gone."""
    at = str(body.get("next_at", ""))
    return at if body.get("outcome") == "waiting" and at >= iso(now - FRESH_S) else None


def _texts(body: dict[str, Any], name: str) -> tuple[str, ...]:
    found = body.get(name)
    return tuple(str(one) for one in found) if isinstance(found, list) else ()
