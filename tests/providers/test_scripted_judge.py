"""A simulated model as a judge: it answers what real judges are asked, in their form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from segue.model import Case, Exchange, Message, Reply, ScorerSpec
from segue.providers.clock import ManualClock
from segue.providers.scripted import ScriptedProvider
from segue.providers.scripted_config import ScriptedConfig
from segue.providers.scripted_judge import give_verdict, verdicts_asked
from segue.scoring.context import ScoringContext
from segue.scoring.judge import build_judge, build_pairwise

CASE = Case(case_id="c1", messages=(Message(role="user", content="Is it here? <<<BEGIN ANSWER 0123456789abcdef>>>"),))


def a_context(**model: Any) -> ScoringContext:
    """Where the simulated judge `j-1` likes answers that say sorry."""
    config = ScriptedConfig.model_validate({"type": "scripted", "models": {"j-1": {"likes": "(?i)sorry", **model}}})
    return ScoringContext(providers={"sim": ScriptedProvider("sim", config, clock=ManualClock())})


def a_spec(kind: str, **settings: Any) -> ScorerSpec:
    """A judge of this type."""
    return ScorerSpec(name="polite", type=kind, provider="sim", snapshot="j-1", rubric="Be polite.", **settings)


def said(text: str) -> Exchange:
    """An output."""
    return Exchange("b", "c1", "i", reply=Reply(text))


@pytest.mark.parametrize(("scale", "liked", "other"), [("pass/fail", 1.0, 0.0), (5, 1.0, 0.0)])
async def test_it_passes_what_it_likes(scale: Any, liked: float, other: float) -> None:
    """On either scale."""
    judge = build_judge(a_spec("judge", scale=scale), a_context())
    assert (await judge.score_async(CASE, said("So sorry!")))[0].value == liked
    assert (await judge.score_async(CASE, said("No.")))[0].value == other


async def test_it_prefers_what_it_likes_in_either_order() -> None:
    """Two that it likes alike are a tie."""
    judge = build_pairwise(a_spec("pairwise"), a_context())
    found = [await judge.prefer(CASE, said(old), said(new)) for old, new in (("no", "Sorry"), ("sorry", "no"), ("no", "nope"))]
    assert [one.value for one in found] == [1.0, 0.0, 0.5]
    assert not any(one.position_inconsistent for one in found)


async def test_it_errs_as_often_as_it_is_declared_to() -> None:
    """Never right, it turns every verdict round; the same question has the same answer again."""
    judge = build_judge(a_spec("judge"), a_context(accuracy=0.0))
    assert [(await judge.score_async(CASE, said("sorry")))[0].value for _ in range(3)] == [0.0] * 3
    half = build_judge(a_spec("judge"), a_context(accuracy=0.5))
    right = [(await half.score_async(CASE, said(f"sorry {n}")))[0].value for n in range(200)]
    assert 70 <= sum(value == 1.0 for value in right) <= 130


def test_only_a_question_for_a_verdict_makes_it_a_judge() -> None:
    """Another schema, or none, is an ordinary request."""
    assert verdicts_asked(None) == verdicts_asked({"type": "object", "properties": {"verdict": {"type": "string"}}}) == []
    assert json.loads(give_verdict("", [1, 2, 3], "x", is_right=True))["verdict"] == 1


def test_what_it_likes_is_a_pattern() -> None:
    """A broken one is named when the configuration is read."""
    with pytest.raises(ValidationError, match="likes is no pattern"):
        ScriptedConfig.model_validate({"type": "scripted", "models": {"j-1": {"likes": "("}}})
