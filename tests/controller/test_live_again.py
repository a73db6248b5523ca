"""One that remembers what it read comes to what one comes to that has read nothing: whenever it looked, whatever came late."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.controller.live import Timing
from segue.controller.live_feed import _nothing
from segue.controller.live_served import Served
from segue.controller.ports import LiveSeen
from segue.exchanges import Outcome
from segue.upgrade.log import Upgrade
from tests.controller.live_builders import DAY, HOUR, QUALITY, QUICK, T0, Log, a_plan, entered, in_canary, served, traffic

NEGATIVE = {"metric": "negative", "source": "outcome", "better": "lower", "baseline": 0.1, "age": 0.2}
COLD = Timing(block_s=4 * HOUR, settle_s=600.0, reread_s=0.0)
A_DAY = 120
NOTHING = _nothing(1, 1)


def found(seen: LiveSeen) -> dict[str, Any]:
    """All but what only one who remembers can know: how many came late."""
    figures = {name: value for name, value in seen.figures.items() if name != "late_records"}
    return {"judgement": seen.judgement, "missing": seen.missing, "figures": figures, "quiet_s": seen.quiet_s}


def arrivals(seed: int) -> list[tuple[float, Any]]:
    """Three days of exchanges and of complaints, each with the time at which it comes to the log: some hours late."""
    draw = Random(seed)
    rows: list[tuple[float, Any]] = []
    for one in traffic(days=3, per_day=A_DAY, share=0.3, seed=seed):
        at = one.at_ns / 1e9
        late = draw.choice([0.0, 5.0, 5.0, 60.0, 60.0, 60.0, 60.0, 5 * HOUR if draw.random() < 0.05 else 0.0])
        user = served(at, int(one.id[1:]), one.arm, slices=one.slices, scores=one.scores, unit=f"u{draw.randrange(200)}")
        rows.append((at + late, user))
        if draw.random() < 0.2:
            told = at + draw.random() * 6 * HOUR
            outcome = Outcome(one.id, "negative", "user", str(draw.randrange(2)), int(told * 1e9), 1.0, workflow="reply")
            rows.append((told + draw.choice([0.0, 60.0, 60.0, 3 * HOUR]), outcome))
    return sorted(rows, key=lambda row: row[0])


def at_stage(upgrade: Upgrade, now: float) -> Upgrade:
    """A step further after a day and a half, in soak after two and a half."""
    if now >= T0 + 1.5 * DAY:
        upgrade = entered(upgrade, "canary", T0 + 1.5 * DAY, step=1)
    if now >= T0 + 2.5 * DAY:
        upgrade = entered(upgrade, "soak", T0 + 2.5 * DAY)
    return upgrade


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("unit", ["request", "user"])
def test_a_look_is_the_same_whoever_looked_before(tmp_path: Path, unit: str, seed: int) -> None:
    """Records late, outcomes late, files merged between looks, through two steps and into the soak."""
    looks = Random(seed).sample(range(1, 72 * 4), 6)
    log, plan = Log(tmp_path), a_plan(QUALITY, NEGATIVE, unit=unit)
    remembers = log.evidence(COLD)
    waiting = arrivals(seed)
    try:
        for place, quarter in enumerate(sorted(looks)):
            now = T0 + quarter * HOUR / 4
            log.write(row for at, row in waiting if at <= now)
            waiting = [row for row in waiting if row[0] > now]
            if place % 2:
                log.shipper.tidy()
            upgrade = at_stage(in_canary(plan), now)
            assert found(remembers.look(upgrade, now)) == found(log.evidence(COLD).look(upgrade, now))
    finally:
        log.close()


def by_the_hour(seed: int, longest: float, *, forgotten: float = 0.0) -> list[tuple[float, Any]]:
    """Exchanges as they are served, and complaints of the next hours brought by the full hour, some of them twice.

    Some come after more than a day, which no block waits for. Of every hundred, `forgotten` lie for half a day.
    """
    draw = Random(seed)
    rows: list[tuple[float, Any]] = []
    for one in traffic(days=3, per_day=A_DAY, share=0.3, seed=seed):
        at = one.at_ns / 1e9
        rows.append((at + 60.0, one))
        if draw.random() < 0.4:
            told = at + draw.choice([draw.random() * longest, draw.random() * longest, DAY + draw.random() * DAY])
            outcome = Outcome(one.id, "negative", "user", str(draw.randrange(2)), int(told * 1e9), 1.0, workflow="reply")
            brought = (told // HOUR + 1) * HOUR + (12 * HOUR if draw.random() < forgotten / 100 else 0.0)
            rows.append((brought, outcome))
            if draw.random() < 0.2:
                rows.append((brought + 30 * HOUR, outcome))
    return sorted(rows, key=lambda row: row[0])


def test_outcomes_that_come_by_the_hour_are_no_reason_to_read_anew(tmp_path: Path) -> None:
    """Their exchanges are not judged yet, or were told of too late, or it was known: all of it is read once."""
    log, upgrade, waiting = Log(tmp_path), in_canary(a_plan(QUALITY, NEGATIVE)), by_the_hour(5, 3 * HOUR)
    evidence = log.evidence(COLD)
    # A minute before the full hour a block has just come of age, up to a few minutes before.
    for now in (T0 + hour * HOUR + beside for hour in range(9, 72, 8) for beside in (-60.0, 60.0)):
        log.write(row for at, row in waiting if at <= now)
        waiting = [row for row in waiting if row[0] > now]
        seen = evidence.look(upgrade, now)
        assert seen.figures["late_records"] == 0
    assert found(seen) == found(log.evidence(COLD).look(upgrade, now))
    log.close()


@pytest.mark.parametrize("seed", [2, 3])
def test_outcomes_in_any_batches_come_to_the_same(tmp_path: Path, seed: int) -> None:
    """Some of them after their exchange was judged: those alone are late, and every look is as if all had been there."""
    log, waiting = Log(tmp_path), by_the_hour(seed, 4.5 * HOUR, forgotten=10)
    remembers, plan, late = log.evidence(COLD), a_plan(QUALITY, NEGATIVE), 0
    for quarter in sorted(Random(seed).sample(range(1, 72 * 4), 8)):
        now = T0 + quarter * HOUR / 4
        log.write(row for at, row in waiting if at <= now)
        waiting = [row for row in waiting if row[0] > now]
        upgrade = at_stage(in_canary(plan), now)
        seen = remembers.look(upgrade, now)
        assert found(seen) == found(log.evidence(COLD).look(upgrade, now))
        late = max(late, seen.figures["late_records"])
    assert late
    log.close()


def test_what_is_told_of_an_exchange_that_was_judged_and_let_go_is_late(tmp_path: Path) -> None:
    """As long as it would have counted; after that, and of exchanges that never came, it is no reason to read anew."""
    log, upgrade = Log(tmp_path), in_canary(a_plan(QUALITY, NEGATIVE))
    log.write(traffic(days=1, per_day=A_DAY, share=0.3))
    evidence = log.evidence(COLD)
    first = next(iter(traffic(days=1, per_day=A_DAY, share=0.3)))
    counts = [evidence.look(upgrade, T0 + DAY).figures["late_records"]]
    for exchange, hours in ((first.id, 5.0), ("nobody's", 1.0), (first.id, 4.0)):
        told = first.at_ns + int(hours * HOUR * 1e9)
        log.write([Outcome(exchange, "negative", "user", f"{exchange} {hours}", told, 1.0, workflow="reply")])
        counts.append(evidence.look(upgrade, T0 + DAY).figures["late_records"])
    assert counts == [0, 0, 0, 1]
    log.close()


@given(st.lists(st.lists(st.text(max_size=3), max_size=8), max_size=12), st.lists(st.text(max_size=3), max_size=8))
def test_whatever_was_let_go_is_found_with_its_time(parts: list[list[str]], asked: list[str]) -> None:
    """In however many pieces, and nothing else is."""
    gone, held = Served(), dict[str, float]()
    for part in parts:
        fresh = [name for name in dict.fromkeys(part) if name not in held]
        times = [float(len(held) + place) for place in range(len(fresh))]
        held.update(zip(fresh, times, strict=True))
        rows = replace(NOTHING, ids=np.array(fresh, object), at=np.array(times))
        gone.add(rows)
    assert gone.find(asked) == {name: held[name] for name in asked if name in held}


def test_what_comes_late_is_counted_and_told_of(tmp_path: Path) -> None:
    """Never dropped: its block is counted again."""
    log = Log(tmp_path)
    log.write(traffic(days=1, per_day=A_DAY, share=0.3))
    evidence, upgrade = log.evidence(), in_canary()
    before = evidence.look(upgrade, T0 + DAY)
    log.write([served(T0 + HOUR + number, 9_000 + number, "candidate", scores={"quality": 0.0}) for number in range(7)])
    after = evidence.look(upgrade, T0 + DAY)
    assert before.figures["late_records"] == 0
    assert after.figures["late_records"] == 7
    assert after.figures["exposed"]["candidate"] == before.figures["exposed"]["candidate"] + 7
    log.close()


def test_what_comes_late_is_not_read_anew_at_every_look(tmp_path: Path) -> None:
    """A machine that is always behind must not have all of the log read each time; but in the end it is counted."""
    log = Log(tmp_path)
    log.write(traffic(days=1, per_day=A_DAY, share=0.3))
    evidence, upgrade = log.evidence(Timing(block_s=HOUR, settle_s=0.0, reread_s=HOUR)), in_canary()
    counts = []
    for minute in range(0, 180, 30):
        log.write([served(T0 + minute, 9_000 + minute, "candidate", scores={"quality": 0.0})])
        counts.append(evidence.look(upgrade, T0 + DAY + minute * 60).figures["late_records"])
    exposed = evidence.look(upgrade, T0 + DAY + 5 * HOUR).figures["exposed"]
    assert exposed == log.evidence().look(upgrade, T0 + DAY + 5 * HOUR).figures["exposed"]
    assert counts == [0, 1, 2, 3, 4, 5]
    log.close()


def test_a_block_waits_for_what_is_still_in_the_spool(tmp_path: Path) -> None:
    """It has no scores there yet: a shipper that is behind must not look like labels that did not come."""
    log = Log(tmp_path)
    rows = list(traffic(days=1, per_day=A_DAY, share=0.3))
    log.write(rows[:60])
    log.write(rows[60:], ship=False)
    evidence, upgrade = log.evidence(), in_canary()
    waiting = evidence.look(upgrade, T0 + DAY)
    assert waiting.figures["read_until"] == T0 + 12 * HOUR
    assert waiting.figures["waiting_records"] == 60
    log.write([])
    whole = evidence.look(upgrade, T0 + DAY)
    assert whole.figures["read_until"] == T0 + DAY
    assert found(whole) == found(log.evidence(QUICK).look(upgrade, T0 + DAY))
    log.close()
