"""Who asks, in the words of each client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import Fault
from segue.gateway.applied import read_fields
from segue.gateway.identity import Identity, read_identity


def identity(headers: dict[bytes, bytes] | None = None, **body: Any) -> Identity:
    """Of a request without faults."""
    faults: list[Fault] = []
    found = read_identity(headers or {}, read_fields(json.dumps(body).encode()), faults)
    assert not faults
    return found


@pytest.mark.parametrize(
    ("headers", "body", "unit"),
    [
        ({}, {}, None),
        ({}, {"user": "ada"}, "ada"),
        ({}, {"metadata": {"user_id": "ada"}}, "ada"),
        ({}, {"metadata": {"order": "7"}}, None),
        ({}, {"metadata": None}, None),
        ({}, {"user": 7}, None),
        ({}, {"user": ""}, None),
        ({}, {"safety_identifier": "s"}, "s"),
        ({b"segue-conversation": b"c-1"}, {"user": "ada"}, "c-1"),
        ({b"segue-unit": b"u-1", b"segue-conversation": b"c-1"}, {"user": "ada"}, "u-1"),
        ({b"segue-unit": b" "}, {"user": "ada"}, "ada"),
        ({b"segue-unit": b"J%C3%BCrgen"}, {}, "Jürgen"),
    ],
    ids=str,
)
def test_the_unit_is_what_the_client_says(headers: dict[bytes, bytes], body: dict[str, Any], unit: str | None) -> None:
    """A header first, then the field each dialect has for users; nothing else is taken for one."""
    assert identity(headers, **body).unit == unit


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_.-]{0,9}", fullmatch=True), st.text(max_size=20).map(str.strip), max_size=5)
)
def test_attributes_come_as_they_were_sent(attributes: dict[str, str]) -> None:
    """Percent-encoded, any text fits."""
    from urllib.parse import quote

    line = ", ".join(f"{name}={quote(value, safe='')}" for name, value in attributes.items())
    assert identity({b"segue-attributes": line.encode()}).attributes == attributes


@pytest.mark.parametrize(
    "line",
    [b"tier", b"=x", b"tier=a,tier=b", b",".join(b"a%d=1" % n for n in range(40)), b"a=" + b"x" * 600],
    ids=["no-value", "no-name", "twice", "too-many", "too-long"],
)
def test_attributes_that_cannot_be_read_are_told(line: bytes) -> None:
    """By the header's name, with the form that is meant, and without what stands in it."""
    faults: list[Fault] = []
    read_identity({b"segue-attributes": line}, {}, faults)
    assert {fault.path for fault in faults} == {"segue-attributes"}
    assert all(fault.fix for fault in faults)


def test_a_unit_as_long_as_a_book_is_refused() -> None:
    """It would be hashed for every request, and logged."""
    faults: list[Fault] = []
    assert read_identity({b"segue-unit": b"x" * 600}, {}, faults).unit is None
    assert [fault.path for fault in faults] == ["segue-unit"]


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_bytes_break_it(unit: bytes, attributes: bytes) -> None:
    """Headers come from anybody."""
    read_identity({b"segue-unit": unit, b"segue-attributes": attributes}, {}, [])
