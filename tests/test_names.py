"""The names of tests are the same in every run and for every worker (`conftest.py`)."""

from __future__ import annotations

import gzip

import pytest


@pytest.mark.parametrize("packed", [gzip.compress(b"one"), gzip.compress(b"two")])
def test_bytes_that_are_no_plain_text_are_numbered(packed: bytes, request: pytest.FixtureRequest) -> None:
    """What is packed holds the time of packing; a name must not."""
    assert request.node.name.endswith(("[packed0]", "[packed1]"))


@pytest.mark.parametrize("body", [b'{"error": 1}'])
def test_short_plain_bytes_are_named_by_what_they_are(body: bytes, request: pytest.FixtureRequest) -> None:
    """As before: a name that says something is better than a number."""
    assert request.node.name.endswith('[{"error": 1}]')
