"""What a soak waits for beside its labels: the daily eval of both bundles, and outputs that people read each week.

From facts alone; what writes them is the daily job (`daily_desk`, `review`). A soak shorter than a day asks for no daily eval,
one shorter than a week for no reading. Whoever cannot have them goes on in spite of it, by name and with a reason.
"""

from __future__ import annotations

from segue.controller.daily_facts import KIND, daily_seen, list_daily
from segue.controller.moments import iso
from segue.controller.review import list_draws, review_seen
from segue.store.upgrades import UpgradeStore
from segue.upgrade.log import Upgrade

WEEK_DAYS = 7.0
DAY_S = 86_400.0


def soak_lacks(store: UpgradeStore, upgrade: Upgrade, now: float) -> tuple[str, ...]:
    """All of it, in sentences; empty where nothing is missing."""
    return (*daily_lacks(store, upgrade, now), *reading_lacks(store, upgrade, now))


def daily_lacks(store: UpgradeStore, upgrade: Upgrade, now: float) -> tuple[str, ...]:
    """No daily eval of both bundles since the soak began, or one that found trouble."""
    if upgrade.plan.soak < 1:
        return ()
    opening, since = upgrade.opening, iso(upgrade.state.entered_at)
    both = {upgrade.state.incumbent, upgrade.state.candidate}
    asked: dict[str, set[str]] = {}
    made = [one.at for one in store.list_facts(opening.workflow, kind=KIND, subject=opening.upgrade)]
    for at, one in zip(made, list_daily(store, upgrade), strict=False):
        # What was asked earlier on the day it began says nothing of it.
        if not one.absent and one.n_answered and at >= since:
            asked.setdefault(one.day, set()).add(one.bundle)
    found = daily_seen(store, upgrade, now).trouble
    if not any(both <= bundles for bundles in asked.values()):
        found = (f"The soak has no daily eval of both bundles yet: segue daily {opening.workflow}", *found)
    return found


def reading_lacks(store: UpgradeStore, upgrade: Upgrade, now: float) -> tuple[str, ...]:
    """For each whole week that the plan soaks, a draw of outputs; and every output that was drawn is read."""
    weeks = int(upgrade.plan.soak / WEEK_DAYS + 1e-9)
    if not weeks:
        return ()
    draws, name = list_draws(store, upgrade), upgrade.opening.workflow
    drawn = sum(one.until > upgrade.state.entered_at for one in draws)
    found = []
    if drawn < weeks:
        # Of a week that is over, a draw is late; one that goes on has its draw before it.
        over = int((now - upgrade.state.entered_at) / (WEEK_DAYS * DAY_S))
        late = f"; now, by hand: segue review {name} --draw" if drawn < min(over, weeks) else ""
        found.append(
            f"Outputs of {drawn} of the soak's {weeks} weeks were drawn for people to read; they are drawn with the daily eval "
            f"where their text is kept (serving: keep){late}"
        )
    seen = review_seen(store, upgrade)
    if seen.n_read < seen.n_sides:
        found.append(seen.sentence)
    return tuple(found)
