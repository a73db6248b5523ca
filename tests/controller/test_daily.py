"""The daily eval through a gateway: both bundles pinned, kept out of evidence, scored like an eval, compared over the days."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from segue.controller.daily_change import Cell, find_changes
from segue.controller.daily_desk import DailyDesk, prepare_daily, run_daily
from segue.controller.daily_eval import choose_cases
from segue.controller.daily_facts import DailyMetric, DailyResult, daily_seen, is_measured, list_daily, save_daily
from segue.controller.moments import iso
from segue.controller.suites_endpoint import Endpoint, find_endpoint
from segue.errors import InputError, TamperError
from segue.model import Bundle
from segue.model.serving import GatewaySettings
from segue.standin.settings import StandInSettings, Trouble
from segue.store.base import CaseRow, Store
from segue.store.memory import MemoryStore
from segue.upgrade.log import Opening, Upgrade
from segue.workspace import load_workspace
from tests.controller.undertaken import NOW, a_plan
from tests.evals.builders import AT
from tests.evals.team import Team, suite_line
from tests.gateway.wiring import KEY, PIN_KEY, a_gateway

DAY = datetime.fromtimestamp(NOW, UTC).date()
DAY_S = 86_400.0
WORKFLOW = {
    "incumbent": "old",
    "scorers": [
        {"name": "right", "type": "exact"},
        {"name": "kind", "type": "judge", "provider": "sim", "model": "j", "rubric": "Is it kind?"},
        {"name": "length", "type": "length"},
    ],
    "gate": {"primary": ["right"], "min_cases": 1},
}


def an_upgrade(store: Store, bundles: dict[str, Bundle], *, candidate: str = "new") -> Upgrade:
    for one in bundles.values():
        store.add_bundle(one, author="ada", at=AT)
    digests = {"incumbent": bundles["old"].digest, "candidate": bundles[candidate].digest}
    return Upgrade(Opening(upgrade="u", workflow="mail", plan=a_plan(), by="ada", at=NOW, **digests))


def a_desk(root: Path, store: Store, upgrade: Upgrade, *, most: int = 200, cases: Any = 6) -> DailyDesk:
    if isinstance(cases, int):
        cases = [suite_line(f"c{number}", slice={"topic": "a" if number % 2 else "b"}) for number in range(cases)]
    Team(root, store=store, workflow=WORKFLOW, cases=cases)
    return prepare_daily(load_workspace(root, {}), store, upgrade, author="ada", at=AT, most=most)


async def measured(
    root: Path, store: Store, *, key: str = PIN_KEY, route: dict[str, Any] | None = None, **settings: Any
) -> tuple[list[DailyResult], list[Any], Upgrade]:
    """A day's eval of two bundles, the old of which always answers `yes`."""
    stand_ins = {"old": StandInSettings(text="yes"), "new": StandInSettings(**{"text": "no", **settings})}
    async with a_gateway(stand_ins, **({"candidate": "new"} if route is None else route)) as (wired, bundles):
        upgrade = an_upgrade(store, bundles)
        desk = a_desk(root, store, upgrade)
        where = Endpoint(f"{wired.origin}/v1", key)
        found = await asyncio.to_thread(run_daily, store, upgrade, desk, where, day=DAY.isoformat(), author="ada", at=AT)
        return list(found), list(wired.log), upgrade


async def test_both_bundles_are_asked_and_scored_by_slice(tmp_path: Path) -> None:
    """The figures of an eval: counts and means of each metric, all cases and each slice."""
    store = MemoryStore()
    (old, new), log, upgrade = await measured(tmp_path, store)
    assert (old.role, old.n_cases, old.n_answered, old.failures) == ("incumbent", 6, 6, {})
    assert old.metrics["right"].cells[""] == (6, 6.0, 6.0)
    assert new.metrics["right"].cells[""] == (6, 0.0, 0.0)
    assert new.metrics["right"].cells["topic=a"][0] == 3
    assert old.latency_p95_ms is not None
    assert list_daily(store, upgrade) == [old, new]
    assert is_measured(store, upgrade, DAY)
    assert len(log) == 12


async def test_no_exchange_of_it_is_evidence(tmp_path: Path) -> None:
    """Pinned, and marked `eval`; and nobody's shadow."""
    _, log, _ = await measured(tmp_path, MemoryStore(), route={"candidate": "new", "shadow": {"share": 1.0}})
    assert {(one.record.arm, one.record.tags, one.record.pair) for one in log} == {("pinned", ("eval",), None)}


async def test_a_judge_is_not_asked_daily_and_it_is_said(tmp_path: Path) -> None:
    """It is paid by the question."""
    (old, _), _, _ = await measured(tmp_path, MemoryStore())
    assert "kind" in old.unscored
    assert "kind" not in old.metrics


