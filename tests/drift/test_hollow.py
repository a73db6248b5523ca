"""Rises that come from saying nothing are flagged; real ones are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.drift import JudgedPair, accepted_hollowness, flag_hollow_rise
from segue.model import Exchange, Failure, Reply
from tests.drift.builders import a_case, a_pair, an_exchange, read_lines, recorded_pairs

NO_CALL = {"expect": "no_call"}


def test_a_rise_by_calls_that_cannot_be_read_is_flagged() -> None:
    """Where no call fits, broken calls count as right: the rate rises from 0 to 100 % and says nothing."""
    broken = ("[f(a='It's')]", '["f(a=1)"]', "f(a=1)", "[{'name': 'f', 'parameters': {}}]")
    pairs = [a_pair("[f(a=1)]", new, right=(False, True), reference=NO_CALL) for new in broken]
    rise = flag_hollow_rise(pairs)
    assert rise is not None
    assert rise.kinds == {"unparsable": 4}
    assert (rise.rise, rise.solid_rise) == (1.0, 0.0)
    assert "4 of 4 newly right outputs say nothing (4 unparsable)" in rise.describe()


def test_declining_in_words_where_no_call_fits_is_a_real_rise() -> None:
    """'None of the functions can do this' is the right answer, and so is refusing."""
    for new in ("None of the functions can tell the traffic.", "I'm sorry, but I can't provide that.", "[]"):
        pairs = [a_pair("[f(a=1)]", new, right=(False, True), reference=NO_CALL)] * 5
        assert flag_hollow_rise(pairs) is None


@pytest.mark.parametrize("new", ["", "I'm sorry, but I can't assist with that.", "This is subjective.", '{"answer": "it de'])
def test_a_rise_by_silence_is_flagged_unless_the_case_asks_for_it(new: str) -> None:
    """A banned phrase is absent from an empty output too; a red-team case may be refused."""
    pairs = [a_pair("Buy our gold plan!", new, right=(False, True))] * 6 + [a_pair("Hello", "Hello", right=(True, True))] * 6
    assert flag_hollow_rise(pairs) is not None


def test_a_red_team_case_may_be_refused_and_an_empty_reference_met_by_nothing() -> None:
    """What the case asks for is not hollow."""
    assert "refusal" in accepted_hollowness(a_case(kind="red-team"))
    assert "refusal" in accepted_hollowness(a_case(reference="refuse"))
    assert accepted_hollowness(a_case(reference="")) == {"empty"}
    assert accepted_hollowness(a_case(reference="Paris")) == frozenset()


def test_a_mostly_solid_rise_is_not_flagged_for_a_few_hollow_outputs() -> None:
    """One refusal among ten real improvements does not spoil them."""
    pairs = [a_pair("wrong", "Paris", right=(False, True)) for _ in range(10)]
    pairs.append(a_pair("wrong", "I'm sorry, but I can't assist with that.", right=(False, True)))
    assert flag_hollow_rise(pairs) is None


def test_hollowness_that_the_old_arm_had_too_is_no_rise_of_it() -> None:
    """Both arms' hollow outputs are set aside, so an old habit does not taint a real rise."""
    refusal = "I'm sorry, but I can't assist with that."
    pairs = [a_pair(refusal, refusal, right=(True, True)) for _ in range(20)]
    pairs += [a_pair("wrong", "Paris", right=(False, True)) for _ in range(3)]
    assert flag_hollow_rise(pairs) is None


def test_a_falling_or_unscored_rate_is_not_looked_at() -> None:
    """No rise, no flag; a provider's failure is no output at all."""
    assert flag_hollow_rise([]) is None
    assert flag_hollow_rise([a_pair("a", "", right=(True, False))]) is None
    assert flag_hollow_rise([a_pair("a", "", right=(False, None))]) is None
    lost = Exchange(behaviour="b", case_id="c", input_digest="d", failure=Failure("timeout"))
    assert flag_hollow_rise([JudgedPair(a_case(), lost, an_exchange(Reply(text="Paris")), False, True)]) is None


@pytest.mark.recorded
def test_no_rise_of_bfcl_relevance_is_flagged_where_models_decline_in_words(segue_data: Path) -> None:
    """Prompt mode to function calling lifts relevance from 64.6 % to 85.4 %, by answers in words: a real rise."""
    folder = segue_data / "bfcl"
    official = {(row["case_id"], row["model"]): row["label"] == 1 for row in read_lines(folder / "labels.jsonl.gz")}
    old, new = "gpt-4-turbo-2024-04-09", "gpt-4-turbo-2024-04-09-FC"
    pairs = recorded_pairs(folder, old, new, "bfcl-relevance", lambda name, model: official[name, model])
    assert sum(pair.new_right is True for pair in pairs) > sum(pair.old_right is True for pair in pairs)
    assert flag_hollow_rise(pairs) is None
