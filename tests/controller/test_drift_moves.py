"""What a drift report names, and what it leaves alone: pairs in, dimensions, slices and intervals out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.drift.correction import adjust, countable, least_log10_p
from segue.drift.drift_report import DriftReport
from segue.drift.gathering import MOST_SLICES, Gathering, gather, log_ratio
from segue.drift.live_pair import LivePair, Side, values_of
from segue.drift.questions import DIMENSIONS, QUESTIONS
from segue.drift.tone import read_tone
from segue.model import Reply, ToolCall
from tests.controller.drifting import a_side, fence_on_product, move, named, pairs, report_of, standing


def test_a_fence_in_one_slice_is_named_there_with_its_size_and_its_interval() -> None:
    """And in no other slice; every other dimension is left alone but length, which a fence adds to."""
    report = report_of(pairs(400, fence_on_product))
    found = move(report, "whole_fence", "task=product")
    assert found.low < 0.67 < found.high
    assert found.is_beyond
    assert "On task=product," in found.sentence
    assert "wrapped in a Markdown fence, 0 % before" in found.sentence
    assert {where for question, where in named(report) if question == "whole_fence"} == {"", "task=product"}
    assert standing(report, "format") == "moved beyond"
    assert [one for one in ("failures", "refusals", "tone", "latency", "cost") if standing(report, one) != "not moved"] == []


def test_replies_that_shrink_by_a_seventh_are_named_with_how_much() -> None:
    """As a ratio, request by request."""
    report = report_of(pairs(300, lambda _task, text, _rng: text[: len(text) * 6 // 7]))
    found = move(report, "characters")
    assert found.low < -1 / 7 < found.high < 0
    assert standing(report, "length") == "moved beyond"
    assert "less" in found.sentence


def test_where_nothing_moved_nothing_is_named() -> None:
    """In at most one of twenty reports."""
    alarms = sum(bool(report_of(pairs(120, seed=seed, units=None if seed % 2 else 40)).moves) for seed in range(8))
    assert alarms <= 2


def test_users_who_come_again_are_not_counted_as_so_many_requests() -> None:
    """One user of four gets another form throughout: that is one user, however many requests."""

    def sides(number: int) -> LivePair:
        rng = np.random.default_rng(number)
        text = "```\nA word for you.\n```" if number % 4 == 0 else "A word for you."
        return LivePair(f"p{number}", a_side("A word for you.", rng), a_side(text, rng), unit=f"u{number % 4}")

    few = report_of([sides(number) for number in range(200)])
    alone = report_of([LivePair(f"p{n}", sides(n).old, sides(n).new) for n in range(200)])
    assert ("whole_fence", "") not in named(few)
    assert ("whole_fence", "") in named(alone)
    assert any("4 units" in remark for remark in few.remarks)


def test_a_slow_tail_is_named_though_the_median_stays() -> None:
    """A tenth of the answers takes ten times as long."""

    def live(number: int) -> LivePair:
        rng = np.random.default_rng(number)
        old, new = (
            a_side("A word.", rng, latency_ms=100.0),
            a_side("A word.", rng, latency_ms=1000.0 if number % 10 == 0 else 100.0),
        )
        return LivePair(f"p{number}", old, new)

    report = report_of([live(number) for number in range(300)], slow_ms=900.0)
    assert move(report, "slow").is_beyond
    tail = next(one for one in report.tails if (one.name, one.share) == ("latency_ms", 0.95))
    assert (tail.old, tail.new) == (100.0, 1000.0)


def test_a_later_first_token_is_named_though_whole_answers_take_no_longer() -> None:
    """With its 95th percentile beside those of latency."""

    def live(number: int) -> LivePair:
        rng = np.random.default_rng(number)
        old, new = (a_side("A word.", rng, latency_ms=900.0, ttft_ms=first) for first in (100.0, 300.0))
        return LivePair(f"p{number}", old, new)

    report = report_of([live(number) for number in range(40)])
    assert move(report, "ttft_ms").is_beyond
    assert standing(report, "latency") == "moved beyond"
    assert [(one.old, one.new) for one in report.tails if one.name == "ttft_ms"] == [(100.0, 300.0)]


@pytest.mark.parametrize(
    ("given", "question"),
    [
        ({"failed": True, "reply": None}, "failed"),
        ({"contract": 0.0}, "contract"),
        ({"reply": Reply(text="I'm sorry, but I can't help with that request.")}, "refusal"),
        ({"reply": Reply(tool_calls=(ToolCall(name="refund", arguments="{}"),))}, "tool_calls"),
        ({"reply": Reply(text="Danke für die Nachricht, wir haben sie erhalten und sehen uns das bald an.")}, "other_language"),
    ],
    ids=["failures", "contract", "refusals", "tools", "language"],
)
def test_each_dimension_is_seen_where_the_candidate_alone_has_it(given: dict[str, object], question: str) -> None:
    """In every answer of the candidate."""

    def live(number: int) -> LivePair:
        rng = np.random.default_rng(number)
        return LivePair(
            f"p{number}", a_side("Thank you, we have it and will look at it.", rng, contract=1.0), a_side("", rng, **given)
        )

    assert move(report_of([live(number) for number in range(40)]), question).is_beyond


def test_what_is_for_the_better_needs_no_explanation() -> None:
    """An answer that costs half as much has moved, and is within its limit."""

    def live(number: int) -> LivePair:
        rng = np.random.default_rng(number)
        return LivePair(f"p{number}", a_side("A.", rng, cost_microusd=10.0), a_side("A.", rng, cost_microusd=5.0))

    assert standing(report_of([live(number) for number in range(40)]), "cost") == "moved within"


def test_what_is_not_kept_is_unknown_and_says_why() -> None:
    """Length, tone and format need a body; latency does not."""
    found = [
        LivePair(one.pair, Side(latency_ms=100.0, failed=False), Side(latency_ms=100.0, failed=False)) for one in pairs(50)
    ]
    report = report_of(found, without_body="the workflow keeps no bodies (serving: keep)")
    assert standing(report, "tone") == standing(report, "format") == standing(report, "contract") == "unknown"
    assert "the workflow keeps no bodies" in next(one.sentence for one in report.dimensions if one.name == "format")
    assert standing(report, "latency") == "not moved"
    assert standing(report, "cost") == "unknown"


def test_scores_of_the_log_stand_in_for_bodies_that_are_gone() -> None:
    """What was read out of an answer when it came is still known."""
    old, new = ({"format.whole_fence": value, "characters": 100.0, "refusal": 0.0} for value in (0.0, 1.0))
    found = [LivePair(f"p{n}", Side(failed=False, scores=old), Side(failed=False, scores=new)) for n in range(40)]
    report = report_of(found)
    assert move(report, "whole_fence").change == 1.0
    assert standing(report, "refusals") == "not moved"
    assert standing(report, "tone") == "unknown"


def test_no_pair_at_all_is_unknown_in_every_dimension() -> None:
    """Silence passes nothing."""
    assert {one.standing for one in report_of([]).dimensions} == {"unknown"}
    assert [one.name for one in report_of([]).dimensions] == list(DIMENSIONS)


def test_memory_is_bounded_by_slices_and_not_by_their_number() -> None:
    """Slices beyond the most are counted and said."""
    rng = np.random.default_rng(0)
    found = [LivePair(f"p{n}", a_side("A b c.", rng), a_side("A b c.", rng), {"user": f"{n}"}) for n in range(MOST_SLICES + 30)]
    gathering = gather(found)
    assert len(gathering.cells) == MOST_SLICES + 1
    assert gathering.n_slices_left_out == 30
    assert any("30 slices" in remark for remark in report_of(found).remarks)


def test_a_report_is_the_same_whatever_the_order_of_its_pairs() -> None:
    """Examples too: they are drawn by their names."""
    found = list(pairs(120, fence_on_product))
    one, other = report_of(found), report_of(list(reversed(found)))
    assert [(m.question, m.where, m.witnesses) for m in one.moves] == [(m.question, m.where, m.witnesses) for m in other.moves]


def test_a_report_survives_the_way_through_json() -> None:
    """As the store keeps it, without anybody's words."""
    report = report_of(pairs(120, fence_on_product))
    assert DriftReport.model_validate(json.loads(json.dumps(report.as_json()))) == report


