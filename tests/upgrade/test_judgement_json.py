"""A judgement that was written into the log reads back as it was."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.grid import POINTS, Unit
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import Evidence, Judgement, Settlement
from segue.upgrade.judgement_json import judgement_as_json, judgement_from_json

numbers = st.floats(allow_nan=False)
maybe = st.none() | numbers
counts = st.integers(0, 10**9)
verdicts = st.sampled_from(["invalid", "harm", "inconclusive", "safe"])
limits = st.sampled_from([None, "rollback", "hold"])
settlements = st.none() | st.builds(
    Settlement, st.sampled_from(["harm", "safe"]), st.none() | counts, st.none() | st.floats(0, 1e6)
)
cells = st.builds(
    Evidence,
    st.text(max_size=8),
    st.text(max_size=8),
    verdicts,
    limits,
    numbers,
    maybe,
    maybe,
    st.builds(Interval, maybe, maybe),
    counts,
    counts,
    counts,
    counts,
    counts,
    settlements,
    st.sampled_from([None, "assignment", "labels"]),
    st.sampled_from([POINTS, Unit("ms", 1000.0)]),
)
judgements = st.builds(
    Judgement,
    verdicts,
    limits,
    numbers,
    numbers,
    st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=3).map(tuple),
    st.lists(cells, max_size=3).map(tuple),
)


@given(judgements)
def test_a_judgement_reads_back_as_it_was(judgement: Judgement) -> None:
    """Infinities and unknowns among its numbers, through real JSON."""
    text = json.dumps(judgement_as_json(judgement), allow_nan=False)
    assert judgement_from_json(json.loads(text)) == judgement


def test_infinities_are_words() -> None:
    """JSON has none, and a reader in another language must not choke."""
    found: Any = judgement_as_json(Judgement("harm", "rollback", inf, -inf, (), ()))
    assert (found["rollback_log_e"], found["hold_log_e"]) == ("inf", "-inf")


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {"version": 2},
        {"version": 1},
        {"version": 1, "verdict": "fine", "limit": None, "rollback_log_e": 0, "hold_log_e": 0, "culprits": [], "cells": []},
        {"version": 1, "verdict": "harm", "limit": None, "rollback_log_e": True, "hold_log_e": 0, "culprits": [], "cells": []},
        {"version": 1, "verdict": "harm", "limit": None, "rollback_log_e": 0, "hold_log_e": 0, "culprits": [], "cells": [{}]},
    ],
    ids=["nothing", "a-list", "another-version", "empty", "unknown-verdict", "no-number", "empty-cell"],
)
def test_what_is_no_judgement_is_refused(broken: Any) -> None:
    """A damaged entry is told of, not shown as if it were whole."""
    with pytest.raises(ValueError, match=r"judgement|none of"):
        judgement_from_json(broken)