async def test_a_candidate_that_the_route_does_not_hold_yet_is_absent(tmp_path: Path) -> None:
    """Before shadow only the incumbent serves; nothing is made up for the other."""
    store = MemoryStore()
    (old, new), _, upgrade = await measured(tmp_path, store, route={})
    assert (old.absent, old.n_answered) == ("", 6)
    assert (new.absent, new.metrics) == ("the route does not hold it yet", {})
    assert is_measured(store, upgrade, DAY)
    assert "candidate" not in daily_seen(store, upgrade, NOW).latest


async def test_what_the_incumbent_answered_in_its_place_is_no_answer_of_the_candidate(tmp_path: Path) -> None:
    """A fallback would make a broken candidate look like the incumbent."""
    store = MemoryStore()
    (old, new), _, upgrade = await measured(tmp_path, store, troubles=(Trouble(kind="server_error"),))
    assert old.n_answered == 6
    assert (new.n_answered, new.failures) == (0, {"another bundle answered": 6})
    assert any("did not answer 6 of 6 cases" in one for one in daily_seen(store, upgrade, NOW).trouble)


async def test_a_key_that_may_not_pin_is_told_by_its_reason(tmp_path: Path) -> None:
    """Counted as failures, with the gateway's own code."""
    (old, _), log, _ = await measured(tmp_path, MemoryStore(), key=KEY)
    assert old.failures == {"status 403 (no_pin)": 6}
    assert log == []


async def test_a_gateway_that_is_not_there_is_counted_not_raised(tmp_path: Path) -> None:
    """The day has a result that says so."""
    store = MemoryStore()
    async with a_gateway({"old": StandInSettings(), "new": StandInSettings()}, candidate="new") as (_, bundles):
        upgrade = an_upgrade(store, bundles)
    desk = a_desk(tmp_path, store, upgrade, cases=2)
    found = await asyncio.to_thread(
        run_daily, store, upgrade, desk, Endpoint("http://127.0.0.1:1", "k"), day="2026-01-01", author="ada", at=AT
    )
    assert [sum(one.failures.values()) for one in found] == [2, 2]


async def test_a_day_is_measured_once(tmp_path: Path) -> None:
    """A second run asks nothing and pays nothing."""
    store = MemoryStore()
    _, _, upgrade = await measured(tmp_path, store)
    desk = a_desk(tmp_path, store, upgrade)
    nowhere = Endpoint("http://127.0.0.1:1", "k")
    again = await asyncio.to_thread(run_daily, store, upgrade, desk, nowhere, day=DAY.isoformat(), author="ada", at=AT)
    assert again == ()
    assert len(list_daily(store, upgrade)) == 2


def test_a_sample_is_the_same_every_day_and_holds_the_critical_cases() -> None:
    """Whatever order the store gives them in."""
    rows = [CaseRow(f"c{n}", "i", "t", {}, "edge", n % 10 == 0, None) for n in range(100)]
    chosen = choose_cases(rows, most=30, seed="u")
    assert chosen == choose_cases(reversed(rows), most=30, seed="u")
    assert {f"c{n}" for n in range(0, 100, 10)} <= set(chosen)
    assert len(chosen) == 30
    assert chosen != choose_cases(rows, most=30, seed="v")


# what the days show


def result(bundle: str, day: date, n_right: int, *, n: int = 100, role: str = "incumbent", **given: Any) -> DailyResult:
    cells = {"": (n, float(n_right), float(n_right))}
    return DailyResult(
        day=day.isoformat(),
        bundle=bundle,
        role=role,
        cases="same",
        n_cases=n,
        n_answered=n,
        metrics={"right": DailyMetric(cells=cells)},
        **given,
    )


@pytest.fixture
def upgrade() -> Upgrade:
    """Of two bundles that nobody asks."""
    digests = {"incumbent": "0" * 64, "candidate": "1" * 64}
    return Upgrade(Opening(upgrade="u", workflow="mail", plan=a_plan(), by="ada", at=NOW, **digests))


def written(upgrade: Upgrade, *results: DailyResult) -> MemoryStore:
    store = MemoryStore()
    for one in results:
        save_daily(store, upgrade, one, author="segue", at=AT)
    return store


def days_on(n: int) -> date:
    return datetime.fromtimestamp(NOW + n * DAY_S, UTC).date()


def test_a_bundle_that_fell_since_its_first_day_is_trouble(upgrade: Upgrade) -> None:
    """A silent change of a pinned model, for example."""
    store = written(upgrade, result("0" * 64, days_on(0), 95), result("0" * 64, days_on(1), 60))
    (told,) = daily_seen(store, upgrade, NOW + DAY_S).trouble
    assert told.startswith(f"right got worse, incumbent since {days_on(0)}: 0.95 → 0.6")


