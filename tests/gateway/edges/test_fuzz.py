"""A small share of what `python -m tests.gateway.edges.fuzz` does at length: every kept input, and some hundred mutations."""

from __future__ import annotations

import random

import pytest

from segue.wire.neutral.conversation import Dialect
from tests.gateway.edges.checks import BUNDLES, CLIENTS, check_answer, check_request, check_sse, check_stream
from tests.gateway.edges.fuzz import EDGES, corpus, dialect_of, run
from tests.gateway.edges.mutation import pieces

CLIENT = pytest.mark.parametrize("client", list(CLIENTS))
BUNDLE = pytest.mark.parametrize("bundle", list(BUNDLES))


def kept(edge: str, own: Dialect) -> list[bytes]:
    """The inputs of one edge in one dialect, or in none."""
    return [data for name, data in corpus(edge).items() if dialect_of(name) in (None, own)]


def byte_by_byte(data: bytes) -> list[bytes]:
    """As finely cut as can be."""
    return [data[at : at + 1] for at in range(len(data))]


def test_events_that_are_kept_are_those_of_the_standard() -> None:
    """Whole, byte by byte, and cut at random."""
    for data in corpus("sse").values():
        check_sse(data, byte_by_byte(data))
        check_sse(data, pieces(data, random.Random(1)))


@CLIENT
@BUNDLE
def test_streams_that_are_kept_hold(client: Dialect, bundle: Dialect) -> None:
    """For every client, byte by byte."""
    for data in kept("stream", bundle):
        check_stream(data, byte_by_byte(data), client, bundle)


@CLIENT
@BUNDLE
def test_answers_that_are_kept_hold(client: Dialect, bundle: Dialect) -> None:
    """With every kind of status; some of them are answers."""
    accepted = [check_answer(data, client, bundle, status) for data in kept("answer", bundle) for status in (200, 400, 500)]
    assert sum(accepted) >= 4


@CLIENT
@BUNDLE
def test_requests_that_are_kept_hold(client: Dialect, bundle: Dialect) -> None:
    """For every bundle; some of them are taken."""
    assert sum(check_request(data, client, bundle) for data in kept("request", client)) >= 2


@pytest.mark.parametrize("edge", EDGES)
def test_mutations_of_the_corpus_hold(edge: str) -> None:
    """Some hundred of them, and some are accepted."""
    assert run(edge, 400, seed=1)["accepted"] > 40
