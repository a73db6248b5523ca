"""Outputs under trouble: the real scorer judges each that occurs, and a metric moves by as much as was typed."""

from __future__ import annotations

import pytest

from segue.errors import InputError
from segue.rehearsal.crowd import case_weights
from segue.rehearsal.preparing import Prepared
from segue.rehearsal.troubles import Trouble
from tests.rehearsal.conftest import a_plan

pytestmark = pytest.mark.xdist_group("rehearsal")


def test_every_case_of_ordinary_traffic_has_scored_outputs(prepared: Prepared) -> None:
    """Attacks are no ordinary traffic."""
    assert len(prepared.cases) == 120
    answers = prepared.answers[prepared.candidate.bundle.digest]
    assert all("right" in one.scores and "usable" in one.scores for row in answers.table for one in row)


def test_cheap_scores_are_those_of_the_gateway(prepared: Prepared) -> None:
    """By the names that its log has."""
    answer = prepared.answers[prepared.incumbent.bundle.digest].table[0][0]
    assert {"refusal", "characters", "contract"} <= answer.scores.keys()


@pytest.mark.parametrize("amount", [-0.1, -0.3, 0.01], ids=["down 10", "down 30", "up 1"])
def test_a_metric_moves_by_what_was_typed(prepared: Prepared, amount: float) -> None:
    """Over the traffic of the slice: chance times what each output changes."""
    trouble = Trouble(f"right {amount:+}", "metric", where="task=refund", metric="right", amount=amount)
    answers = prepared.answers[prepared.candidate.bundle.digest]
    weights = case_weights(prepared.cases, a_plan().slices)
    chance = answers.chance(trouble, weights)
    moved = whole = 0.0
    for index, case in enumerate(prepared.cases):
        if case.slices["task"] != "refund":
            continue
        rows = range(len(answers.table[index]))
        before = [answers.table[index][draw].scores["right"] or 0.0 for draw in rows]
        after = [answers.changed(index, draw, (trouble,)).scores["right"] or 0.0 for draw in rows]
        whole += weights[index]
        moved += weights[index] * chance * (sum(after) - sum(before)) / len(before)
    assert moved / whole == pytest.approx(amount, abs=1e-9)


def test_a_fence_breaks_what_the_contract_forbids(prepared: Prepared) -> None:
    """The changed output is scored again, by the same scorer."""
    answers = prepared.answers[prepared.candidate.bundle.digest]
    fenced = answers.changed(0, 0, (Trouble("f", "fence", amount=0.2),))
    assert answers.table[0][0].scores["usable"] == 1.0
    assert fenced.scores["usable"] == 0.0
    assert fenced.note.digest != answers.table[0][0].note.digest


def test_a_change_beyond_the_range_is_refused(prepared: Prepared) -> None:
    """With where it stands."""
    answers = prepared.answers[prepared.candidate.bundle.digest]
    weights = case_weights(prepared.cases, {})
    with pytest.raises(InputError, match="out of 0 to 100 %"):
        answers.chance(Trouble("right +20pts", "metric", metric="right", amount=0.2), weights)