def test_a_difference_that_one_look_would_take_for_shown_is_held_to_all_looks(upgrade: Upgrade) -> None:
    """90 and 78 of 100: at 5 % by itself it is a drop, and over weeks of looking it comes by chance."""
    store = written(upgrade, result("0" * 64, days_on(0), 90), result("0" * 64, days_on(1), 78))
    assert daily_seen(store, upgrade, NOW + DAY_S).changes == ()
    assert find_changes("x", cells([90], 100), cells([78], 100)) != ()


def test_a_bundle_that_rose_is_shown_and_no_trouble(upgrade: Upgrade) -> None:
    """Worth knowing."""
    store = written(upgrade, result("0" * 64, days_on(0), 60), result("0" * 64, days_on(1), 95))
    seen = daily_seen(store, upgrade, NOW + DAY_S)
    assert (len(seen.changes), seen.trouble) == (1, ())


def test_other_cases_than_on_the_first_day_are_not_compared(upgrade: Upgrade) -> None:
    """An edited suite is no drift."""
    store = written(
        upgrade, result("0" * 64, days_on(0), 95), result("0" * 64, days_on(1), 60).model_copy(update={"cases": "others"})
    )
    assert daily_seen(store, upgrade, NOW + DAY_S).changes == ()


def test_the_candidate_beside_the_incumbent_on_one_day(upgrade: Upgrade) -> None:
    """On the same cases."""
    store = written(upgrade, result("0" * 64, days_on(0), 95), result("1" * 64, days_on(0), 60, role="candidate"))
    (told,) = daily_seen(store, upgrade, NOW).trouble
    assert "candidate beside incumbent" in told


def test_days_without_a_measurement_are_trouble(upgrade: Upgrade) -> None:
    """From the second on; a candidate that is only absent is no measurement."""
    store = MemoryStore()
    assert daily_seen(store, upgrade, NOW + DAY_S).trouble == ()
    assert "no daily eval yet, 2 days after" in daily_seen(store, upgrade, NOW + 2 * DAY_S).trouble[0]
    store = written(upgrade, result("0" * 64, days_on(0), 95))
    assert f"no daily eval since {days_on(0)}" in daily_seen(store, upgrade, NOW + 3 * DAY_S).trouble[0]


def test_a_fact_that_was_changed_is_named(upgrade: Upgrade) -> None:
    """By its number."""
    store = MemoryStore()
    store.add_fact("daily-eval", "mail", "u", {"day": 7}, author="segue", at=AT)
    with pytest.raises(TamperError, match="Fact 1"):
        list_daily(store, upgrade)


def test_equal_bundles_rarely_raise_an_alarm_over_all_days() -> None:
    """200 upgrades of 30 days, five cells: at most 5 % may alarm. Answers drawn anew every day are the worst case."""
    import numpy as np

    rng = np.random.default_rng(5)
    n, n_days, n_cells, n_runs = 60, 30, 5, 200
    alarms = 0
    for _ in range(n_runs):
        rights = rng.binomial(n, 0.85, size=(n_days, n_cells))
        first = cells(rights[0], n)
        alarms += any(find_changes("x", first, cells(rights[day], n), looks=5 * (day + 1) ** 2) for day in range(1, n_days))
    assert alarms <= 0.05 * n_runs


def test_a_drop_of_thirty_points_is_found_at_once() -> None:
    """Of 100 cases, on the tenth day: the guard against false alarms is not blind."""
    found = find_changes("x", cells([90], 100), cells([60], 100), looks=5 * 10**2)
    assert [one.is_worse for one in found] == [True]


def cells(rights: Any, n: int) -> list[Cell]:
    return [Cell("right", f"s={at}", "higher", True, n, float(k), float(k)) for at, k in enumerate(rights)]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [((20, 2000.0, 2.0e5 + 500), (20, 3000.0, 4.5e5 + 500), True), ((20, 2000.0, 4e5), (20, 2100.0, 4.2e5), False)],
    ids=["longer", "noise"],
)
def test_lengths_are_compared_by_their_spread(
    before: tuple[int, float, float], after: tuple[int, float, float], shown: bool
) -> None:
    """What has no bounds is no share."""
    old, new = (Cell("length", "", "lower", False, *one) for one in (before, after))
    assert bool(find_changes("x", [old], [new])) == shown


# where production is


def test_the_endpoint_comes_from_segue_yaml_and_its_key_from_the_environment() -> None:
    """The key is nowhere else, and is not shown."""
    settings = GatewaySettings(endpoint="https://llm.example.com/v1", endpoint_key_env="K")
    found = find_endpoint(settings, {"K": "sg-secret"})
    assert found is not None
    assert (found.origin, "sg-secret" in repr(found)) == ("https://llm.example.com", False)
    assert find_endpoint(GatewaySettings(), {}) is None
    with pytest.raises(InputError) as refused:
        find_endpoint(settings, {})
    assert "the environment variable K is not set" in refused.value.faults[0].what


def test_iso_days_and_seconds_agree() -> None:
    """The day of a fact is the day of its time."""
    assert iso(NOW)[:10] == DAY.isoformat()
