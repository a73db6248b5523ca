"""What a fingerprint sees in a reply."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.drift import TRAITS, diff_fingerprints, fingerprint
from segue.drift.fingerprint import FormatFingerprint, quick_traits
from segue.model import Message, Reply, ToolCall

JSON = '{"total": 12.5, "currency": "EUR"}'


def traits_of(text: str, **reply: object) -> set[str]:
    """The traits a text has."""
    print_ = fingerprint(Reply(text=text, **reply))  # type: ignore[arg-type]
    return {trait for trait, has in print_.traits().items() if has}


@pytest.mark.parametrize(
    ("text", "present"),
    [
        (JSON, {"json_whole", "single_line"}),
        (f"```json\n{JSON}\n```", {"whole_fence", "fence", "json_in_fence"}),
        (f"Here you go:\n{JSON}", {"json_in_prose", "prose_before"}),
        (f"{JSON}\nLet me know!", {"json_in_prose", "prose_after"}),
        (f"Sure:\n```json\n{JSON}\n```\nAnything else?", {"fence", "json_in_fence", "prose_before", "prose_after"}),
        ('{"total": 12.5, "curr', {"json_truncated", "truncated", "single_line"}),
        (f"```json\n{JSON}", {"fence", "whole_fence", "unclosed_fence", "truncated", "json_in_fence"}),
        ("{'total': 12.5}", {"json_malformed", "single_line"}),
        ('"Paris"', {"quoted", "single_line"}),
        ("- one\n- two\n* three", {"bullets"}),
        ("1. one\n2) two", {"numbered"}),
        ("# Title\ntext", {"headings"}),
        ("| a | b |\n|---|---|\n| 1 | 2 |", {"table"}),
        ("It is **very** good", {"bold", "single_line"}),
        ("<p>Hello</p>", {"html", "single_line"}),
        (" Yes\n", {"outer_blanks", "single_line"}),
        ("[f(a=1), g(b='x')]", {"calls_as_text", "single_line"}),
        ("[f(a='It's')]", {"calls_as_text", "calls_broken", "single_line"}),
        ("", {"empty"}),
        ("I'm sorry, but I can't assist with that.", {"refusal", "single_line"}),
        ("This is subjective.", {"non_answer", "single_line"}),
        ("x = [1, 2]\ny = {k: v}", set()),
    ],
)
def test_each_way_of_writing_has_its_traits(text: str, present: set[str]) -> None:
    """The traits of a text are exactly these."""
    assert traits_of(text) == present


def test_a_tool_call_without_text_is_not_empty() -> None:
    """A reply that calls a tool has said something."""
    assert traits_of("", tool_calls=(ToolCall(name="look_up"),)) == {"tool_calls"}


def test_a_length_stop_is_a_truncation() -> None:
    """The provider's word for a cut-off counts, whatever the text looks like."""
    assert "truncated" in traits_of("The answer is", finish_reason="length")


def test_brackets_in_prose_and_code_are_no_broken_json() -> None:
    """A smiley, a citation, an option or code with braces is not an attempt at JSON."""
    for text in ("Well :( see [1] for more.", "[Yes] it is prime.", "Use {name} here.", "[No]", "```js\nif (a) { b() }\n```"):
        assert not {"json_truncated", "json_malformed", "json_in_prose", "json_in_fence"} & traits_of(text), text


def test_a_conversation_is_judged_by_the_assistants_last_words() -> None:
    """Of a trajectory, the last thing the assistant said counts."""
    turns = (Message(role="user", content="hi"), Message(role="assistant", content=JSON), Message(role="user", content="ok"))
    assert fingerprint(Reply(trajectory=turns)).json == "whole"


def test_another_language_than_the_prompt_s_is_noticed_only_when_both_are_known() -> None:
    """Unknown is None: a reply of one word says nothing about its language."""
    german = Reply(text="Die Rechnung ist angehängt, und Sie können sie mit der Karte bezahlen.")
    assert fingerprint(german, prompt_language="en").traits()["other_language"] is True
    assert fingerprint(german, prompt_language="de").traits()["other_language"] is False
    assert fingerprint(german).traits()["other_language"] is None
    assert fingerprint(Reply(text="Ja"), prompt_language="en").traits()["other_language"] is None


