"""Taking values out of one large JSON document while it streams by."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.imports.json_walk import JsonWalkError, walk_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Drip(io.BytesIO):
    """Gives a few bytes at a time, so that every value is cut somewhere."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self._step = step

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._step)


@given(
    items=st.lists(JSON, max_size=5),
    other=JSON,
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    step=st.integers(1, 64),
)
def test_gives_exactly_the_values_asked_for(
    items: list[Any], other: Any, indent: int | None, ascii_only: bool, step: int
) -> None:
    """Whatever else the document holds, however it is indented, and wherever the chunks end."""
    document = {"before": other, "results": {"x": other, "rows": items, "y": other}, "head": {"k": other}, "rows": [1]}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    found = list(walk_json(Drip(text.encode(), step), [("results", "rows", "*"), ("head", "k")]))
    assert [json.loads(one.raw) for one in found] == [*items, other]
    assert [one.path for one in found[: len(items)]] == [("results", "rows", "*")] * len(items)


def test_lines_are_those_an_editor_shows() -> None:
    """A value's line is where it begins."""
    text = '{\n "a": [\n  {"x": 1},\n\n  {"x":\n 2}\n ]\n}'
    assert [one.line for one in walk_json(io.BytesIO(text.encode()), [("a", "*")])] == [3, 5]


def test_one_broken_value_does_not_cost_the_others() -> None:
    """Its brackets are counted, so the next one is found; whoever parses it sees that it is broken."""
    text = b'{"a": [{"x": 1}, {"x" 2, y}, {"x": 3}]}'
    assert [one.raw for one in walk_json(io.BytesIO(text), [("a", "*")])] == [b'{"x": 1}', b'{"x" 2, y}', b'{"x": 3}']


@pytest.mark.parametrize(
    ("text", "given_before"),
    [
        (b"", 0),
        (b'{"a": [{"x": 1}, {"x": 2', 1),
        (b'{"a": [{"x": 1}, "cut off', 1),
        (b'{"a": [{"x": 1} {"x": 2}]}', 1),
        (b'{"a": [1, ]}', 1),
        (b'{"a" [1]}', 0),
        (b'{"a":}', 0),
        (b"{1: 2}", 0),
    ],
)
def test_a_document_that_breaks_gives_what_came_before(text: bytes, given_before: int) -> None:
    """And says on which line it breaks."""
    walk = walk_json(io.BytesIO(b"\n" + text), [("a", "*")])
    assert len([next(walk) for _ in range(given_before)]) == given_before
    with pytest.raises(JsonWalkError) as caught:
        next(walk)
    assert caught.value.line == 2 or not text


def test_what_is_not_asked_for_is_not_held() -> None:
    """A value larger than all else is skipped; only the chunk in hand is kept."""
    text = b'{"skip": {"long": ["' + b"x" * 100 + b'", {"deep": [1, 2]}]}, "a": [7]}'
    assert [one.raw for one in walk_json(Drip(text, 16), [("a", "*")])] == [b"7"]


def test_a_value_that_would_fill_the_memory_ends_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on one value, not on the document."""
    monkeypatch.setattr("segue.imports.json_walk.MAX_VALUE_BYTES", 1000)
    small, large = json.dumps({"x": ["y" * 90] * 5}), json.dumps({"x": ["y" * 90] * 50})
    text = f'{{"a": [{small}, {small}, {small}, {large}]}}'
    walk = walk_json(Drip(text.encode(), 100), [("a", "*")])
    assert [len(next(walk).raw) for _ in range(3)] == [len(small)] * 3
    with pytest.raises(JsonWalkError, match="larger than"):
        next(walk)
