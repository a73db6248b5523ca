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


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["ask", "answered", "failed", "gone"])), max_size=200))
def test_it_never_shuts_for_good(events: list[tuple[float, str]]) -> None:
    """Whatever happened, once the calls under way have ended a rest later somebody may call."""
    breaker, now = Breaker(SETTINGS), 0.0
    under_way: list[int] = []
    for wait, event in events:
        now += wait
        if event == "ask":
            spell = breaker.admit(now)
            under_way += [] if spell is None else [spell]
        elif under_way and event == "gone":
            breaker.abandon(under_way.pop(0))
        elif under_way:
            breaker.tell(now, under_way.pop(0), answered=event == "answered")
        assert breaker._n == sum(one.n for one in breaker._slots)
        assert breaker._failed == sum(one.failed for one in breaker._slots)
    for spell in under_way:
        breaker.abandon(spell)
    assert breaker.admit(now + SETTINGS.rest_s) is not None
