"""The tool-call scorer: the right tool, the right arguments, and no call where none fits."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.model import Case, Json, Message, Score, ToolCall, ToolSpec
from segue.scoring.call_syntax import read_calls
from tests.scoring.builders import HUGE, a_case, a_scorer, an_exchange, recorded, recorded_exchange

WEATHER = ToolSpec(
    name="weather.get",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "units": {"type": "string"}},
        "required": ["city"],
    },
)
MAIL = ToolSpec(
    name="mail", parameters={"type": "object", "properties": {"to": {"type": "array", "items": {"type": "string"}}}}
)
ONE_CALL = {"expect": "calls", "accepted": {"weather.get": {"city": ["Bonn", "Bonn, DE"], "days": [3], "units": ["C", ""]}}}
NO_CALL = {"expect": "no_call"}


def native(*calls: tuple[str, Json]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(name=name, arguments=arguments if isinstance(arguments, str) else json.dumps(arguments))
        for name, arguments in calls
    )


def scores(reference: Json, *calls: tuple[str, Json], text: str = "", **settings: Any) -> dict[str, Score]:
    case = a_case(reference, tools=(WEATHER, MAIL))
    found = a_scorer("tool_calls", **settings).score(case, an_exchange(text, tool_calls=native(*calls)))
    return {score.name.removeprefix("metric").lstrip("."): score for score in found}


def error(reference: Json, *calls: tuple[str, Json], **fields: Any) -> str | None:
    score = scores(reference, *calls, **fields)[""]
    assert (score.value == 1.0) == (score.detail is None)
    return score.detail["error"] if score.detail else None


def test_a_right_call_is_right_in_every_way():
    """Tool and arguments; providers write a dot in a name as an underscore."""
    found = scores(ONE_CALL, ("weather_get", {"city": "Bonn", "days": 3}))
    assert {name: score.value for name, score in found.items()} == {"": 1.0, "tool": 1.0, "arguments": 1.0}


@pytest.mark.parametrize(
    ("calls", "what"),
    [
        ([("weather_get", {"city": "Bonn, DE", "days": 3, "units": "C"})], None),
        ([("mail", {"to": ["a"]})], "wrong_tool"),
        ([("weather_get", {"days": 3})], "missing_argument"),
        ([("weather_get", {"city": "Bonn"})], "missing_argument"),
        ([("weather_get", {"city": "Bonn", "days": 3, "hours": 1})], "unexpected_argument"),
        ([("weather_get", {"city": "Berlin", "days": 3})], "wrong_value"),
        ([("weather_get", {"city": "Bonn", "days": "3"})], "wrong_type"),
        ([("weather_get", {"city": "Bonn", "days": 3.0})], "wrong_type"),
        ([("weather_get", {"city": "Bonn", "days": True})], "wrong_type"),
        ([("weather_get", '{"city": "Bonn", ')], "unparsed"),
        ([("weather_get", "[]")], "unparsed"),
        ([("weather_get", {"city": "Bonn", "days": 3})] * 2, "wrong_count"),
        ([], "did_not_call"),
    ],
)
def test_what_is_wrong_with_a_call_is_named(calls, what):
    """The kind of error says what to look at: prompt, schema, or ability."""
    assert error(ONE_CALL, *calls) == what


def test_the_detail_names_tool_and_parameter_and_never_the_value():
    """What a user wrote does not leak into details."""
    assert scores(ONE_CALL, ("weather_get", {"city": "Berlin", "days": 3}))[""].detail == {
        "error": "wrong_value",
        "tool": "weather_get",
        "parameter": "city",
    }


def test_arguments_are_judged_only_once_the_tool_is_right():
    """A wrong tool says nothing about arguments, so that metric is left out."""
    assert set(scores(ONE_CALL, ("mail", {}))) == {"", "tool"}
    assert scores(ONE_CALL, ("weather_get", {"city": "Ulm", "days": 3}))["arguments"].value == 0.0


def test_knowing_when_not_to_call():
    """Where no tool fits, a text or an empty list is right, and any call is wrong."""
    assert {name: score.value for name, score in scores(NO_CALL, text="There is no such tool.").items()} == {
        "": 1.0,
        "abstain": 1.0,
    }
    assert scores(NO_CALL, text="[]")["abstain"].value == 1.0
    assert error(NO_CALL, ("mail", {"to": []})) == "called_when_none_fits"
    assert error(NO_CALL, ("mail", "{broken")) == "called_when_none_fits"
    assert error(NO_CALL, text="[mail(to=['a'])]") == "called_when_none_fits"


def test_calls_written_as_text():
    """Python's syntax, with or without the outer brackets; what cannot be read is told apart from no call at all."""
    assert error(ONE_CALL, text="[weather.get(city='Bonn', days=3)]") is None
    assert error(ONE_CALL, text="weather.get('Bonn', 3)") is None
    assert error(ONE_CALL, text="weather.get(city=Bonn, days=3)") is None
    assert error(ONE_CALL, text="```python\nweather.get(city='Bonn', days=3)\n```") == "unparsed"
    assert error(ONE_CALL, text="weather.get(city='Bonn', days=3") == "unparsed"
    assert error(ONE_CALL, text="weather.get('Bonn', 3, 'C', 'more')") == "unparsed"
    assert error(ONE_CALL, text="I'd rather not.") == "did_not_call"
    assert error(ONE_CALL, text="[weather.get(city='Bonn', days=3)]", read="native") == "did_not_call"
    assert error(ONE_CALL, ("weather_get", {"city": "Bonn", "days": 3}), read="text") == "did_not_call"


