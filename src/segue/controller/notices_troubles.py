"""What people are told of though nothing was decided: a stage past its planned length, trouble of the daily eval, a fault that
lasts.

Each once, when it begins: a fact says which were told, and a notice goes to those who want to hear when people are needed. No
decision reads it. What is wrong is `soak_lacks`' and `daily_facts`' to say; what a notice looks like, `notices_made`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from segue.controller.daily_facts import LATE_DAYS, daily_seen
from segue.controller.effects import AUTHOR
from segue.controller.moments import iso
from segue.controller.notices_made import Trouble
from segue.controller.notices_seen import TROUBLE, list_troubles
from segue.controller.ports import LedFault
from segue.model import Json
from segue.store.upgrades import Fence, UpgradeStore
from segue.upgrade.event import DAY_S, LATE, lacks, lengths
from segue.upgrade.log import Upgrade
from segue.upgrade.seen import Seen
from segue.upgrade.table import LIVE

OVERTIME, DAILY, LED_FAULT = "past_length", "daily_trouble", "led_fault"
MOST_SENTENCES = 20
"""A notice is no report: `segue status` has the rest."""


@dataclass(frozen=True, slots=True)
class Troubles:
    """Looks for what has begun, writes it down, and has it told by `tell`."""

    store: UpgradeStore
    tell: Callable[[Upgrade, Trouble], None]

    def look(self, upgrade: Upgrade, seen: Seen, now: float, fence: Fence | None) -> None:
        """After the controller's own look, a few times a cycle."""
        self._once(upgrade, OVERTIME, _past_length(upgrade, seen, now), now, fence)
        self._once(upgrade, DAILY, _of_daily(self.store, upgrade, now), now, fence)

    def led_fault(self, upgrade: Upgrade, fault: LedFault, now: float, fence: Fence | None) -> None:
        """Of a fault that lasts: nothing moves until somebody mends it."""
        key = f"since {fault.since:.0f}"
        said = [f"It cannot be led on since {iso(fault.since)}: {fault.what}", fault.fix]
        self._once(upgrade, LED_FAULT, [(key, one) for one in said if one], now, fence)

    def _once(self, upgrade: Upgrade, what: str, found: Iterable[tuple[str, str]], now: float, fence: Fence | None) -> None:
        """`found` are keys and sentences: those of a key that was told already are left out."""
        pairs = list(found)
        if not pairs:
            return
        known = list_troubles(self.store, upgrade)
        told = {key for one in known if one.what == what for key in one.keys}
        new = [(key, sentence) for key, sentence in pairs if key not in told]
        if new:
            keys, because = (tuple(dict.fromkeys(one)) for one in zip(*new, strict=True))
            trouble = Trouble(len(known) + 1, what, now, keys, because[:MOST_SENTENCES])
            self._save(upgrade, trouble, fence)
            self.tell(upgrade, trouble)

    def _save(self, upgrade: Upgrade, one: Trouble, fence: Fence | None) -> None:
        opening = upgrade.opening
        body: dict[str, Json] = {"what": one.what, "at": one.at, "keys": list(one.keys), "because": list(one.because)}
        at = iso(one.at)
        self.store.add_fact(TROUBLE, opening.workflow, opening.upgrade, body, author=AUTHOR, at=at, fence=fence)


def _past_length(upgrade: Upgrade, seen: Seen, now: float) -> Iterator[tuple[str, str]]:
    """Shadow or soak, served for as long as the plan asks and an eighth of a cycle more, and something is missing yet.

    A step of the canary extends by itself; what waits for somebody's yes alone has been told as that.
    """
    state, plan = upgrade.state, upgrade.plan
    if state.stage not in ("shadow", "soak") or state.standing != "going" or not state.is_counting:
        return
    need, longest = lengths(state, plan)
    counted = state.counted_s(now)
    if counted < need + LATE * plan.cycle * DAY_S or counted >= longest:
        return
    is_heard = seen.incumbent_answers is True or "incumbent_unheard" in state.accepted
    if seen.missing == () and is_heard and seen.served_s >= need:
        return
    key = f"{state.stage} {state.entered_at:.0f} {state.restarts}"
    until = iso(now + longest - counted)
    yield key, f"The {state.stage} has had its planned length and cannot end. Unsettled, it holds at {until}."
    for one in lacks(state, seen, need):
        yield key, one


def _of_daily(store: UpgradeStore, upgrade: Upgrade, now: float) -> Iterable[tuple[str, str]]:
    """What is wrong with the daily eval, or what it shows; not that it is missing where it could not have been made yet."""
    live = next((one.at for one in upgrade.entries if one.state.stage in LIVE), now)
    days = _day(now).toordinal() - _day(live).toordinal()
    for one in daily_seen(store, upgrade, now).troubles:
        if not one.is_absence or days >= LATE_DAYS:
            yield one.key, one.sentence


def _day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()
