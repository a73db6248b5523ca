"""The time of a stage in blocks: what they never lie over, and that whoever reads later gets the same."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from segue.controller.live_blocks import Span, TimeBlock, Timeline, spans_of
from segue.upgrade.log import Upgrade
from segue.upgrade.state import Period
from tests.controller.live_builders import DAY, HOUR, T0, an_opening, entered, in_canary

lengths = st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.integers(0, 1)), min_size=1, max_size=6)


def spans(pieces: list[tuple[int, bool, int]], until: float | None = None) -> tuple[Span, ...]:
    """Joined end to end, in minutes from 0; only those that have begun by `until`, the last of them open."""
    found: list[Span] = []
    at, step = 0.0, 0
    for minutes, counts, further in pieces:
        step += further
        begun = next((one.step_begin for one in reversed(found) if one.step == step), at)
        found.append(Span(at, at + minutes * 60.0, step, counts, begun))
        at += minutes * 60.0
    if until is None:
        return tuple(found)
    seen = [one for one in found if one.begin <= until]
    last = seen[-1]
    if last.end is not None and last.end > until:
        seen[-1] = Span(last.begin, None, last.step, last.is_counting, last.step_begin)
    return tuple(seen)


@settings(max_examples=100, deadline=None)
@given(lengths, st.lists(st.integers(0, 150_000), max_size=8))
def test_blocks_are_the_same_however_often_one_looks(pieces: list[tuple[int, bool, int]], looks: list[int]) -> None:
    """They follow from log and clock alone, cover all of the time, and end where anything changes."""
    end = sum(minutes for minutes, _, _ in pieces) * 60.0
    often = Timeline(HOUR, 1.0, (0.5, 0.5))
    for at in sorted(one for one in looks if one < end):
        assert often.follow(spans(pieces, at), at)
    assert often.follow(spans(pieces), end)
    once = Timeline(HOUR, 1.0, (0.5, 0.5))
    assert once.follow(spans(pieces), end)
    assert often.blocks == once.blocks
    real = [one for one in once.blocks if one.end > one.begin]
    assert all(before.end == after.begin for before, after in pairwise(real))
    assert (real[0].begin, real[-1].end) == (0.0, end)
    edges = {span.end for span in spans(pieces)}
    assert not any(block.begin < edge < block.end for block in real for edge in edges if edge is not None)


def test_what_waits_is_bet_on_at_the_end_of_each_cycle_once_the_hold_is_over() -> None:
    """So that a step is left on all that is known; and where its share ends, for two shares must not be pooled."""
    timeline = Timeline(6 * HOUR, 1.0, (2.0,))
    timeline.follow((Span(0.0, None, 0, True, 0.0),), 4 * DAY)
    assert [block.end / DAY for block in timeline.blocks if block.closes] == [2.0, 3.0, 4.0]
    timeline.follow((Span(0.0, 4 * DAY + 60, 0, True, 0.0),), 4 * DAY + 60)
    assert timeline.blocks[-1] == TimeBlock(4 * DAY + 60, 4 * DAY + 60, 0, True, closes=True)


def test_a_log_that_does_not_go_on_from_the_last_look_begins_anew() -> None:
    """A clock that was set back: nothing may be left of blocks that never were."""
    timeline = Timeline(HOUR)
    assert timeline.follow((Span(0.0, None, 0, True, 0.0),), 5 * HOUR)
    assert not timeline.follow((Span(0.0, 2 * HOUR, 0, True, 0.0), Span(2 * HOUR, None, 1, True, 2 * HOUR)), 6 * HOUR)


def test_spans_are_cut_where_the_step_or_the_clock_changed() -> None:
    """And only the last visit's evidence counts."""
    upgrade = in_canary()
    state = upgrade.state
    held = state.model_copy(update={"standing": "holding", "periods": (Period(begin=T0, end=T0 + DAY),)})
    upgrade = Upgrade(
        upgrade.opening,
        (*upgrade.entries, upgrade.entries[-1].model_copy(update={"at": T0 + DAY, "event": "harm_hold", "state": held})),
    )
    upgrade = entered(upgrade, "canary", T0 + 2 * DAY, step=1)
    found = [one for one in spans_of(upgrade, "canary") if one.end != one.begin]
    assert [((one.begin - T0) / DAY, one.step, one.is_counting) for one in found] == [
        (0.0, 0, True),
        (1.0, 0, False),
        (2.0, 1, True),
    ]
    assert found[-1].end is None
    assert found[1].step_begin == T0


def test_a_candidate_that_was_replaced_leaves_nothing_of_its_shadow() -> None:
    """The next one's evidence is its own."""
    upgrade = entered(Upgrade(an_opening()), "shadow", T0)
    upgrade = entered(upgrade, "staging", T0 + DAY, candidate="c" * 64)
    upgrade = entered(upgrade, "shadow", T0 + 2 * DAY, candidate="c" * 64)
    assert {one.begin for one in spans_of(upgrade, "shadow")} == {T0 + 2 * DAY}
