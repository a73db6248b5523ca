"""Outcomes: late, twice, too early, and beside their exchanges."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.exchanges.feedback import Feedback, OutcomeRate
from segue.exchanges.record import BodyNote
from segue.exchanges.selection import Selection
from tests.exchanges.builders import DAY, NOON, Clock, a_log, a_shipper, a_spool, an_outcome, drain, fill


@pytest.mark.parametrize("shipped_between", [False, True])
def test_the_same_outcome_sent_again_counts_once(tmp_path: Path, shipped_between: bool) -> None:
    """By exchange, kind, source and key; the earliest stays, wherever each of them is."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    for at in (5, 3, 9):
        assert spool.append(an_outcome(at_ns=NOON + at, value=float(at))) is not None
        if shipped_between:
            drain(shipper)
    assert spool.append(an_outcome(key="2")) is not None
    feedback = Feedback(a_log(tmp_path))
    assert feedback.count() == 2
    assert [told.outcome.value for told in feedback.of("x000000")] == [1.0, 3.0]
    shipper.close()
    spool.close()


def test_repeats_are_left_out_when_files_are_merged(tmp_path: Path) -> None:
    """And counted, so that the recount still adds up."""
    spool, clock = a_spool(tmp_path), Clock()
    shipper = a_shipper(tmp_path, clock)
    for at in (5, 3, 9):
        assert spool.append(an_outcome(at_ns=NOON + at, value=float(at))) is not None
        drain(shipper)
    clock.now += 3 * DAY
    shipper.tidy()
    recount = a_log(tmp_path).recount("outcomes")
    assert (recount.readable, recount.repeated, recount.appended) == (1, 2, 3)
    assert [told.outcome.value for told in Feedback(a_log(tmp_path)).of("x000000")] == [3.0]
    shipper.close()
    spool.close()


def test_an_outcome_may_come_before_its_exchange(tmp_path: Path) -> None:
    """It is kept and counted as an orphan until the exchange is there."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    assert spool.append(an_outcome("x000000")) is not None
    assert spool.append(an_outcome("never")) is not None
    drain(shipper)
    feedback = Feedback(a_log(tmp_path))
    assert feedback.count_orphans() == 2
    fill(spool, range(1))
    assert feedback.count_orphans() == 1
    ((_, outcomes),) = feedback.beside()
    assert [told.outcome.exchange for told in outcomes] == ["x000000"]
    shipper.close()
    spool.close()


def test_a_correction_keeps_its_text(tmp_path: Path) -> None:
    """Archived and waiting alike."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    for key in ("1", "2"):
        note = BodyNote("full", 6)
        assert spool.append(an_outcome(kind="correction", key=key, value=None, label="tone", text=note), b"Gruezi") is not None
        if key == "1":
            drain(shipper)
    told = Feedback(a_log(tmp_path)).of("x000000")
    assert [(one.text, one.outcome.label, one.outcome.value) for one in told] == [(b"Gruezi", "tone", None)] * 2
    shipper.close()
    spool.close()


def test_rates_by_arm_say_how_many_exchanges_there_were(tmp_path: Path) -> None:
    """An unknown value is counted, and is no zero in the mean."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(4))
    fill(spool, range(4, 6), arm="candidate")
    for exchange, value in (("x000000", 1.0), ("x000001", 0.0), ("x000002", None), ("x000005", 0.0)):
        assert spool.append(an_outcome(exchange, value=value)) is not None
    drain(shipper)
    rates = Feedback(a_log(tmp_path)).rates(Selection(workflow="reply"))
    assert rates == [
        OutcomeRate("candidate", "thumbs", "user", 2, 1, 0, 0.0),
        OutcomeRate("incumbent", "thumbs", "user", 4, 3, 1, 0.5),
    ]
    shipper.close()
    spool.close()
