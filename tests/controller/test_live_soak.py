"""The soak on the real log: harm that comes late, against a live holdback or the level that the canary recorded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.controller.live import LogEvidence
from segue.controller.ports import LiveSeen
from segue.exchanges import ServedExchange
from segue.upgrade.decide import act, decide
from segue.upgrade.log import Upgrade
from segue.upgrade.seen import RouteSeen, Seen
from tests.controller.live_builders import DAY, HOUR, QUALITY, T0, Log, a_plan, entered, in_canary, served, traffic

BEGUN = T0 + DAY
SOAKED = BEGUN + 2 * DAY


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """With a day of canary, half and half, equally good."""
    found = Log(tmp_path)
    found.write(traffic(days=1, per_day=1_500, share=0.25))
    yield found
    found.close()


def soaking(holdback: float = 0.0, *gates: dict[str, Any], **given: float) -> Upgrade:
    """In soak since the second day."""
    return entered(in_canary(a_plan(*gates, holdback=holdback, **given)), "soak", BEGUN)


def soak_traffic(days: float = 2, *, late_drop: float = 0.0, holdback: float = 0.0, seed: int = 3) -> Iterator[ServedExchange]:
    """Good for a day, and then, on the candidate, so much worse."""
    rates = {"incumbent": 0.9, "candidate": 0.9}
    first = traffic(
        days=1, per_day=1_500, share=1 - holdback, since=BEGUN, first=2_000, seed=seed, good=lambda arm, _: rates[arm]
    )
    yield from first
    if days > 1:
        rates["candidate"] -= late_drop
        yield from traffic(
            days=days - 1,
            per_day=1_500,
            share=1 - holdback,
            since=BEGUN + DAY,
            first=4_000,
            seed=seed + 1,
            good=lambda arm, _: rates[arm],
        )


@pytest.mark.parametrize("holdback", [0.0, 0.2], ids=["recorded-level", "holdback"])
def test_harm_that_comes_late_rolls_back(log: Log, holdback: float) -> None:
    """The good days before it are no credit."""
    log.write(soak_traffic(late_drop=0.3, holdback=holdback))
    seen = log.evidence().look(soaking(holdback), SOAKED)
    assert seen.judgement is not None
    assert (seen.judgement.verdict, seen.judgement.limit) == ("harm", "rollback")
    assert ("quality", "") in seen.judgement.culprits
    assert ("holdback" in str(seen.figures["control"])) is (holdback > 0)


WIDE = {**QUALITY, "hold": "3 points", "rollback": "40 points"}
"""So far apart that two days of a test's traffic can tell a drop between them from both."""


@pytest.mark.parametrize("holdback", [0.0, 0.2], ids=["recorded-level", "holdback"])
def test_harm_between_the_limits_holds(log: Log, holdback: float) -> None:
    """Half as bad as what goes back by itself is for people to look at, and not to be completed in silence."""
    log.write(soak_traffic(late_drop=0.25, holdback=holdback))
    seen = log.evidence().look(soaking(holdback, WIDE), SOAKED)
    assert seen.judgement is not None
    assert (seen.judgement.verdict, seen.judgement.limit) == ("harm", "hold")
    assert ("quality", "") in seen.judgement.culprits
    assert "holds and people look" in seen.judgement.evidence("quality").sentence


def test_whoever_accepts_harm_in_soak_is_not_held_for_it_again(log: Log) -> None:
    """The evidence stays as it is, and so it would hold at every look; harm beyond the other limit still goes back."""
    log.write(soak_traffic(late_drop=0.25))
    upgrade = soaking(0.0, WIDE)
    found = log.evidence().look(upgrade, SOAKED)
    held = decide(upgrade.state, _seen(found), upgrade.plan)
    assert held is not None
    assert (held.event, held.state.standing) == ("harm_hold", "holding")
    resumed = act(held.state, "resume", upgrade.plan, by="ann", reason="known, and worth it", at=SOAKED)
    again = decide(resumed.state, _seen(found), upgrade.plan)
    assert again is None or again.event == "confirmed"
    worse = log.evidence().look(soaking(), SOAKED)
    back = decide(resumed.state, _seen(worse), upgrade.plan)
    assert back is not None
    assert (back.event, back.state.stage) == ("harm", "rolled_back")


def _seen(found: LiveSeen) -> Seen:
    """What a look shows, with all else as it should be."""
    route = RouteSeen("as asked", 1)
    return Seen(SOAKED, route=route, judgement=found.judgement, missing=found.missing, quiet_s=0.0, incumbent_answers=True)


@pytest.mark.parametrize("holdback", [0.0, 0.2], ids=["recorded-level", "holdback"])
@pytest.mark.parametrize("drop", [0.0, 0.1], ids=["equal", "worse"])
def test_each_gate_has_an_interval_around_what_was_seen(log: Log, holdback: float, drop: float) -> None:
    """Of the candidate against the holdback, or against the level that was recorded; and the count that would settle it."""
    gate = {**QUALITY, "hold": "20 points", "rollback": "40 points"}
    log.write(soak_traffic(late_drop=drop, holdback=holdback))
    seen = log.evidence().look(soaking(holdback, gate), SOAKED)
    assert seen.judgement is not None
    one = seen.judgement.evidence("quality")
    assert one.effect is not None
    assert one.interval.low is not None
    assert one.interval.high is not None
    assert one.effect == pytest.approx(drop / 2, abs=0.03)
    assert one.interval.low < min(drop / 2, one.effect) <= max(drop / 2, one.effect) < one.interval.high
    assert one.interval.high - one.interval.low < 0.2
    assert one.settlement is not None
    assert one.settlement.outcomes is None, "at rates within the limit nothing would show harm"


