"""What `segue status` says beside the gates: read from facts alone, and silent about what nobody told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from segue.controller import probing
from segue.controller.daily_facts import DailyMetric, DailyResult, save_daily
from segue.controller.projection import project_month
from segue.controller.reading import read_record
from segue.controller.review import draw_now
from segue.controller.soak_facts import measure_month, save_month, soak_facts_view
from segue.controller.tickets import record_tickets
from segue.controller.views import status_view
from segue.papers.upgrade_view import SoakFactView
from segue.store.memory import MemoryStore
from tests.controller.test_projection import measures
from tests.controller.test_review import Served
from tests.controller.undertaken import NEW, NOW, OLD, an_upgrade
from tests.store.builders import WHO

DAY_S = 86_400.0
TODAY = datetime.fromtimestamp(NOW, UTC).date()


def told(store: MemoryStore, now: float = NOW) -> dict[str, SoakFactView]:
    (record,) = store.list_upgrades()
    return {one.name: one for one in soak_facts_view(store, read_record(record), now)}


def test_a_young_upgrade_says_that_nothing_was_measured_yet() -> None:
    """And nothing of tickets, probes and costs that nobody told of."""
    store = MemoryStore()
    an_upgrade(store)
    found = told(store)
    assert {name: one.is_trouble for name, one in found.items()} == {"daily eval": False, "reading": False}
    assert found["daily eval"].sentence == "None was made yet."


def test_before_the_candidate_answers_anybody_there_is_less_to_say() -> None:
    """The daily eval of the incumbent goes on all the same."""
    store = MemoryStore()
    an_upgrade(store, stage="eval")
    assert set(told(store)) == {"daily eval"}


def test_figures_and_trouble_of_the_daily_eval() -> None:
    """Two days without one are trouble."""
    store = MemoryStore()
    upgrade = an_upgrade(store)
    metrics = {"right": DailyMetric(cells={"": (50, 47.0, 47.0)})}
    result = DailyResult(
        day=TODAY.isoformat(), bundle=OLD.digest, role="incumbent", cases="c", n_cases=50, n_answered=50, metrics=metrics
    )
    save_daily(store, upgrade, result, **WHO)
    assert told(store)["daily eval"].sentence == f"On {TODAY}: incumbent answered 50 of 50, right 0.94."
    late = told(store, NOW + 2 * DAY_S)["daily eval"]
    assert (late.is_trouble, late.sentence.startswith(f"There was no daily eval since {TODAY}")) == (True, True)


def test_an_incumbent_that_fell_silent_is_trouble() -> None:
    """Since when, and why."""
    store = MemoryStore()
    an_upgrade(store)
    store.add_fact(probing.KIND, "mail", "mail-1", {"answers": True, "reason": ""}, **WHO)
    assert told(store)["incumbent"].sentence.startswith("It answers, since")
    store.add_fact(probing.KIND, "mail", "mail-1", {"answers": False, "reason": "timeout"}, **WHO)
    silent = told(store)["incumbent"]
    assert (silent.is_trouble, "timeout" in silent.sentence) == (True, True)


def test_tickets_are_shown_once_anybody_counts() -> None:
    """Unknown days included."""
    store = MemoryStore()
    an_upgrade(store)
    record_tickets(store, "mail", TODAY - timedelta(days=1), 7, "zendesk", today=TODAY, **WHO)
    assert told(store)["tickets"].sentence == (
        "7.0 tickets a day, and nothing is known of the time before; 13 days without a count."
    )


def test_the_cost_of_a_month_is_the_last_one_written_down() -> None:
    """Unknown is said to be."""
    store = MemoryStore()
    upgrade = an_upgrade(store)
    save_month(store, upgrade, project_month([measures(OLD.digest, [1e6] * 100)], DAY_S, bundles=(NEW.digest,)), **WHO)
    assert told(store)["cost"].sentence == (
        "If it served everyone: incumbent $3,043.75 (3,043.75 to 3,043.75), candidate unknown a month (as of 2024-05-01)."
    )


def test_a_month_is_measured_from_live_traffic_of_the_last_week(tmp_path: Path) -> None:
    """Without evals, probes, and what came before."""
    served = Served(tmp_path)
    upgrade = an_upgrade(MemoryStore())
    served.add(10)
    served.add(5, tags=("eval",))
    served.add(5, environment="staging")
    served.put("old", int((NOW - 9 * DAY_S) * 1e9), "yes")
    found = measure_month(served.log, upgrade, NOW + DAY_S)
    assert found.requests_per_day == 10
    (one,) = [row for row in found.bundles if row.bundle == OLD.digest]
    assert (one.n, one.usd_per_month) == (10, None)


def test_what_is_unread_is_told_with_the_command(tmp_path: Path) -> None:
    """And is a part of the status as a whole."""
    store, served = MemoryStore(), Served(tmp_path)
    upgrade = an_upgrade(store)
    served.add(4)
    draw_now(store, served.log, upgrade, NOW + 100, **WHO)
    view = status_view(store, upgrade, NOW)
    reading = next(one for one in view.beside if one.name == "reading")
    assert reading.sentence == "4 of 4 drawn outputs are unread: segue review mail"
