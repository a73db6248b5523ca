"""Lines of JSON hold all of an exchange, and a bad one is told by its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.exchanges import BodyNote, Logged
from segue.exchanges.export import FORMAT, exchange_line, read_exchange_line
from tests.exchanges.builders import an_exchange
from tests.exchanges.test_query import exchanges


@given(exchanges, st.binary(max_size=9), st.text(max_size=9), st.floats(0, 1))
def test_an_exchange_comes_back_from_its_line_as_it_was(exchange: object, request: bytes, response: str, share: float) -> None:
    """Text as text, other bytes as they are; unknown stays unknown."""
    logged = Logged(exchange, request, response.encode("utf-8", "replace"), share)  # type: ignore[arg-type]
    line = exchange_line(logged)
    assert len(line.splitlines()) == 1
    assert read_exchange_line(line, "line 1") == logged


def test_a_body_can_be_read_by_people() -> None:
    """It stands as it was sent; one that was not kept is not there."""
    body = json.loads(exchange_line(Logged(an_exchange(response=BodyNote("none", 5)), "für".encode(), b"")))
    assert body["request"] == {"kept": "full", "length": 3, "body": "für"}
    assert body["response"] == {"kept": "none", "length": 5}
    assert "status" not in body, "unknown"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "line 7 is not JSON"),
        ("[" * 100_000, "line 7 is not JSON"),
        ("[]", "line 7 is no exchange of this version"),
        ('{"format": "segue.exchange/2"}', "line 7 is no exchange of this version"),
        ({"id": 5}, "Expected `str`, got `int` - at `id`"),
        ({"at_ns": -1}, "at `at_ns`"),
        ({"request": 5}, "'request' is no object"),
        ({"request": {"kept": "full", "body": 5}}, "'request.body' is no text"),
        ({"response": {"kept": "full", "body_base64": "?"}}, "'response.body_base64' is no base64"),
        ({"kept_share": "all"}, "kept_share"),
        ({"colour": "red"}, "field 'colour' is none of an exchange's"),
        ({"slices": {"lang": 5}}, "at `slices"),
    ],
    ids=[
        *("empty", "deep", "list", "newer", "id", "time", "request", "body", "base64", "share", "unknown-field", "slices"),
    ],
)
def test_a_bad_line_is_told_by_its_place(line: str | dict[str, object], told: str) -> None:
    """And what to do about it."""
    if isinstance(line, dict):
        good = json.loads(exchange_line(Logged(an_exchange())))
        line = json.dumps({**good, **line})
    with pytest.raises(InputError) as caught:
        read_exchange_line(line, "line 7")
    assert told in str(caught.value)
    assert "segue exchanges export" in str(caught.value.fix)
    assert FORMAT in told or len(str(caught.value)) < 400


@given(st.text(max_size=40) | st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=5)).map(json.dumps))
def test_no_text_breaks_it(text: str) -> None:
    """Anything ends in an exchange or a told error."""
    with pytest.raises(InputError):
        read_exchange_line(text, "line 1")