def test_every_question_has_a_value_and_every_value_a_question() -> None:
    """A row in the table without a measurement would be silent for ever."""
    rng = np.random.default_rng(0)
    pair = LivePair(
        "p", a_side("Thank you, the two of us are here.", rng, contract=1.0, ttft_ms=1.0), a_side("Thanks to you.", rng)
    )
    old, _ = values_of(pair, 100.0)
    assert set(old) == {one.name for one in QUESTIONS}
    untouched = {name for name, value in old.items() if value is None}
    assert untouched == {"other_tools", "familiar", "other_language"} or untouched <= {
        "other_tools",
        "familiar",
        "other_language",
    }


def test_tone_is_read_in_the_language_of_the_text_and_from_strings_of_json() -> None:
    """And is unknown where there is none, or in a language without a stock of words."""
    german = read_tone('{"reply": "Es tut mir leid, vielleicht ist das Paket nicht bei der Post. Bitte schreiben Sie uns!"}')
    assert (german["apologises"], german["hedges"], german["polite"], german["exclaims"]) == (1.0, 1.0, 1.0, 1.0)
    assert german["enthuses"] == 0.0
    assert read_tone("refund")["exclaims"] is None
    assert read_tone("Dziękujemy za wiadomość, jest już w drodze i nie ma się czym martwić.")["hedges"] is None


def test_questions_that_cannot_be_answered_are_not_corrected_for() -> None:
    """Ninety-nine with a single discordant pair each leave the hundredth its own chance."""
    least = [least_log10_p(1)] * 99 + [least_log10_p(12)]
    adjusted, counted = adjust([0.0] * 99 + [least_log10_p(12)], least, 0.025)
    assert counted == 1
    assert adjusted[-1] == least_log10_p(12)
    assert countable([least_log10_p(12)] * 50, 0.025) == list(range(50))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-9, 0), st.integers(0, 40)), max_size=60))
def test_a_correction_never_makes_anything_more_certain(found: list[tuple[float, int]]) -> None:
    """An adjusted p-value is no smaller than the raw one, and no larger than one."""
    raw, least = [min(0.0, one) for one, _ in found], [least_log10_p(n) for _, n in found]
    adjusted, _ = adjust(raw, least, 0.025)
    assert all(after >= before - 1e-12 and after <= 0.0 for before, after in zip(raw, adjusted, strict=True))


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_ratio_and_the_way_back_cancel(old: float, new: float) -> None:
    """From or to nothing too."""
    assert log_ratio(old, new) == pytest.approx(-log_ratio(new, old))


def test_gathering_twice_as_much_of_the_same_makes_intervals_narrower() -> None:
    """And leaves the size of a move where it is."""
    short, long = (move(report_of(pairs(n, fence_on_product)), "whole_fence") for n in (150, 500))
    assert long.high - long.low < short.high - short.low
    assert isinstance(Gathering().n_pairs, int)