def test_several_calls_in_any_order():
    """Calls of one tool are told apart by a number; each expected call needs a call of its own."""
    accepted = {"weather.get_1": {"city": ["Bonn"], "days": [1, 2]}, "weather.get_2": {"city": ["Bonn"], "days": [1]}}
    reference = {"expect": "calls", "accepted": accepted}
    one, two = ("weather_get", {"city": "Bonn", "days": 1}), ("weather_get", {"city": "Bonn", "days": 2})
    assert error(reference, one, two) is None
    assert error(reference, two, one) is None
    assert error(reference, two, one, order="given") is None
    assert error(reference, one, two, order="given") == "wrong_value"
    assert error(reference, two, two) == "wrong_value"
    assert error(reference, one) == "wrong_count"


def test_a_list_of_accepted_calls_with_alternatives():
    """In the list form, the tools of one entry are alternatives."""
    reference = {"expect": "calls", "accepted": [{"weather.get": {"city": ["Bonn"]}, "mail": {"to": [["a"]]}}]}
    assert error(reference, ("weather_get", {"city": "Bonn"})) is None
    assert error(reference, ("mail", {"to": ["A"]})) is None
    assert error(reference, ("mail", {"to": ["b"]})) == "wrong_value"


def test_a_parameter_the_schema_requires_may_not_be_left_out():
    """Even where the reference would let it: the call would fail downstream."""
    reference = {"expect": "calls", "accepted": {"weather.get": {"city": ["Bonn", ""]}}}
    assert error(reference, ("weather_get", {})) == "missing_argument"


def test_nested_values():
    """Inside an accepted object each key lists its accepted values; the empty text means it may be left out."""
    reference = {"expect": "calls", "accepted": {"book": {"guest": [{"name": ["Ann", "Anna"], "age": [30, ""]}]}}}
    assert error(reference, ("book", {"guest": {"name": "anna"}})) is None
    assert error(reference, ("book", {"guest": {"name": "Ann", "age": 30.0}})) is None
    assert error(reference, ("book", {"guest": {"name": "Ann", "age": 31}})) == "wrong_value"
    assert error(reference, ("book", {"guest": {"age": 30}})) == "wrong_value"
    assert error(reference, ("book", {"guest": {"name": "Ann", "x": 1}})) == "wrong_value"
    assert error(reference, ("book", {"guest": ["Ann"]})) == "wrong_type"


def test_how_texts_and_types_are_compared():
    """Loosely by default; the settings can be strict about texts and lenient about types."""
    loose = ("weather_get", {"city": "bonn de", "days": 3})
    assert error(ONE_CALL, loose) is None
    assert error(ONE_CALL, loose, texts="folded") == "wrong_value"
    assert error(ONE_CALL, ("weather_get", {"city": "BONN", "days": 3}), texts="folded") is None
    assert error(ONE_CALL, ("weather_get", {"city": "BONN", "days": 3}), texts="exact") == "wrong_value"
    assert error(ONE_CALL, ("weather_get", {"city": "Bonn", "days": "3"}), types="lenient") is None
    assert error(ONE_CALL, ("weather_get", {"city": "Bonn", "days": 3.0}), types="lenient") is None
    assert error(ONE_CALL, ("weather_get", {"city": "Bonn", "days": 3.4}), types="lenient", abs_tolerance=0.5) is None


def test_the_calls_of_a_conversation():
    """Of a trajectory the last turn counts, or all of them."""
    turns = (
        Message(role="assistant", tool_calls=native(("weather_get", {"city": "Bonn", "days": 3}))),
        Message(role="tool", content="sunny", tool_call_id="1"),
        Message(role="assistant", content="It will be sunny."),
    )
    case, exchange = a_case(ONE_CALL, tools=(WEATHER,)), an_exchange("", trajectory=turns)
    assert a_scorer("tool_calls").score(case, exchange)[0].value == 0.0
    assert a_scorer("tool_calls", scope="all").score(case, exchange)[0].value == 1.0


