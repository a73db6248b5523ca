"""The breaker cuts off what burns, and tries again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.breaker import Breaker, BreakerSettings

SETTINGS = BreakerSettings(window_s=10, failures=5, share=0.5, rest_s=5)


def burnt(at: float = 0.0) -> Breaker:
    """One that has just opened."""
    breaker = Breaker(SETTINGS)
    assert [breaker.tell(at, answered=False) for _ in range(5)] == [False, False, False, False, True]
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    """And from then on nobody is sent there."""
    assert burnt().state == "open"
    assert not burnt().allows(4.9)


def test_a_few_failures_among_many_answers_do_not() -> None:
    """A provider that fails now and then is a matter of evidence, not of fire."""
    breaker = Breaker(SETTINGS)
    for number in range(400):
        breaker.tell(number / 100, answered=number % 5 != 0)
    assert breaker.state == "closed"


def test_old_failures_are_forgotten() -> None:
    """Four failures, a pause longer than the window, four more."""
    breaker = Breaker(SETTINGS)
    for at in (0.0, 0.0, 0.0, 0.0, 20.0, 20.0, 20.0, 20.0):
        breaker.tell(at, answered=False)
    assert breaker.state == "closed"


def test_after_a_rest_one_call_tries() -> None:
    """One at a time; its answer closes the breaker, and those that were under way before say nothing."""
    breaker = burnt()
    breaker.tell(1.0, answered=True)
    assert breaker.state == "open"
    assert [breaker.allows(5.0) for _ in range(3)] == [True, False, False]
    assert breaker.tell(5.5, answered=True)
    assert breaker.allows(5.6)
    assert breaker.state == "closed"


def test_a_try_that_fails_opens_it_again_for_the_whole_rest() -> None:
    """A burning provider gets one call every rest."""
    breaker = burnt()
    assert breaker.allows(5.0)
    assert breaker.tell(6.0, answered=False)
    assert [breaker.allows(at) for at in (6.1, 10.9, 11.0)] == [False, False, True]


def test_a_try_whose_client_went_away_does_not_block_the_next() -> None:
    """It told nothing."""
    breaker = burnt()
    assert breaker.allows(5.0)
    breaker.abandon()
    assert breaker.allows(5.1)


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["ask", "answered", "failed", "gone"])), max_size=200))
def test_it_never_shuts_for_good(events: list[tuple[float, str]]) -> None:
    """Whatever happened, once the calls under way have ended a rest later somebody may call."""
    breaker, now = Breaker(SETTINGS), 0.0
    for wait, event in events:
        now += wait
        if event == "ask":
            breaker.allows(now)
        elif event == "gone":
            breaker.abandon()
        else:
            breaker.tell(now, answered=event == "answered")
        assert breaker._failed == sum(not answered for _, answered in breaker._calls)
    breaker.abandon()
    assert breaker.allows(now + SETTINGS.rest_s)
