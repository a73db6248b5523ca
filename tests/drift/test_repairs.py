"""Each repair undoes one break and leaves everything else alone."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.drift.renames import Rename, learn_renames, rename_repair
from segue.drift.repairs import REPAIRS, repair_all
from segue.model import Reply, ToolCall

BY_NAME = {repair.name: repair for repair in REPAIRS}
JSON = '{"total": 12.5}'


def repaired(name: str, text: str) -> str | None:
    """The text after one repair, or None if there was nothing to do."""
    reply = BY_NAME[name].apply(Reply(text=text))
    return None if reply is None else reply.text


@pytest.mark.parametrize(
    ("name", "broken", "right"),
    [
        ("remove_fence", f"```json\n{JSON}\n```", JSON),
        ("remove_fence", f"\n~~~\n{JSON}\n~~~\n", JSON),
        ("remove_fence", "```python\nprint(1)", "print(1)"),
        ("take_fenced_block", f"Here:\n```\n{JSON}\n```\nDone.", JSON),
        ("strip_prose_around_json", f"Sure! {JSON} Anything else?", JSON),
        ("strip_prose_around_json", f"It's {{not}} this but:\n```json\n{JSON}\n```", JSON),
        ("strip_prose_around_json", "The answer is [1, 2, 3].", "[1, 2, 3]"),
        ("unquote", '"Paris"', "Paris"),
        ("unquote", "„Berlin“", "Berlin"),
        ("decode_escaped_json", json.dumps(JSON), JSON),
        ("decode_escaped_json", '{\\"total\\": 12.5}', JSON),
        ("rewrite_python_literal", "{'total': 12.5, 'paid': True, 'note': None}", '{"total":12.5,"paid":true,"note":null}'),
        ("drop_trailing_commas", '{"total": 12.5, "of": [1, 2,],}', '{"total": 12.5, "of": [1, 2]}'),
        (
            "close_truncated_json",
            '{"total": 12.5, "lines": [{"sku": "a"}, {"sku": "b',
            '{"total": 12.5, "lines": [{"sku": "a"}, {"sku": "b"}]}',
        ),
        ("close_truncated_json", '{"total": 12.5, "li', JSON),
        ("close_truncated_json", '{"total": 12.5, "lines":', JSON),
        ("close_truncated_json", f"```json\n{JSON[:-1]}", JSON),
        ("unwrap_json", '{"result": {"total": 12.5}}', '{"total":12.5}'),
        ("unwrap_json", '[{"total": 12.5}]', '{"total":12.5}'),
        ("bracket_calls", "f(a=1), g(b='x')", "[f(a=1), g(b='x')]"),
        ("unquote_calls", '["f(a=1)", "g(b=\'x\')"]', "[f(a=1), g(b='x')]"),
        ("take_label", "The customer is angry about the refund.\n\n**Label:** refund.", "refund"),
        ("take_label", "Label: refund", "refund"),
        ("take_label", "**refund**", "refund"),
        (
            "take_label",
            "refund\n\nThe customer wants their money back, as the second sentence of the message says, and says twice.",
            "refund",
        ),
        ("strip_blanks", " Yes\n", "Yes"),
    ],
)
def test_a_repair_undoes_its_break(name: str, broken: str, right: str) -> None:
    """The repaired text is what a parser one line longer would have read."""
    assert repaired(name, broken) == right


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("remove_fence", f"Here:\n```\n{JSON}\n```"),
        ("take_fenced_block", "```\na\n```\nand\n```\nb\n```"),
        ("strip_prose_around_json", JSON),
        ("strip_prose_around_json", "Nothing {here} to see."),
        ("unquote", '"Paris" and "Rome"'),
        ("decode_escaped_json", '"just a string"'),
        ("rewrite_python_literal", JSON),
        ("rewrite_python_literal", "{open('x')}"),
        ("close_truncated_json", JSON),
        ("close_truncated_json", '{"a": 1]'),
        ("close_truncated_json", "[see the appendix"),
        ("unwrap_json", '{"total": {"a": 1}, "b": 2}'),
        ("bracket_calls", "[f(a=1)]"),
        ("bracket_calls", "Call me (maybe)"),
        ("unquote_calls", '["red", "green"]'),
        ("strip_blanks", "Yes"),
    ],
)
def test_a_repair_leaves_alone_what_is_not_its_break(name: str, sound: str) -> None:
    """Where there is nothing to do, the answer is None, so that the old verdict stands."""
    assert repaired(name, sound) is None


def test_repairs_of_text_leave_tool_calls_alone() -> None:
    """A reply that calls tools has no text to repair."""
    reply = Reply(text="```\nx\n```", tool_calls=(ToolCall(name="f"),))
    assert all(repair.apply(reply) is None for repair in REPAIRS)


def test_all_repairs_run_one_after_the_other() -> None:
    """A fence around JSON with a trailing comma needs two."""
    chosen = tuple(repair for repair in REPAIRS if repair.name in ("remove_fence", "drop_trailing_commas"))
    fixed = repair_all(Reply(text='```json\n{"a": 1,}\n```'), chosen)
    assert fixed is not None
    assert fixed.text == '{"a": 1}'
    assert repair_all(Reply(text=JSON), chosen) is None


@given(st.text())
def test_any_text_goes_through_every_repair(text: str) -> None:
    """No text makes a repair fail, and what a repair returns differs from what it was given."""
    reply = Reply(text=text)
    for repair in REPAIRS:
        fixed = repair.apply(reply)
        assert fixed is None or fixed.text != text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    ),
    st.data(),
)
def test_json_cut_anywhere_closes_to_json(value: object, data: st.DataObject) -> None:
    """Whatever is closed parses; a complete document is left alone."""
    text = json.dumps({"value": value})
    cut = data.draw(st.integers(1, len(text)))
    closed = repaired("close_truncated_json", text[:cut])
    if cut == len(text):
        assert closed is None
    elif closed is not None:
        json.loads(closed)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 200_000,
        '{"a": "b"' + " " * 100_000 + "x",
        "label " * 50_000,
        ", " * 100_000,
        "[" * 90_000,
        "'" * 90_000,
        '{"a": 1,' * 9_000,
        "{'a': " * 3_000,
        "(" * 15_000,
        "[" + "-" * 15_000,
    ],
    ids=range(10),
)
def test_huge_and_hostile_texts_go_through_every_repair_in_bounded_time(text: str) -> None:
    """A model gone wild must not stall a report."""
    start = time.perf_counter()
    for repair in REPAIRS:
        repair.apply(Reply(text=text))
    assert time.perf_counter() - start < 3.0


def replies(*texts: str) -> list[tuple[Reply, Reply]]:
    return [(Reply(text=texts[place]), Reply(text=texts[place + 1])) for place in range(0, len(texts), 2)]


def test_a_rename_is_learned_from_equal_values_and_from_near_names() -> None:
    """`total` became `amount_due` (the values show it), `invoice_id` became `invoiceID` (the names do)."""
    learned = learn_renames(
        replies(
            '{"total": 12.5, "invoice_id": "a"}', '{"amount_due": 12.5, "invoiceID": "b"}',
            '{"total": 99.0, "invoice_id": "c"}', '{"amount_due": 99.0, "invoiceID": "d"}',
        )
    )  # fmt: skip
    assert set(learned) == {Rename("", "amount_due", "total"), Rename("", "invoiceID", "invoice_id")}
    fixed = rename_repair(learned).apply(Reply(text='{"amount_due": 7, "invoiceID": "x", "lines": []}'))
    assert fixed is not None
    assert json.loads(fixed.text) == {"total": 7, "invoice_id": "x", "lines": []}


def test_a_rename_inside_arrays_and_in_tool_arguments_is_learned() -> None:
    """Where the field stands is part of the rename: `price` of a line, `city` of a call."""
    learned = learn_renames(replies('{"lines": [{"price": 3.5}]}', '{"lines": [{"unit_price": 3.5}]}'))
    assert learned == (Rename("lines.*", "unit_price", "price"),)
    fixed = rename_repair(learned).apply(Reply(text='{"unit_price": 1, "lines": [{"unit_price": 2}, {"unit_price": 3}]}'))
    assert fixed is not None
    assert json.loads(fixed.text) == {"unit_price": 1, "lines": [{"price": 2}, {"price": 3}]}

    def call(arguments: str) -> Reply:
        return Reply(tool_calls=(ToolCall(name="weather", arguments=arguments),))

    learned = learn_renames([(call('{"city": "Rome"}'), call('{"location": "Rome"}'))])
    fixed = rename_repair(learned).apply(call('{"location": "Oslo"}'))
    assert fixed is not None
    assert json.loads(fixed.tool_calls[0].arguments) == {"city": "Oslo"}


def test_one_pair_among_many_is_no_rename() -> None:
    """A field that is called otherwise once is a slip; only what pairs share is learned."""
    same = ('{"a": "x"}', '{"a": "y"}')
    assert learn_renames(replies('{"total": 12.5}', '{"sum": 12.5}', *same, *same)) == ()


def test_equal_empty_values_do_not_make_a_rename() -> None:
    """`null`, `0` and `true` are equal everywhere and tell nothing."""
    assert learn_renames(replies('{"paid": true}', '{"urgent": true}', '{"paid": true}', '{"urgent": true}')) == ()
