"""The label scorer: reading a class out of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.scoring.label_rules import read_choice, read_first_line, read_survey, read_yes_no
from tests.scoring.builders import HUGE, a_case, a_scorer, recorded, recorded_exchange, score_of


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("[Yes]", "yes"),
        ("Yes.", "yes"),
        ('Therefore the answer is "[No]".', "no"),
        ("No, it is not. [Yes]", "yes"),
        ("yesterday nobody", None),
        ("", None),
    ],
)
def test_yes_no_bracket(text, label):
    """Every word is put in brackets; yes is looked for before no; a bare word counts."""
    assert read_yes_no(text) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("(A). Some", "answered"),
        ("(E). Refused", "not_answered"),
        ("As an AI, I cannot", "not_answered"),
        ("A", "not_answered"),
    ],
)
def test_survey_answered(text, label):
    """An option has to be chosen, and refusing is none."""
    assert read_survey(text) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I think (B) is right", "B"),
        ("B", "B"),
        ("B. Paris", "B"),
        ("**C)** because", "C"),
        ("The answer is D.", "D"),
        ("Answer: **A**", "A"),
        ("The answer is a lot", None),
        ("A lot of things", None),
        ("", None),
    ],
)
def test_choice(text, label):
    """A letter in brackets, after "answer", or at the start."""
    assert read_choice(text) == label


def test_choice_can_take_the_last_letter():
    """Where a model thinks aloud, its last word counts."""
    assert read_choice("Not (A), but (C)", "last") == "C"


def test_first_line_is_freed_of_marks():
    """Emphasis, quotes and a full stop around a class are not part of it; prose is no class."""
    assert read_first_line("\n\n **Spam**.\nbecause it sells") == "Spam"
    assert read_first_line("word " * 40) is None


def test_a_label_is_right_where_it_is_the_reference():
    """The class read is kept beside the verdict: right ones as the reference spells them."""
    score = score_of("label", "SPAM", "spam")
    assert (score.value, score.label) == (1.0, "spam")
    score = score_of("label", "ham", "spam")
    assert (score.value, score.label) == (0.0, "ham")


def test_an_answer_without_a_class_is_wrong_and_has_no_label():
    """That nothing could be read is said, and shows as its own column of the confusion matrix."""
    score = score_of("label", "", "spam")
    assert (score.value, score.label, score.reason) == (0.0, None, "no class could be read")


def test_declared_classes_and_synonyms():
    """`labels` closes the set of classes, `map` says what stands for which."""
    settings = {"labels": ["pos", "neg"], "map": {"positive": "pos", 1: "pos", "negative": "neg"}}
    assert score_of("label", "Positive", "pos", **settings).label == "pos"
    assert score_of("label", "1", "pos", **settings).value == 1.0
    score = score_of("label", "neutral", "pos", **settings)
    assert (score.value, score.label, score.reason) == (0.0, None, "what was read is not among the classes")


def test_labels_out_of_json():
    """A path leads into the answer's JSON; a truth value is `true` or `false`."""
    settings = {"extract": "json_field", "field": "verdict.spam"}
    assert score_of("label", '{"verdict": {"spam": true}}', True, **settings).value == 1.0
    assert score_of("label", '```json\n{"verdict": {"spam": true}}\n```', True, **settings).value == 0.0
    assert score_of("label", '```json\n{"verdict": {"spam": true}}\n```', True, find="fenced", **settings).value == 1.0
    for text in ("", "[]", "{", '{"verdict": 3}', '{"verdict": {"spam": {}}}', "[" * 100_000):
        assert score_of("label", text, "true", **settings).reason == "no class could be read"


def test_labels_out_of_a_pattern():
    """The first group is the class."""
    settings = {"extract": "regex", "pattern": r"verdict:\s*(\w+)"}
    assert score_of("label", "Verdict: spam", "spam", **settings).label == "spam"
    assert score_of("label", "verdict: ham verdict: spam", "spam", which="last", **settings).value == 1.0
    assert score_of("label", "x" * 21_000, "spam", **settings).status == "unscored"


def test_an_expected_class_needs_no_reference():
    """Answering a survey at all is right, whatever is answered."""
    score = score_of("label", "(B). Some", extract="survey_answered")
    assert (score.value, score.label) == (1.0, "answered")
    assert score_of("label", "spam", expect="spam").value == 1.0
    assert score_of("label", "spam").status == "unscored"


@given(st.text(max_size=200))
def test_every_rule_reads_any_text(text):
    """Whatever the text, a rule returns a label or none."""
    for settings in ({}, {"extract": "choice"}, {"extract": "yes_no_bracket"}, {"extract": "survey_answered"}):
        assert score_of("label", text, "yes", **settings).status == "scored"


@pytest.mark.parametrize("extract", ["first_line", "choice", "yes_no_bracket", "survey_answered"])
def test_huge_answers_are_read(extract):
    """A million characters are no obstacle."""
    assert score_of("label", HUGE, "yes", extract=extract).status == "scored"


@pytest.mark.recorded
@pytest.mark.parametrize("rule", ["yes_no_bracket", "survey_answered"])
def test_the_rules_agree_with_every_recorded_label(segue_data, rule):
    """On all four recorded releases the rule gives each output the label its source gave it: 100 %."""
    folder = segue_data / "llmdrift"
    cases = {one["case_id"]: a_case(one["reference"], case_id=one["case_id"]) for one in recorded(folder, "cases")}
    labels = {
        (one["case_id"], one["model"]): float(one["label"])
        for one in recorded(folder, "labels")
        if one["labeler"] == f"rule:{rule}"
    }
    scorer = a_scorer("label", extract=rule)
    releases: dict[str, list[bool]] = {}
    for record in recorded(folder, "recordings"):
        label = labels.get((record["case_id"], record["model"]))
        if label is not None:
            (score,) = scorer.score(cases[record["case_id"]], recorded_exchange(record))
            releases.setdefault(record["model"], []).append(score.value == label)
    assert len(releases) == 4
    for release, agreed in releases.items():
        assert all(agreed), release
        assert len(agreed) == {"yes_no_bracket": 1000, "survey_answered": 1506}[rule]