def test_what_would_settle_harm_is_counted_from_where_the_detector_stands(log: Log) -> None:
    """Fewer the longer it lasts."""
    turns = cycle([0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    log.write(traffic(days=1, per_day=1_500, share=1.0, since=BEGUN, first=2_000, good=lambda *_: next(turns)))
    gate = {**QUALITY, "hold": "1 point", "rollback": "40 points"}
    wanted = []
    for hours in (6, 12):
        judgement = log.evidence().look(soaking(0.0, gate), BEGUN + hours * HOUR).judgement
        assert judgement is not None
        settled = judgement.evidence("quality").settlement
        assert settled is not None
        assert settled.question == "harm"
        assert settled.outcomes is not None
        assert settled.days == pytest.approx(settled.outcomes / 1_500, rel=0.01)
        wanted.append(settled.outcomes)
    assert wanted[1] < wanted[0]


def test_without_anything_recorded_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    """A canary that saw no incumbent leaves no level: the rate of an eval is not shown as one."""
    empty = Log(tmp_path)
    empty.write(soak_traffic())
    seen = empty.evidence().look(soaking(), SOAKED)
    empty.close()
    assert seen.judgement is not None
    one = seen.judgement.evidence("quality")
    assert one.labelled > 0
    assert (one.effect, one.interval.low, one.interval.high, one.settlement) == (None, None, None, None)
    assert "nothing to compare with" in one.sentence


@pytest.mark.parametrize("holdback", [0.0, 0.2], ids=["recorded-level", "holdback"])
def test_a_candidate_that_stays_good_may_be_closed(log: Log, holdback: float) -> None:
    """Every gate has its labels, from the soak itself."""
    log.write(soak_traffic(holdback=holdback))
    seen = log.evidence().look(soaking(holdback), SOAKED)
    assert seen.judgement is not None
    assert seen.judgement.verdict == "inconclusive"
    assert seen.missing == ()


def test_silence_closes_no_soak(log: Log) -> None:
    """What the canary saw does not stand in for it."""
    seen = log.evidence().look(soaking(), SOAKED)
    assert len(seen.missing or ()) == 2
    assert seen.quiet_s is None


def test_a_holdback_that_is_not_kept_is_no_comparison(log: Log) -> None:
    """The control would be somebody else."""
    log.write(soak_traffic(holdback=0.5))
    seen = log.evidence().look(soaking(0.2), SOAKED)
    assert seen.judgement is not None
    assert seen.judgement.verdict == "invalid"


def test_a_holdback_that_is_not_kept_hides_no_harm(log: Log) -> None:
    """Whoever is worse off is taken back, whatever the shares are."""
    log.write(soak_traffic(holdback=0.5, late_drop=0.5))
    seen = log.evidence().look(soaking(0.2), SOAKED)
    assert seen.judgement is not None
    assert (seen.judgement.verdict, seen.judgement.limit) == ("harm", "rollback")
    assert ("quality", "") in seen.judgement.culprits


def test_detectors_that_begin_anew_spend_one_alpha_together(log: Log) -> None:
    """However long a soak lasts and however often its evidence begins anew: of every age, at both limits, all together."""
    soak = log.evidence()
    soak.look(soaking(), BEGUN + HOUR)
    log.write(soak_traffic(days=1))
    soak.look(soaking(), BEGUN + DAY)
    read = soak._soaks["up"]
    (watch,) = read.evidence.watches.values()
    spent = 0.0
    for restarts in range(40):
        alpha = soak._settings["up"].alpha_of("soak", restarts)
        for watch.turn in range(40):
            values = np.split(watch.detector.log_statistic, 2)
            for beyond, value in zip(watch.evidence(alpha).values(), values, strict=True):
                spent += watch.detector.blocks * exp(float((beyond - value).max()))
    assert spent == pytest.approx(0.005, rel=1e-6)


def test_a_soak_that_lasts_longer_goes_on_with_new_detectors(log: Log) -> None:
    """Each at a part of the soak's α: the bound was for the blocks that were planned."""
    log.write(soak_traffic(days=5))
    seen = log.evidence().look(soaking(), BEGUN + 5 * DAY)
    assert seen.figures["blocks"] == 20
    assert seen.figures["detectors_begun_anew"] == 2
    assert seen.judgement is not None
    assert seen.judgement.verdict == "inconclusive"


def test_canary_records_that_come_late_move_the_level_of_the_soak(log: Log) -> None:
    """One that remembers the old level would say something else than one that reads all."""
    log.write(soak_traffic())
    remembers = log.evidence()
    before = remembers.look(soaking(), SOAKED)
    rows = (served(T0 + HOUR + place, 9_000 + place, "incumbent", scores={"quality": 0.0}) for place in range(400))
    log.write(rows)
    after, fresh = (one.look(soaking(), SOAKED) for one in (remembers, log.evidence()))
    assert after.judgement == fresh.judgement
    assert after.judgement != before.judgement


def test_the_soak_is_of_the_two_bundles_of_the_upgrade(log: Log) -> None:
    """Whatever else is served meanwhile."""
    log.write(served(BEGUN + place, 5_000 + place, "candidate", bundle="c" * 64) for place in range(50))
    evidence: LogEvidence = log.evidence()
    assert evidence.look(soaking(), SOAKED).figures["exposed"] == {"incumbent": 0, "candidate": 0}
