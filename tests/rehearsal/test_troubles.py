"""Troubles as they are typed: what is read, when it is on, and what is said of what cannot be read."""

from __future__ import annotations

import pytest

from segue.errors import InputError
from segue.rehearsal.clock import DAY_S
from segue.rehearsal.troubles import Known, Trouble, read_troubles

KNOWN = Known(["right", "usable"], ["negative_feedback"], ["lang=de", "task=delivery", "task=refund"])


def read(text: str) -> Trouble:
    (found,) = read_troubles([text], KNOWN)
    return found


def test_a_metric_falls_in_one_slice_from_a_day_on() -> None:
    """The form that is used most."""
    found = read("task=refund right -10pts from day 9")
    assert (found.kind, found.metric, found.where) == ("metric", "right", "task=refund")
    assert found.amount == pytest.approx(-0.1)
    assert not found.is_on(8.9 * DAY_S, 0.0, {})
    assert found.is_on(9 * DAY_S, 0.0, {})
    assert found.meets({"task": "refund"})
    assert not found.meets({"task": "delivery"})


def test_the_value_of_a_slice_is_enough_where_one_slice_has_it() -> None:
    """As in a plan's simulation."""
    assert read("slice=refund right -8pts").where == "task=refund"


@pytest.mark.parametrize("kind", ["fence", "refuse", "cut"])
def test_outputs_take_another_form(kind: str) -> None:
    """In a share of the requests."""
    found = read(f"{kind} +20%")
    assert found.kind == kind
    assert found.amount == pytest.approx(0.2)
    assert not found.is_relative


def test_a_slow_tail_befalls_a_part() -> None:
    """Ten times as slow, for one in twenty."""
    found = read("slow x10 for 5%")
    assert (found.kind, found.factor) == ("slow", 10.0)
    assert found.part == pytest.approx(0.05)


def test_an_outage_ends() -> None:
    """Two hours on the fifth day."""
    found = read("outage day 5 for 2h")
    hours = [hour for hour in range(240) if found.is_on(hour * 3600.0, 0.0, {})]
    assert hours == [120, 121]


def test_a_trouble_waits_for_its_stage_or_share() -> None:
    """It begins when the candidate gets there, whenever that is."""
    assert not read("cost x2 from soak").is_on(1e9, 0.0, {"canary": 5.0})
    assert read("cost x2 from canary").is_on(6.0, 0.0, {"canary": 5.0})
    assert read("right -5pts from 25%").is_on(6.0, 0.0, {"0.25": 5.0})


def test_the_incumbent_may_have_it_or_both() -> None:
    """A provider fails both arms."""
    assert read("incumbent outage day 1 for 1h").arms == ("incumbent",)
    assert read("both slow x2").arms == ("incumbent", "candidate")


def test_several_are_joined_by_commas() -> None:
    """In one option."""
    assert [one.kind for one in read_troubles(["fence +5%, cost x2", "share +20%"], KNOWN)] == ["fence", "cost", "share"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("task=refund", "what, but not how"),
        ("right -10", "needs a sign, a number and a unit"),
        ("rigth -10pts", "no metric, outcome or trouble 'rigth'"),
        ("task=refnd right -10pts", "No case is in a slice"),
        ("fence -20%", "takes something away"),
        ("slow 3", "not how many times"),
        ("slow x3 in 5%", "no part of the requests"),
        ("outage day 5 for ever", "no length of time"),
        ("cost x2 from monday", "no beginning"),
        ("task=refund share +5%", "it has no slice"),
    ],
    ids=lambda value: value if " " not in value else "",
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    """With the word that is wrong."""
    with pytest.raises(InputError) as caught:
        read(text)
    assert said in str(caught.value.faults[0].what)


def test_all_faults_are_told_at_once_with_what_was_likely_meant() -> None:
    """Each with the option it stands in."""
    with pytest.raises(InputError) as caught:
        read_troubles(["rigth -10pts", "fence +5%", "task=refnd right -1pts"], KNOWN)
    assert [(one.path, one.likely) for one in caught.value.faults] == [
        ("--trouble 1", "'right'"),
        ("--trouble 3", "'task=refund'"),
    ]
