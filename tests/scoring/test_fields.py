"""The fields scorer: how much of an extraction is right."""

from __future__ import annotations

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.model import Contract, Json
from segue.scoring.context import ScoringContext
from segue.scoring.field_values import read_date
from tests.scoring.builders import HUGE, a_case, a_scorer, an_exchange, score_of

INVOICE = {
    "number": "INV-7",
    "date": "2024-03-05",
    "total": {"amount": 119.0, "currency": "EUR"},
    "lines": ["tea", "milk"],
    "paid": False,
    "note": None,
}


def scores(found: Json, reference: Json = INVOICE, **settings) -> tuple[float | None, float | None, Json]:
    text = found if isinstance(found, str) else json.dumps(found)
    share, everything = a_scorer("fields", **settings).score(a_case(reference), an_exchange(text))
    assert (share.name, everything.name) == ("metric", "metric.all")
    return share.value, everything.value, share.detail


def test_everything_right():
    """All fields right is 1 on both metrics."""
    share, everything, detail = scores(INVOICE)
    assert (share, everything) == (1.0, 1.0)
    assert detail == dict.fromkeys(("number", "date", "total.amount", "total.currency", "lines", "paid", "note"), 1)


def test_each_field_is_judged_by_itself():
    """One wrong field of seven costs a seventh, and the detail names it."""
    share, everything, detail = scores({**INVOICE, "total": {"amount": 118, "currency": "eur"}})
    assert (share, everything) == (pytest.approx(6 / 7), 0.0)
    assert [path for path, right in detail.items() if not right] == ["total.amount"]


def test_a_missing_field_is_wrong_unless_the_reference_is_null():
    """Leaving out what is not there is right; leaving out what is there is not."""
    found = {key: value for key, value in INVOICE.items() if key not in ("note", "paid")}
    _, _, detail = scores(found)
    assert (detail["note"], detail["paid"]) == (1, 0)


def test_invented_fields_can_count():
    """By default they are ignored."""
    assert scores({**INVOICE, "iban": "DE00"})[0] == 1.0
    assert scores({**INVOICE, "iban": "DE00"}, extra="wrong")[:2] == (pytest.approx(7 / 8), 0.0)


def test_only_the_fields_named_count():
    """A rule may give a field its own comparison, and its own place in the output."""
    rules = {"total.amount": {"at": "sum", "kind": "number", "abs_tolerance": 0.5}, "number": {"ignore_case": False}}
    share, everything, detail = scores({"sum": "119.40 EUR", "number": "inv-7"}, fields=rules)
    assert (share, everything, detail) == (0.5, 0.0, {"total.amount": 1, "number": 0})


def test_lists_in_order_or_as_sets():
    """A line order can matter or not; repetition never does in a set."""
    found = {**INVOICE, "lines": ["milk", "tea", "tea"]}
    assert scores(found)[2]["lines"] == 0
    assert scores(found, lists="set")[2]["lines"] == 1
    assert scores({**INVOICE, "lines": ["milk"]}, lists="set")[2]["lines"] == 0
    assert scores({**INVOICE, "lines": "tea"}, lists="set")[2]["lines"] == 0


