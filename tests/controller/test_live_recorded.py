"""GPT-4 from March to June as a canary through the real log: how many users meet it until it goes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks.recorded_traffic import Recorded, data_folder, read_task

from segue.exchanges import ServedExchange
from segue.model.plan import PlanStep
from tests.controller.live_builders import DAY, HOUR, T0, Log, a_plan, in_canary, served

FOLDER = data_folder()
pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(FOLDER is None, reason="the recorded upgrades are absent: set SEGUE_DATA to their folder"),
]
PER_DAY, SHARE, DAYS = 2_000, 0.05, 2
SEEDS = 5


@pytest.fixture(scope="module")
def prime() -> Recorded:
    assert FOLDER is not None
    return read_task(FOLDER)


def requests(prime: Recorded, seed: int, *, same: bool) -> Iterator[ServedExchange]:
    """Questions at random, each answered as its arm's release answered it."""
    rng = np.random.default_rng([seed, same])
    for number in range(PER_DAY * DAYS):
        arm = "candidate" if rng.random() < SHARE else "incumbent"
        case = int(rng.integers(len(prime.before)))
        bad = prime.after[case] if arm == "candidate" and not same else prime.before[case]
        kind = prime.slices[prime.slice_of[case]].partition("=")[2]
        at = T0 + (number + 0.5) * DAY / PER_DAY
        yield served(at, number, arm, slices={"kind": kind}, scores={"correct": 1.0 - float(bad)})


def exposed_until_rollback(folder: Path, prime: Recorded, seed: int, *, same: bool = False) -> int | None:
    """With a look every hour; `None` where it never went back."""
    gate = {"metric": "correct", "better": "higher", "baseline": 0.84, "age": 0.0}
    slices = dict.fromkeys(prime.slices, 0.5)
    upgrade = in_canary(a_plan(gate, steps=(PlanStep(share=SHARE, hold=DAYS),), slices=slices))
    log = Log(folder)
    evidence, rows = log.evidence(), list(requests(prime, seed, same=same))
    met, place = 0, 0
    try:
        for hour in range(1, 24 * DAYS + 1):
            now = T0 + hour * HOUR
            until = next((at for at in range(place, len(rows)) if rows[at].at_ns > now * 1e9), len(rows))
            log.write(rows[place:until])
            met += sum(one.arm == "candidate" for one in rows[place:until])
            place = until
            seen = evidence.look(upgrade, now)
            assert seen.judgement is not None
            if seen.judgement.limit == "rollback":
                return met
    finally:
        log.close()
    return None


def test_gpt4_march_to_june_goes_back_within_sixty_users(tmp_path: Path, prime: Recorded) -> None:
    """At a share of 5 %, units and looks as they come through spool, shipper and log."""
    met = [exposed_until_rollback(tmp_path / str(seed), prime, seed) for seed in range(SEEDS)]
    assert all(one is not None and one <= 60 for one in met), met


def test_a_release_against_itself_is_left_alone(tmp_path: Path, prime: Recorded) -> None:
    """Its outputs drawn anew."""
    assert [exposed_until_rollback(tmp_path / str(seed), prime, seed, same=True) for seed in range(1)] == [None]