def test_the_language_of_json_is_that_of_its_strings() -> None:
    """Keys are the schema's; the values are what the model wrote."""
    text = json.dumps({"answer": "Die Rechnung ist angehängt, und Sie können sie mit der Karte bezahlen."})
    assert fingerprint(Reply(text=text)).language == "de"


def test_the_language_tag_of_a_fence_is_kept() -> None:
    """`python` and `py` are different habits."""
    assert fingerprint(Reply(text="```Python\nx\n```\n~~~\ny\n~~~")).fence_tags == ("python", "")


@given(st.text())
def test_any_text_has_a_fingerprint_with_every_trait(text: str) -> None:
    """No text makes it fail, and each trait is answered."""
    assert tuple(fingerprint(Reply(text=text)).traits()) == TRAITS


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    )
)
def test_json_is_whole_json_however_it_is_nested(value: object) -> None:
    """Every object or array is recognised, and a fence around it too."""
    text = json.dumps(value, ensure_ascii=True)
    expected = "whole" if isinstance(value, dict | list) else "none"
    assert fingerprint(Reply(text=text)).json == expected
    if expected == "whole":
        assert fingerprint(Reply(text=f"```\n{text}\n```")).json == "in_fence"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{" * 200_000,
        '{"a":' * 50_000,
        "`" * 200_000,
        "```\n" * 50_000,
        '"' * 200_000,
        "\\" * 200_000,
        '{"a": "' + "\\" * 200_000,
        "f(" * 9_000 + ")",
        "[f(" + "-" * 19_000 + "1)]",
        "[" + "f(x)." * 3_900 + "g()]",
        "**" * 100_000,
        "- " * 100_000,
        "<p " * 100_000,
        "word. " * 60_000,
        "|--" * 60_000,
        "a\u0301" * 100_000,
        "\r\n" * 100_000,
        "1. " * 100_000,
        "{" + '"a": 1, ' * 40_000,
        "\ud800" * 1000,
    ],
    ids=range(21),
)
def test_huge_and_hostile_texts_are_read_in_bounded_time(text: str) -> None:
    """A model gone wild must not stall a run."""
    start = time.perf_counter()
    fingerprint(Reply(text=text))
    assert time.perf_counter() - start < 2.0


def test_shifts_count_pairs_and_name_the_largest_first() -> None:
    """Three of four outputs gained a fence, one lost its bullets; what did not move is not listed."""
    old = [fingerprint(Reply(text=text)) for text in (JSON, JSON, JSON, "- a\n- b")]
    new = [fingerprint(Reply(text=text)) for text in (*[f"```json\n{JSON}\n```"] * 3, "a\nb")]
    shifts = {shift.trait: shift for shift in diff_fingerprints(old, new)}
    assert shifts["fence"].n_gained == 3
    assert shifts["fence"].share_change == 0.75
    assert (shifts["bullets"].n_lost, shifts["bullets"].n_new) == (1, 0)
    assert "headings" not in shifts
    assert diff_fingerprints(old, new)[0].share_change in (0.75, -0.75)


def test_shifts_need_pairs() -> None:
    """Two arms of unequal length are not paired."""
    some: list[FormatFingerprint] = [fingerprint(Reply(text="a"))]
    with pytest.raises(ValueError, match="zip"):
        diff_fingerprints(some, [])


@given(
    st.text()
    | st.lists(st.sampled_from(["```json", "```", "\n", "{", "}", '"a": 1', "[1]", "I cannot help", " ", "x()"])).map("".join),
    st.booleans(),
    st.sampled_from([None, "stop", "length", "refusal"]),
)
def test_the_quick_traits_are_those_of_the_whole_fingerprint(text: str, calls: bool, finish: str | None) -> None:
    """Live traffic and the gate say the same of an answer."""
    reply = Reply(text, (ToolCall(name="f"),) if calls else (), finish_reason=finish)  # type: ignore[arg-type]
    whole = fingerprint(reply).traits()
    assert {name: whole[name] for name in quick_traits(reply)} == quick_traits(reply)
