"""Where the counts of batches and workers meet."""

from __future__ import annotations

from segue.gateway.telemetry.board import Board
from segue.gateway.telemetry.sums import Sums, grown

KEPT, RESTARTS = ("segue_spool_kept_total", ()), ("segue_worker_restarts_total", ())


def said(kept: float, worker: str = "0", breaker: str = "closed") -> Sums:
    """What a worker says."""
    gauges = {("segue_connections", (worker,)): 2.0, ("segue_breaker_workers", ("b", breaker)): 1.0}
    return Sums(counts={KEPT: kept}, gauges=gauges)


def test_counts_outlive_the_worker_that_counted_and_its_state_does_not() -> None:
    """One that takes its place begins at nothing, and is added."""
    board = Board("1")
    for kept in (3.0, 3.0, 5.0):
        board.worker_said(0, said(kept), is_keeping=True, fault=None)
    board.worker_said(1, said(1.0, "1", "open"), is_keeping=True, fault=None)
    seen = board.snapshot()
    assert (seen.counts[KEPT], seen.gauges["segue_workers", ()]) == (6.0, 2.0)
    board.worker_gone(0, was_asked=False)
    seen = board.snapshot()
    assert (seen.counts[KEPT], seen.counts[RESTARTS], seen.gauges["segue_workers", ()]) == (6.0, 1.0, 1.0)
    assert ("segue_connections", ("0",)) not in seen.gauges
    board.worker_said(0, said(4.0), is_keeping=True, fault=None)
    assert board.snapshot().counts[KEPT] == 10.0


def test_a_count_that_is_smaller_than_before_began_anew() -> None:
    """Nothing is ever taken off."""
    assert grown({KEPT: 5.0, RESTARTS: 1.0}, {KEPT: 2.0, RESTARTS: 1.0}) == {KEPT: 2.0}


def test_breakers_of_all_workers_are_counted_by_state() -> None:
    """A state that no worker's breaker is in has no series."""
    board = Board("1")
    for worker, state in enumerate(("open", "open", "closed")):
        board.worker_said(worker, said(0.0, str(worker), state), is_keeping=True, fault=None)
    gauges = board.snapshot().gauges
    states = {name: gauges.get(("segue_breaker_workers", ("b", name))) for name in ("open", "half_open", "closed")}
    assert states == {"open": 2.0, "half_open": None, "closed": 1.0}


def test_a_worker_that_cannot_keep_is_told_of_once_and_when_it_can_again() -> None:
    """With the reason."""
    board = Board("1")
    told = [
        board.worker_said(0, said(1.0), is_keeping=keeping, fault=None if keeping else "the disk is full")
        for keeping in (True, False, False, True, True)
    ]
    assert [one and (one.event, one.level) for one in told] == [
        None,
        ("log_not_kept", "error"),
        None,
        ("log_kept", "info"),
        None,
    ]
    assert told[1] is not None
    assert "the disk is full" in told[1].text


def test_a_worker_that_was_asked_to_end_is_no_restart() -> None:
    """Its counts stay."""
    board = Board("1")
    board.worker_said(0, said(1.0), is_keeping=True, fault=None)
    board.worker_gone(0, was_asked=True)
    assert RESTARTS not in board.snapshot().counts


def test_a_snapshot_is_its_own() -> None:
    """It is written out in a thread, while the board grows."""
    board = Board("1")
    more = Sums()
    more.count("segue_spans_exported_total", (), 1)
    more.distribute("segue_score", ("mail", "b", "incumbent", "refusal"), [2], 1.0)
    board.add(more)
    seen = board.snapshot()
    board.add(more)
    assert seen.counts["segue_spans_exported_total", ()] == 1
    assert [one.counts for one in seen.distributions.values()] == [[2]]


def test_a_worker_that_gives_no_reason_is_not_given_one() -> None:
    """Least of all a full disk."""
    told = Board("1").worker_said(0, said(1.0), is_keeping=False, fault=None)
    assert told is not None
    assert "it does not say why" in told.text
