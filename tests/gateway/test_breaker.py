"""The breaker cuts off what burns, and tries again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.breaker import SLOTS, Breaker, BreakerSettings

SETTINGS = BreakerSettings(window_s=10, failures=5, share=0.5, rest_s=5)


def admitted(breaker: Breaker, at: float) -> int:
    """The spell of a call that is let through."""
    spell = breaker.admit(at)
    assert spell is not None
    return spell


def burnt(at: float = 0.0) -> Breaker:
    """One that has just opened."""
    breaker = Breaker(SETTINGS)
    spell = admitted(breaker, at)
    assert [breaker.tell(at, spell, answered=False) for _ in range(5)] == [False, False, False, False, True]
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    """And from then on nobody is sent there."""
    assert burnt().state == "open"
    assert burnt().admit(4.9) is None


def test_a_few_failures_among_many_answers_do_not() -> None:
    """A provider that fails now and then is a matter of evidence, not of fire."""
    breaker = Breaker(SETTINGS)
    for number in range(400):
        breaker.tell(number / 100, admitted(breaker, number / 100), answered=number % 5 != 0)
    assert breaker.state == "closed"


def test_old_failures_are_forgotten() -> None:
    """Four failures, a pause longer than the window, four more."""
    breaker = Breaker(SETTINGS)
    for at in (0.0, 0.0, 0.0, 0.0, 20.0, 20.0, 20.0, 20.0):
        breaker.tell(at, admitted(breaker, at), answered=False)
    assert breaker.state == "closed"


def test_failures_count_until_the_window_is_over() -> None:
    """Four failures, and a fifth within the window, whatever was counted between; to a twentieth of it."""
    for last, state in ((9.9, "open"), (10.6, "closed")):
        breaker = Breaker(SETTINGS)
        for at in (0.0, 0.1, 0.2, 0.3, last):
            breaker.tell(at, admitted(breaker, at), answered=False)
        assert breaker.state == state


def test_however_many_calls_few_things_are_remembered() -> None:
    """A hundred thousand calls in a minute."""
    breaker = Breaker(SETTINGS)
    for number in range(100_000):
        breaker.tell(number * 6e-4, 0, answered=True)
    assert len(breaker._slots) <= SLOTS + 1
    assert 9.4 <= breaker._n * 6e-4 <= 10.6


def test_after_a_rest_one_call_tries() -> None:
    """One at a time; its answer closes the breaker."""
    breaker = burnt()
    spell, *others = [breaker.admit(5.0) for _ in range(3)]
    assert spell is not None
    assert others == [None, None]
    assert breaker.tell(5.5, spell, answered=True)
    assert breaker.admit(5.6) is not None
    assert breaker.state == "closed"


def test_a_try_that_fails_opens_it_again_for_the_whole_rest() -> None:
    """A burning provider gets one call every rest."""
    breaker = burnt()
    assert breaker.tell(6.0, admitted(breaker, 5.0), answered=False)
    assert [breaker.admit(at) is not None for at in (6.1, 10.9, 11.0)] == [False, False, True]


def test_calls_begun_before_it_opened_say_nothing_of_a_try() -> None:
    """Neither does their late answer close it, nor their failure prolong the rest, nor their end let a second try through."""
    breaker = Breaker(SETTINGS)
    old = admitted(breaker, 0.0)
    for _ in range(5):
        breaker.tell(0.0, old, answered=False)
    trial = admitted(breaker, 5.0)
    assert not breaker.tell(5.1, old, answered=True)
    assert not breaker.tell(5.2, old, answered=False)
    breaker.abandon(old)
    assert breaker.admit(5.3) is None
    assert breaker.tell(5.4, trial, answered=True)
    assert [breaker.tell(5.5, old, answered=False) for _ in range(5)] == [False] * 5
    assert breaker.state == "closed"


def test_a_try_whose_client_went_away_does_not_block_the_next() -> None:
    """It told nothing."""
    breaker = burnt()
    breaker.abandon(admitted(breaker, 5.0))
    assert breaker.admit(5.1) is not None


def test_five_whose_clients_gave_up_in_a_row_are_failures() -> None:
    """Four tell nothing; the fifth counts for all, and each that follows for itself, whenever they were."""
    breaker = Breaker(SETTINGS)
    for _ in range(8):
        breaker.tell(40.0, admitted(breaker, 40.0), answered=True)
    assert [breaker.give_up(40.0 + at, admitted(breaker, 40.0 + at)) for at in range(7)] == [False] * 7
    assert breaker._failed == 7, "beside eight answers"
    assert breaker.give_up(47.0, admitted(breaker, 47.0))
    assert breaker.state == "open"


def test_given_up_ones_that_are_far_apart_count_together() -> None:
    """One an hour, and never an answer."""
    breaker = Breaker(SETTINGS)
    assert [breaker.give_up(3600.0 * at, admitted(breaker, 3600.0 * at)) for at in range(5)] == [False] * 4 + [True]


def test_a_try_that_is_given_up_opens_it_again_where_it_was_cut_off_for_that() -> None:
    """A bundle that hangs gets one impatient client every rest, and not one after the other."""
    breaker = Breaker(SETTINGS)
    for _ in range(5):
        breaker.give_up(0.0, admitted(breaker, 0.0))
    assert breaker.give_up(6.0, admitted(breaker, 5.0))
    assert [breaker.admit(at) is not None for at in (6.1, 10.9, 11.0)] == [False, False, True]
    assert breaker.tell(11.5, breaker.spell, answered=True)
    assert [breaker.give_up(12.0, admitted(breaker, 12.0)) for _ in range(4)] == [False] * 4
    assert (breaker.state, breaker._failed) == ("closed", 0), "an answer begins a new row"


def test_one_that_was_coming_ends_a_row() -> None:
    """Its client had read enough."""
    breaker = Breaker(SETTINGS)
    for end in [breaker.give_up] * 4 + [None] + [breaker.give_up] * 4:
        spell = admitted(breaker, 0.0)
        if end is None:
            breaker.abandon(spell, is_well=True)
        else:
            assert not end(0.0, spell)
    assert breaker.state == "closed"


ENDS = st.sampled_from(["answered", "failed", "gave up", "gone", "well"])


@given(st.lists(ENDS, max_size=60))
def test_it_opens_once_failures_and_rows_of_given_up_ones_burn(ends: list[str]) -> None:
    """Against a count by hand: at one moment, calls one after the other, up to the first opening."""
    breaker = Breaker(SETTINGS)
    failed = n = row = 0
    for end in ends:
        row = row + 1 if end == "gave up" else 0 if end in ("answered", "well") else row
        more = (5 if row == 5 else int(row > 5)) if end == "gave up" else int(end == "failed")
        failed, n = failed + more, n + more + (end == "answered")
        moved = play(breaker, end, 0.0, admitted(breaker, 0.0))
        burns = more > 0 and failed >= 5 and failed >= n / 2
        assert moved == burns == (breaker.state == "open")
        if burns:
            return
        assert (breaker._failed, breaker._n) == (failed, n)


def play(breaker: Breaker, end: str, now: float, spell: int) -> bool:
    """One call ends in this way."""
    if end == "gave up":
        return breaker.give_up(now, spell)
    if end in ("gone", "well"):
        breaker.abandon(spell, is_well=end == "well")
        return False
    return breaker.tell(now, spell, answered=end == "answered")


@given(st.lists(st.tuples(st.floats(0, 3), st.just("ask") | ENDS), max_size=200))
def test_it_never_shuts_for_good(events: list[tuple[float, str]]) -> None:
    """Whatever happened, once the calls under way have ended a rest later somebody may call."""
    breaker, now = Breaker(SETTINGS), 0.0
    under_way: list[int] = []
    for wait, event in events:
        now += wait
        if event == "ask":
            spell = breaker.admit(now)
            under_way += [] if spell is None else [spell]
        elif under_way:
            play(breaker, event, now, under_way.pop(0))
        assert breaker._n == sum(one.n for one in breaker._slots)
        assert breaker._failed == sum(one.failed for one in breaker._slots)
    for spell in under_way:
        breaker.abandon(spell)
    assert breaker.admit(now + SETTINGS.rest_s) is not None
