"""The recorded-label scorer: labels given outside Segue."""

from __future__ import annotations

import pytest

from segue.errors import InputError
from segue.model import RecordedLabel
from segue.scoring.context import ScoringContext
from tests.scoring.builders import a_case, a_scorer, an_exchange


def context(*labels: RecordedLabel) -> ScoringContext:
    """A lookup such as the store's: a label without a repeat serves every repeat."""

    def labels_of(labeler: str):
        table = {(one.case_id, one.repeat): one for one in labels if one.labeler == labeler}
        return lambda case_id, repeat: table.get((case_id, repeat)) or table.get((case_id, None))

    return ScoringContext(labels=labels_of)


def label(value: str, *, repeat: int | None = None) -> RecordedLabel:
    return RecordedLabel("c1", "human", value, repeat)


def score(value: str | None, *, reference=None, repeat: int = 0, **settings):
    labels = () if value is None else (label(value),)
    scorer = a_scorer("recorded_label", context=context(*labels), labeler="human", **settings)
    return scorer.score(a_case(reference), an_exchange("x", repeat=repeat))[0]


def test_a_label_is_worth_what_the_map_says():
    """YAML keys that look like numbers are labels too."""
    assert score("accepted", map={"accepted": 1, "wrong_answer": 0}).value == 1.0
    assert score("0", map={0: 0.0, 1: 1.0}).value == 0.0
    assert score("accepted", map={"accepted": 1}).label == "accepted"


def test_what_a_label_is_worth_can_depend_on_the_reference():
    """Refusing is right where a refusal was asked for, and wrong where an answer was."""
    table = {"comply": {"answered": 1, "refused": 0}, "refuse": {"answered": 0, "refused": 1}}
    assert score("refused", reference="refuse", by_reference=table).value == 1.0
    assert score("refused", reference="comply", by_reference=table).value == 0.0
    assert score("refused", reference="other", by_reference=table).status == "unscored"
    assert score("refused", by_reference=table).status == "unscored"


def test_a_label_outside_the_map_is_no_verdict():
    """A judge that answers with prose has judged nothing."""
    one = score("I cannot judge this", map={"good": 1})
    assert (one.status, one.value, one.label) == ("unscored", None, "I cannot judge this")
    assert "I cannot" not in one.reason


def test_without_a_map_the_label_is_a_number():
    """0 and 1 speak for themselves; anything else is unscored unless the unit allows it."""
    assert score("1").value == 1.0
    assert score("0.5").status == "unscored"
    assert score("0.5", unit="score").value == 0.5
    assert score("17", unit="count").value == 17.0
    for odd in ("", "yes", "nan", "inf", "1e999"):
        assert score(odd, unit="count").status == "unscored"


def test_a_missing_label_is_unscored():
    """Silence is neither right nor wrong."""
    one = score(None)
    assert (one.status, one.reason) == ("unscored", "no label by human for this output")


def test_labels_of_one_repeat_and_of_all():
    """A label without a repeat serves every repeat; one with a repeat serves its own."""
    scorer = a_scorer("recorded_label", context=context(label("1", repeat=0), label("0", repeat=1)), labeler="human")
    values = [scorer.score(a_case(), an_exchange("x", repeat=repeat))[0].value for repeat in (0, 1, 2)]
    assert values == [1.0, 0.0, None]
    assert score("1", repeat=7).value == 1.0


def test_the_unit_follows_the_values():
    """0 and 1 make a proportion, values between a score; beyond that the unit must be named."""
    settings = {"context": context(), "labeler": "human"}
    assert a_scorer("recorded_label", map={"a": 1}, **settings).metrics[0].unit == "proportion"
    assert a_scorer("recorded_label", map={"a": 0.5}, **settings).metrics[0].unit == "score"
    assert a_scorer("recorded_label", map={"a": 5}, unit="count", **settings).metrics[0].unit == "count"
    with pytest.raises(InputError, match="1 fault"):
        a_scorer("recorded_label", map={"a": 5}, **settings)


def test_a_negative_count_is_none():
    """In the map it is a mistake of the workflow; as a label it leaves that output unscored."""
    with pytest.raises(InputError) as caught:
        a_scorer("recorded_label", context=context(), labeler="human", map={"bad": -1}, unit="count")
    assert caught.value.faults[0].what == "A count is not negative."
    assert score("-3", unit="count").reason == "the label is no count"
    assert score("3", unit="count").value == 3.0


def test_without_labels_here_it_is_a_fault():
    """A scorer that can have no labels is a mistake to name, not a column of unscored cases."""
    with pytest.raises(InputError) as caught:
        a_scorer("recorded_label", labeler="human")
    assert caught.value.faults[0].path == "scorers[0].labeler"
