"""A small share of what `python -m tests.gateway.http.fuzz` does at length, and Hypothesis on the same checks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.http.fuzz import TOKENS, check_request, check_response, corpus, run

CHECKS = {"request": check_request, "response": check_response}


@pytest.mark.parametrize("side", CHECKS)
def test_what_is_kept_in_the_corpus_holds(side: str) -> None:
    """Every input, whole and byte by byte."""
    for data in corpus(side):
        CHECKS[side](data, [data[at : at + 1] for at in range(len(data))])


@pytest.mark.parametrize("side", CHECKS)
def test_mutations_of_the_corpus_hold(side: str) -> None:
    """Some hundred of them, and some are accepted."""
    assert run(side, 300, seed=1)["accepted"] > 10


def test_heads_that_are_known_are_read_as_if_they_were_not() -> None:
    """Some hundred pairs of requests, and many of the second ones begin with a known head."""
    assert run("known", 600, seed=1)["accepted"] > 50


@st.composite
def mutated(draw: st.DrawFn, side: str) -> tuple[bytes, list[bytes]]:
    """An input of the corpus with tokens written over it, and the same in pieces."""
    data = draw(st.sampled_from(corpus(side)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        token = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4)))
        data = data[:at] + token + data[at + draw(st.integers(0, 8)) :]
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=5))})
    return data, [data[one:two] for one, two in pairwise(cuts)]


@given(mutated("request"), st.booleans())
def test_no_bytes_of_a_client_break_the_rules(given_: tuple[bytes, list[bytes]], hangs_up: bool) -> None:
    """Never an error, never a connection left open, never another request than h11 reads."""
    check_request(*given_, hangs_up=hangs_up)


@given(mutated("response"))
def test_no_bytes_of_an_upstream_break_the_rules(given_: tuple[bytes, list[bytes]]) -> None:
    """One ending each, never another response than h11 reads."""
    check_response(*given_)
