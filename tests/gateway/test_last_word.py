"""Of all that was said where nobody answered, the client is told what lets its SDK do the right thing."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.http import ResponseHead
from segue.gateway.last_word import Weight, Word, heavier
from segue.wire.neutral.client_error import ClientError


def a_word(weight: Weight, number: int, *, is_incumbents: bool) -> Word:
    """What became of the bundle with this number."""
    refusal = (ResponseHead(400, [], None), b"{}") if weight is Weight.REFUSED else None
    return Word(weight, f"of {number}", ClientError("server", "It failed."), None, is_incumbents, refusal)


@given(st.lists(st.sampled_from(Weight), min_size=1, max_size=5), st.integers(0, 5))
def test_what_may_pass_is_told_before_a_refusal_and_the_incumbents_before_the_others(
    weights: list[Weight], incumbent: int
) -> None:
    """Against the rule in other words: of the failures that may pass, else the refusals, …; the incumbent's, else the first."""
    words = [a_word(weight, number, is_incumbents=number == incumbent) for number, weight in enumerate(weights)]
    told: Word | None = reduce(heavier, words, None)
    for weight in ("PASSING", "REFUSED", "LASTING", "NOT_SERVED"):
        alike = [word for word in words if word.weight is Weight[weight]]
        if alike:
            assert told == next((word for word in alike if word.is_incumbents), alike[0])
            return
