"""The soak on the real log: harm that comes late, against a live holdback or the level that the canary recorded."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from pathlib import Path

import pytest

from segue.controller.live import LogEvidence
from segue.exchanges import ServedExchange
from segue.upgrade.log import Upgrade
from tests.controller.live_builders import DAY, HOUR, T0, Log, a_plan, entered, in_canary, served, traffic

BEGUN = T0 + DAY
SOAKED = BEGUN + 2 * DAY


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """With a day of canary, half and half, equally good."""
    found = Log(tmp_path)
    found.write(traffic(days=1, per_day=1_500, share=0.25))
    yield found
    found.close()


def soaking(holdback: float = 0.0, **given: float) -> Upgrade:
    """In soak since the second day."""
    return entered(in_canary(a_plan(holdback=holdback, **given)), "soak", BEGUN)


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
    """However long a soak lasts and however often its evidence begins anew: of every age of outcomes, all of them together."""
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
            spent += watch.detector.blocks * exp(float((watch.evidence(alpha) - watch.detector.log_statistic).max()))
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
