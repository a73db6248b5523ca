"""Per-class figures and the confusion matrix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.scoring.classes import summarise_classes

# A confusion matrix worked out by hand. Rows are references, columns predictions:
#            cat  dog  bird  (unread)
#   cat        5    2     0      1     support 8
#   dog        1    6     0      0     support 7
#   bird       0    3     0      2     support 5
# predicted    6   11     0
BY_HAND = {
    ("cat", "cat"): 5, ("cat", "dog"): 2, ("cat", None): 1,
    ("dog", "cat"): 1, ("dog", "dog"): 6,
    ("bird", "dog"): 3, ("bird", None): 2,
}  # fmt: skip
PAIRS = [pair for pair, count in BY_HAND.items() for _ in range(count)]


def test_figures_equal_those_worked_out_by_hand():
    """Precision by column, recall by row; F1 is the harmonic mean of both."""
    report = summarise_classes(PAIRS)
    bird, cat, dog = report.classes
    assert (cat.support, cat.predicted, cat.right) == (8, 6, 5)
    assert cat.precision == pytest.approx(5 / 6)
    assert cat.recall == pytest.approx(5 / 8)
    assert cat.f1 == pytest.approx(2 * (5 / 6) * (5 / 8) / (5 / 6 + 5 / 8))
    assert dog.precision == pytest.approx(6 / 11)
    assert dog.recall == pytest.approx(6 / 7)
    assert dog.f1 == pytest.approx(2 * (6 / 11) * (6 / 7) / (6 / 11 + 6 / 7))
    assert (bird.precision, bird.recall, bird.f1) == (None, 0.0, 0.0)
    assert report.accuracy == pytest.approx(11 / 20)
    assert (report.n, report.n_unread) == (20, 3)
    assert report.macro_precision == pytest.approx((5 / 6 + 6 / 11) / 2)
    assert report.macro_recall == pytest.approx((5 / 8 + 6 / 7 + 0) / 3)


def test_a_class_never_predicted_has_no_precision():
    """Nothing divided by nothing is undefined; no 0 and no 1 stands in for it."""
    (figures,) = summarise_classes([("rare", None)]).classes
    assert (figures.precision, figures.recall, figures.f1) == (None, 0.0, 0.0)


def test_a_class_that_is_nobodys_reference_has_no_recall():
    """A prediction outside the references still counts against whoever made it."""
    report = summarise_classes([("cat", "unicorn")])
    unicorn = next(one for one in report.classes if one.label == "unicorn")
    assert (unicorn.support, unicorn.precision, unicorn.recall) == (0, 0.0, None)


def test_nothing_at_all_is_undefined():
    """Without pairs there is no accuracy."""
    report = summarise_classes([])
    assert (report.n, report.accuracy, report.macro_f1, report.classes) == (0, None, None, ())
    assert report.as_json()["confusion"] == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "d", None])), max_size=40), st.randoms())
def test_the_order_of_pairs_does_not_matter_and_every_pair_is_counted(pairs, random):
    """Counts add up, figures agree with counting by hand, and shuffling changes nothing."""
    report = summarise_classes(pairs)
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert summarise_classes(shuffled).as_json() == report.as_json()
    assert sum(report.confusion.values()) == len(pairs) == sum(one.support for one in report.classes)
    for one in report.classes:
        true_positive = sum(reference == predicted == one.label for reference, predicted in pairs)
        false_positive = sum(predicted == one.label != reference for reference, predicted in pairs)
        false_negative = sum(reference == one.label != predicted for reference, predicted in pairs)
        if true_positive + false_positive:
            assert one.precision == pytest.approx(true_positive / (true_positive + false_positive))
        if true_positive + false_negative:
            assert one.recall == pytest.approx(true_positive / (true_positive + false_negative))
        assert one.f1 == pytest.approx(2 * true_positive / (2 * true_positive + false_positive + false_negative))
