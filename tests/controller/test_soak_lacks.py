"""What a soak waits for beside its labels: daily evals of both bundles without trouble, and outputs that people read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from segue.controller.daily_facts import DailyMetric, DailyResult, save_daily
from segue.controller.moments import iso
from segue.controller.observing import observe
from segue.controller.review import DRAW, MARK
from segue.controller.soak_lacks import daily_lacks, reading_lacks
from segue.store.memory import MemoryStore
from segue.upgrade.log import Upgrade
from tests.controller.pretend import Stage
from tests.controller.undertaken import NEW, NOW, OLD, a_plan, an_upgrade
from tests.store.builders import WHO

TODAY = datetime.fromtimestamp(NOW, UTC).date().isoformat()


def soaking(store: MemoryStore, days: float = 14.0) -> Upgrade:
    """In its soak since now."""
    return an_upgrade(store, stage="soak", plan=a_plan(soak=days))


def measured(store: MemoryStore, upgrade: Upgrade, role: str, right: float = 95.0, at: str = iso(NOW + 60)) -> None:
    """A hundred cases, so many of them right."""
    bundle = OLD if role == "incumbent" else NEW
    metrics = {"right": DailyMetric(cells={"": (100, right, right)})}
    result = DailyResult(day=TODAY, bundle=bundle.digest, role=role, cases="c", n_cases=100, n_answered=100, metrics=metrics)
    save_daily(store, upgrade, result, author="ada", at=at)


def test_what_was_asked_before_it_began_says_nothing_of_it() -> None:
    """Though it was on the same day."""
    store = MemoryStore()
    upgrade = soaking(store)
    for role in ("incumbent", "candidate"):
        measured(store, upgrade, role, at=iso(NOW - 60))
    assert len(daily_lacks(store, upgrade, NOW)) == 1


def test_it_waits_for_a_daily_eval_of_both_bundles() -> None:
    """One of them alone says nothing of the other."""
    store = MemoryStore()
    upgrade = soaking(store)
    assert len(daily_lacks(store, upgrade, NOW)) == 1
    measured(store, upgrade, "incumbent")
    assert len(daily_lacks(store, upgrade, NOW)) == 1
    measured(store, upgrade, "candidate")
    assert daily_lacks(store, upgrade, NOW) == ()


def test_it_waits_while_the_daily_eval_finds_trouble() -> None:
    """A candidate far worse than the incumbent on the same day."""
    store = MemoryStore()
    upgrade = soaking(store)
    measured(store, upgrade, "incumbent")
    measured(store, upgrade, "candidate", right=20.0)
    (told,) = daily_lacks(store, upgrade, NOW)
    assert told.startswith("right got worse")


def test_days_without_a_measurement_keep_it_waiting() -> None:
    """Silence passes nothing."""
    store = MemoryStore()
    upgrade = soaking(store)
    for role in ("incumbent", "candidate"):
        measured(store, upgrade, role)
    (told,) = daily_lacks(store, upgrade, NOW + 3 * 86_400.0)
    assert "no daily eval since" in told


def drawn(store: MemoryStore, upgrade: Upgrade, number: int) -> None:
    """One output a week."""
    side = {"exchange": f"x{number}", "bundle": NEW.digest, "arm": "candidate"}
    body = {
        "draw": str(number),
        "since": NOW,
        "until": NOW + number * 7 * 86_400.0,
        "n_outputs": 1,
        "items": [{"item": f"{number}-01", "sides": [side]}],
    }
    store.add_fact(DRAW, "mail", upgrade.opening.upgrade, body, **WHO)


def read(store: MemoryStore, upgrade: Upgrade, number: int) -> None:
    """By somebody who took it for good."""
    body = {"item": f"{number}-01", "exchange": f"x{number}", "bundle": NEW.digest, "arm": "candidate", "mark": "good"}
    store.add_fact(MARK, "mail", upgrade.opening.upgrade, body, **WHO)


def test_it_waits_until_the_outputs_of_each_week_were_drawn_and_read() -> None:
    """Two weeks, two draws; what nobody read is unread."""
    store = MemoryStore()
    upgrade = soaking(store)
    assert "Outputs of 0 of the soak's 2 weeks" in reading_lacks(store, upgrade, NOW)[0]
    drawn(store, upgrade, 1)
    drawn(store, upgrade, 2)
    assert [one.split(" are ")[0] for one in reading_lacks(store, upgrade, NOW)] == ["2 of 2 drawn outputs"]
    read(store, upgrade, 1)
    read(store, upgrade, 2)
    assert reading_lacks(store, upgrade, NOW) == ()


def test_a_soak_of_hours_asks_for_neither() -> None:
    """There is no day and no week in it."""
    store = MemoryStore()
    upgrade = soaking(store, 0.5)
    assert daily_lacks(store, upgrade, NOW) == ()
    assert reading_lacks(store, upgrade, NOW) == ()


def test_what_a_soak_lacks_is_among_what_is_missing() -> None:
    """And so keeps it from completing."""
    store = MemoryStore()
    upgrade = soaking(store)
    world = replace(Stage().controller().world, store=store, soak_lacks=lambda *_: ("nobody has read",))
    missing = observe(world, upgrade, NOW).seen.missing
    assert missing is not None
    assert "nobody has read" in missing


def test_a_draw_by_hand_is_named_where_one_is_late() -> None:
    """Of a week that is over. What only draws where it is due would say nothing there."""
    store, week_s = MemoryStore(), 7 * 86_400.0
    upgrade = soaking(store)
    (young,) = reading_lacks(store, upgrade, NOW + week_s / 2)
    assert "segue review" not in young
    for weeks in (1, 2, 3):
        (late,) = reading_lacks(store, upgrade, NOW + weeks * week_s)
        assert late.endswith("now, by hand: segue review mail --draw")
    drawn(store, upgrade, 1)
    read(store, upgrade, 1)
    assert "--draw" not in reading_lacks(store, upgrade, NOW + 1.5 * week_s)[0]
    assert "--draw" in reading_lacks(store, upgrade, NOW + 2 * week_s)[0]