@pytest.mark.parametrize(
    "reference",
    [
        None,
        "text",
        {},
        {"expect": "call"},
        {"expect": "calls"},
        {"expect": "calls", "accepted": {}},
        {"expect": "calls", "accepted": {"f": [1]}},
        {"expect": "calls", "accepted": {"f": {"x": 1}}},
        {"expect": "calls", "accepted": [{}]},
    ],
)
def test_a_malformed_reference_leaves_the_case_unscored(reference):
    """A fault of the suite is no fault of the model."""
    (score,) = scores(reference, ("f", {"x": 1})).values()
    assert score.status == "unscored"


def test_arguments_nested_a_thousand_deep_are_no_crash():
    """Whatever the depth, the outcome is a score."""
    deep: Json = 1
    for _ in range(900):
        deep = [deep]
    reference = {"expect": "calls", "accepted": {"f": {"x": [deep]}}}
    assert scores(reference, ("f", '{"x":' + "[" * 900 + "1" + "]" * 900 + "}"))[""].status in ("scored", "unscored")
    assert error(ONE_CALL, ("weather_get", '{"city":' + "[" * 900 + "1" + "]" * 900 + "}")) == "wrong_type"


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("f()", [("f", {})]),
        ("[]", []),
        ("f(a=1, b=[-2.5, 'x'], c={'k': None})", [("f", {"a": 1, "b": [-2.5, "x"], "c": {"k": None}})]),
        ("f(a=true, b=null), g.h(c=(1, 2))", [("f", {"a": True, "b": None}), ("g.h", {"c": [1, 2]})]),
        ("f(from='x, from=y', to=data['k'])", [("f", {"from": "x, from=y", "to": "data['k']"})]),
        (r"f(pattern='\d+\.')", [("f", {"pattern": r"\d+\."})]),
    ],
)
def test_reading_calls_in_text(text, calls):
    """Values are read, never evaluated; keywords of Python may name arguments."""
    read = read_calls(text)
    assert read is not None
    assert [(call.name, call.arguments) for call in read] == calls


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f",
        "f(**{'a': 1})",
        "f(x=g(1))",
        "f(x=1+1)",
        "f(x=9**9**9)",
        "f()()",
        "f(x=b'1')",
        "f(x=...)",
        "f(x=[y for y in z])",
        "f(x={**y})",
        "f(a=1, a=2)",
        "[f(), 3]",
        "f(x=" + "9" * 5000 + ")",
        "f(x=" + "[" * 5000 + "]" * 5000 + ")",
        "f(x=" + "-" * 50_000 + "1)",
        "f" + ".f" * 40_000 + "()",
        "f(" + HUGE + ")",
        "f(\x00)",
        "f(\ud800)",
        "import os",
    ],
)
def test_what_is_no_call_is_not_read_as_one(text):
    """Code, bombs and nonsense: nothing is run, nothing is raised."""
    assert read_calls(text) is None


@given(st.text(alphabet="fg.(),=[]{}'\"\\1a: \n-*", max_size=60))
def test_any_text_is_read_without_raising(text):
    """Whatever stands there, the outcome is calls or none, and no warning."""
    calls = read_calls(text)
    assert calls is None or all(call.name for call in calls)


_ARGUMENTS = st.dictionaries(
    st.sampled_from(["city", "days", "x"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)


@given(st.lists(st.tuples(st.sampled_from(["weather_get", "mail", "f"]), _ARGUMENTS), max_size=3))
def test_any_calls_are_judged_without_raising(calls):
    """Whatever a model calls, the outcome is a verdict with its error."""
    for reference in (ONE_CALL, NO_CALL):
        assert scores(reference, *calls)[""].status == "scored"


def agreement_with_the_official_checker(folder, **settings: Any) -> dict[tuple[str, str], Counter[bool]]:
    """(release, category) → how often the scorer says what the official label says. Unscored counts as disagreement."""
    cases = {one["case_id"]: Case(**one) for one in recorded(folder, "cases")}
    labels = {(one["case_id"], one["model"]): float(one["label"]) for one in recorded(folder, "labels")}
    scorer = a_scorer("tool_calls", **settings)
    found: dict[tuple[str, str], Counter[bool]] = {}
    for record in recorded(folder, "recordings"):
        case = cases[record["case_id"]]
        score = scorer.score(case, recorded_exchange(record))[0]
        key = (record["model"], case.slices["category"])
        found.setdefault(key, Counter())[score.value == labels[record["case_id"], record["model"]]] += 1
    return found


@pytest.mark.recorded
def test_agrees_with_the_official_checker_on_recorded_releases(segue_data):
    """At least 98.5 % of the Python-schema cases of every release, in function-calling and in prompt mode."""
    found = agreement_with_the_official_checker(segue_data / "bfcl")
    releases = {release for release, _ in found}
    assert len(releases) == 8
    for release in releases:
        python = sum((found[release, category] for category in ("simple", "multiple", "parallel", "relevance")), Counter())
        python += found[release, "parallel_multiple"]
        assert python.total() == 1240
        assert python[True] / python.total() >= 0.985, (release, python)
        if release.endswith("-FC"):
            assert found[release, "relevance"][False] == 0