def test_lists_of_objects_are_compared_entry_by_entry():
    """An extra key in an entry makes it another entry."""
    reference = {"items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]}
    assert scores({"items": [{"n": 2.0, "sku": "B"}, {"sku": "a", "n": 1}]}, reference, lists="set")[0] == 1.0
    assert scores({"items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2, "x": 1}]}, reference)[0] == 0.0


def test_numbers_with_tolerance():
    """The larger of the two allowances holds."""
    assert scores({"n": 102}, {"n": 100})[0] == 0.0
    assert scores({"n": 102}, {"n": 100}, rel_tolerance=0.02)[0] == 1.0
    assert scores({"n": "100"}, {"n": 100})[0] == 0.0
    assert scores({"n": "100"}, {"n": 100}, kind="number")[0] == 1.0
    assert scores({"n": True}, {"n": 1})[0] == 0.0


@pytest.mark.parametrize(
    "text", ["2024-03-05", "2024-03-05T10:00:00Z", "5 March 2024", "5th Mar 2024", "Mar 5, 2024", "05.03.2024", "5.3.24"]
)
def test_dates_in_many_forms(text):
    """ISO, named months, and dots (day first) can be told without asking."""
    assert read_date(text) == datetime.date(2024, 3, 5)


def test_a_date_that_could_be_either_is_not_guessed():
    """03/05/2024 is two dates; the setting says which, and without it the texts are compared."""
    assert read_date("03/05/2024") is None
    assert read_date("03/05/2024", "day_first") == datetime.date(2024, 5, 3)
    assert read_date("03/05/2024", "month_first") == datetime.date(2024, 3, 5)
    assert read_date("03/25/2024") == datetime.date(2024, 3, 25)
    assert read_date("03/03/2024") == datetime.date(2024, 3, 3)
    assert read_date("31/31/2024") is None
    rule = {"date": {"kind": "date"}}
    assert scores({"date": "5 March 2024"}, fields=rule)[0] == 1.0
    assert scores({"date": "03/05/2024"}, fields=rule)[0] == 0.0
    assert scores({"date": "03/05/2024"}, fields={"date": {"kind": "date", "date_order": "month_first"}})[0] == 1.0


def test_where_the_json_may_stand():
    """By default the answer has to be JSON and nothing else, as a parser downstream would have it."""
    fenced = f"Here you are:\n```json\n{json.dumps(INVOICE)}\n```"
    prose = f"Sure! {json.dumps(INVOICE)} Anything else?"
    assert score_of("fields", fenced, INVOICE).reason == "the answer is not JSON"
    assert scores(fenced, find="fenced")[0] == 1.0
    assert scores(prose, find="fenced")[0] == 0.0
    assert scores(prose, find="anywhere")[0] == 1.0


def test_an_answer_that_breaks_the_schema_scores_nothing():
    """The reason names the place and the rule, never the content."""
    schema = {"type": "object", "properties": {"paid": {"type": "boolean"}}, "required": ["number"]}
    share, everything = a_scorer("fields", json_schema=schema).score(
        a_case(INVOICE), an_exchange(json.dumps({**INVOICE, "paid": "secret"}))
    )
    assert (share.value, everything.value) == (0.0, 0.0)
    assert share.reason == "the answer's JSON breaks the schema at paid (type)"
    assert scores(INVOICE, json_schema=schema)[0] == 1.0


def test_the_schema_can_be_the_contracts():
    """What the contract promises need not be written twice; without one it is a fault."""
    context = ScoringContext(contract=Contract(json_schema={"required": ["iban"]}))
    scorer = a_scorer("fields", json_schema="contract", context=context)
    assert scorer.identity.settings["json_schema"] == {"required": ["iban"]}
    assert scorer.score(a_case(INVOICE), an_exchange(json.dumps(INVOICE)))[0].value == 0.0
    with pytest.raises(InputError) as caught:
        a_scorer("fields", json_schema="contract")
    assert caught.value.faults[0].path == "scorers[0].json_schema"


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"$ref": "https://example.org/x.json"}, {"pattern": "("}])
def test_a_schema_that_does_not_hold_is_a_fault(schema):
    """A broken schema, or one that would have to be fetched, is found when the workflow is read."""
    with pytest.raises(InputError) as caught:
        a_scorer("fields", json_schema=schema)
    assert "JSON Schema" in caught.value.faults[0].what


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "3", '"text"', "{", "nul", "[" * 100_000, '{"a":' * 5_000, HUGE, "NaN", "\ud800"]
)
def test_an_answer_that_is_no_object_scores_nothing(text):
    """Malformed, huge, deep or of another type: 0 with a reason."""
    for find in ("whole", "fenced", "anywhere"):
        score = score_of("fields", text, INVOICE, find=find)
        assert score.value == 0.0
        assert score.reason


def test_values_nested_a_thousand_deep_are_no_crash():
    """What a parser takes and a comparison cannot is unscored, with the reason."""
    deep: Json = 1
    for _ in range(900):
        deep = {"a": deep}
    text = '{"a":' * 900 + "1" + "}" * 900
    for settings in ({}, {"extra": "wrong"}):
        assert score_of("fields", text, deep, **settings).status in ("scored", "unscored")
        assert score_of("fields", text, {"b": 1}, **settings).status in ("scored", "unscored")


@pytest.mark.parametrize("reference", [None, {}, [], "text", 3])
def test_without_a_reference_object_the_case_is_unscored(reference):
    """Nothing to compare with, on either metric."""
    share, everything = a_scorer("fields").score(a_case(reference), an_exchange("{}"))
    assert (share.status, everything.status) == ("unscored", "unscored")


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), _VALUES, min_size=1, max_size=4))
def test_an_object_equals_itself(reference):
    """Whatever the nesting, and whatever dots the keys hold, the reference itself is all right."""
    text = json.dumps(reference)
    for settings in ({}, {"lists": "set"}, {"kind": "number"}, {"kind": "date"}):
        assert scores(text, reference, **settings)[:2] == (1.0, 1.0)
