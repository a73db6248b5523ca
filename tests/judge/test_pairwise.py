"""The pairwise judge: both orders, ties, position bias, and their sum."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from segue.evidence.preferences import summarise_preferences
from segue.model import Exchange, Failure
from segue.model.request import ModelOutcome, ModelRequest
from segue.scoring.pairs import PairScorer, PairwisePreference
from tests.judge.builders import a_case, a_pairwise, an_exchange, fails, says, verdict

OLD, NEW = an_exchange("the old answer"), an_exchange("the new answer")


def prefers(text: str) -> Any:
    """A judge that prefers the answer with this text, wherever it stands."""

    def answer(request: ModelRequest) -> ModelOutcome:
        question = request.messages[0].text
        return verdict("A" if question.index("ANSWER A") < question.index(text) < question.index("ANSWER B") else "B")

    return answer


@pytest.mark.parametrize(("liked", "value"), [("the new answer", 1.0), ("the old answer", 0.0)])
async def test_a_preference_that_survives_the_swap_counts(liked: str, value: float) -> None:
    """Both orders are asked, and the same answer wins in both."""
    judge, provider = a_pairwise(prefers(liked))
    found = await judge.prefer(a_case(), OLD, NEW)
    assert isinstance(judge, PairScorer)
    assert (found.value, found.position_inconsistent, found.favoured_position) == (value, False, None)
    first, second = (request.messages[0].text for request in provider.asked)
    assert first.index("the old answer") < first.index("the new answer")
    assert second.index("the new answer") < second.index("the old answer")


@pytest.mark.parametrize(("place", "favoured"), [("A", "first"), ("B", "second")])
async def test_a_judge_that_goes_by_position_is_a_tie_and_marked(place: str, favoured: str) -> None:
    """The same place winning twice is no preference."""
    judge, _ = a_pairwise(verdict(place))
    found = await judge.prefer(a_case(), OLD, NEW)
    assert (found.value, found.position_inconsistent, found.favoured_position) == (0.5, True, favoured)


async def test_ties_in_both_orders_are_consistent_and_a_half_tie_is_not() -> None:
    """A tie beside a preference is a disagreement between the orders."""
    judge, _ = a_pairwise(verdict("tie"))
    found = await judge.prefer(a_case(), OLD, NEW)
    assert (found.value, found.position_inconsistent) == (0.5, False)
    judge, _ = a_pairwise(verdict("tie"), verdict("A"))
    found = await judge.prefer(a_case(), OLD, NEW)
    assert (found.value, found.position_inconsistent, found.favoured_position) == (0.5, True, None)


async def test_identical_answers_are_a_tie_nobody_pays_for() -> None:
    """Equal replies are not sent."""
    judge, provider = a_pairwise(verdict("A"))
    found = await judge.prefer(a_case(), OLD, OLD)
    assert (found.value, found.identical, provider.asked) == (0.5, True, [])


async def test_silence_and_failure_leave_the_preference_open() -> None:
    """No verdict in one order is unscored, an unreachable judge an error, a missing reply unscored."""
    judge, _ = a_pairwise(verdict("A"), says("hm"))
    found = await judge.prefer(a_case(), OLD, NEW)
    assert (found.value, found.status) == (None, "unscored")
    judge, _ = a_pairwise(verdict("A"), fails("server"))
    found = await judge.prefer(a_case(), OLD, NEW)
    assert (found.value, found.status) == (None, "error")
    judge, provider = a_pairwise(verdict("A"))
    found = await judge.prefer(a_case(), Exchange("b", "c1", "i", failure=Failure("timeout")), NEW)
    assert (found.value, found.status, provider.asked) == (None, "unscored", [])
    assert "old arm" in found.reason


def preference(value: float | None, *choices: Any, status: Any = "scored", identical: bool = False) -> PairwisePreference:
    """A preference with these choices in the two orders."""
    return PairwisePreference(
        "c", value, status, "" if value is not None else "why", choices, len(set(choices)) > 1, identical=identical
    )


def test_summary_counts_wins_ties_losses_and_position() -> None:
    """Unjudged pairs enter no rate; identical answers are ties but not asked."""
    preferences = [
        *[preference(1.0, "new", "new")] * 12,
        *[preference(0.0, "old", "old")] * 4,
        *[preference(0.5, "tie", "tie")] * 2,
        *[preference(0.5, "old", "new")] * 3,
        preference(0.5, "new", "old"),
        preference(0.5, identical=True),
        preference(None, status="unscored"),
        preference(None, status="error"),
    ]
    found = summarise_preferences(preferences)
    assert (found.n, found.wins, found.ties, found.losses) == (23, 12, 7, 4)
    assert (found.n_identical, found.n_unscored, found.n_errors) == (1, 1, 1)
    assert found.score.value == pytest.approx((12 + 3.5) / 23)
    assert found.p == pytest.approx(stats.binomtest(4, 16).pvalue)
    assert found.inconsistency.value == pytest.approx(4 / 22)
    assert (found.position_bias.value, found.favoured_first) == (pytest.approx(4 / 22), 3)
    assert "win 12, tie 7 and lose 4 of 23" in found.sentence()


def test_summary_of_nothing_is_unknown() -> None:
    """No judged pair gives no number and no significance."""
    found = summarise_preferences([preference(None, status="error")])
    assert (found.score.value, found.p, found.position_bias.value) == (None, 1.0, None)
    assert found.sentence() == "No pair was judged."


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=60))
def test_swapping_the_arms_mirrors_the_summary(values: list[float]) -> None:
    """Wins become losses, the score its complement, and p stays."""
    one = summarise_preferences([preference(value) for value in values])
    other = summarise_preferences([preference(1 - value) for value in values])
    assert (one.wins, one.losses) == (other.losses, other.wins)
    assert one.p == pytest.approx(other.p)
    assert one.score.numbers[0] == pytest.approx(1 - other.score.numbers[0])
    assert one.score.numbers[1] == pytest.approx(1 - other.score.numbers[2])
