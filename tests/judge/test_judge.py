"""The pointwise judge: verdicts, silence, failure, identity, settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.errors import InputError
from segue.model import ScorerSpec
from segue.scoring.base import AsyncScorer
from segue.scoring.context import ScoringContext
from segue.scoring.judge import build_judge
from tests.judge.builders import AnsweringProvider, a_case, a_judge, a_pairwise, an_exchange, fails, says, verdict


@pytest.mark.parametrize(("said", "value"), [("pass", 1.0), ("fail", 0.0)])
async def test_pass_and_fail_become_one_and_zero(said: str, value: float) -> None:
    """The verdict is the score, its word the label, its reason the detail."""
    judge, provider = a_judge(verdict(said, "it says how"))
    (score,) = await judge.score_async(a_case(), an_exchange())
    assert (score.name, score.value, score.label, score.status) == ("helpful", value, said, "scored")
    assert score.detail["why"] == "it says how"
    assert score.detail["calls"] == 1
    assert isinstance(judge, AsyncScorer)
    assert provider.asked[0].snapshot == "judge-2025-01-01"
    assert judge.metrics[0].unit == "proportion"


async def test_points_become_a_score_between_zero_and_one() -> None:
    """A scale of five maps 4 to 0.75, and its metric is a score."""
    judge, provider = a_judge(verdict(4), scale=5)
    (score,) = await judge.score_async(a_case(), an_exchange())
    assert (score.value, score.label) == (0.75, "4")
    assert judge.metrics[0].unit == "score"
    assert provider.asked[0].response_schema["properties"]["verdict"] == {"enum": [1, 2, 3, 4, 5]}  # type: ignore[index]


async def test_an_unreadable_verdict_is_asked_for_once_more_in_other_words() -> None:
    """The second question differs, has another idempotency key, and its verdict counts; both calls are paid for."""
    judge, provider = a_judge(says("I think it passes!"), verdict("pass"))
    (score,) = await judge.score_async(a_case(), an_exchange())
    assert score.value == 1.0
    assert score.detail["calls"] == 2
    assert score.detail["cost_microusd"] == 20.0
    first, second = provider.asked
    assert first.messages != second.messages
    assert first.idempotency_key != second.idempotency_key


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (says("no comment"), "not the JSON verdict"),
        (says("", refusal="I cannot"), "refused to judge"),
        (says("", finish_reason="content_filter"), "refused to judge"),
        (says('{"why": "x", "verdict": "pass"}', refusal="I cannot"), "refused to judge"),
        (says('{"why": "it', finish_reason="length"), "cut off"),
    ],
)
async def test_a_judge_that_gives_no_verdict_leaves_the_score_open(outcome: Any, reason: str) -> None:
    """After one more try the output is unscored with the reason, never a 0."""
    judge, provider = a_judge(outcome)
    (score,) = await judge.score_async(a_case(), an_exchange())
    assert (score.status, score.value) == ("unscored", None)
    assert reason in score.reason
    assert len(provider.asked) == 2


@pytest.mark.parametrize("outcomes", [[fails("timeout")], [says("what?"), fails("rate_limit")]])
async def test_a_judge_that_cannot_be_asked_is_an_error(outcomes: list[Any]) -> None:
    """A provider's failure is neither a verdict nor the judge's silence."""
    judge, _ = a_judge(*outcomes)
    (score,) = await judge.score_async(a_case(), an_exchange())
    assert (score.status, score.value) == ("error", None)
    assert outcomes[-1].failure.kind in score.reason


async def test_too_much_material_is_not_judged_by_a_part_of_it() -> None:
    """Above max_chars nothing is sent, and the score says why."""
    judge, provider = a_judge(verdict("pass"), max_chars=100)
    (score,) = await judge.score_async(a_case(), an_exchange("x" * 100))
    assert score.status == "unscored"
    assert "max_chars" in score.reason
    assert provider.asked == []


async def test_reasons_do_not_carry_the_output() -> None:
    """What a model wrote stays out of messages."""
    judge, _ = a_judge(says("SECRET"))
    (score,) = await judge.score_async(a_case(), an_exchange("SECRET"))
    assert "SECRET" not in score.reason


def test_identity_changes_with_everything_that_can_change_a_verdict() -> None:
    """Model, rubric, parameters, scale, reference and limits are part of it; where the rubric stands is not."""
    judge, _ = a_judge(verdict("pass"))
    changes: list[dict[str, Any]] = [
        {"snapshot": "judge-2025-06-01"},
        {"rubric": "Be brief."},
        {"parameters": {"temperature": 0}},
        {"scale": 5},
        {"show_reference": True},
        {"max_chars": 500},
        {"name": "other"},
    ]
    digests = [a_judge(verdict("pass"), **change)[0].identity.digest for change in changes]
    assert len({judge.identity.digest, *digests}) == len(changes) + 1
    assert a_judge(verdict("pass"), rubric=" Be helpful.\n")[0].identity.digest == judge.identity.digest
    assert a_pairwise(verdict("A"))[0].identity.digest != judge.identity.digest
    assert judge.identity.settings["prompt"] == "1"


def test_rubric_may_stand_in_a_file_of_the_workflow(tmp_path: Path) -> None:
    """A rubric read from a file gives the same identity as the text itself, whatever its line ends."""
    (tmp_path / "rubric.md").write_bytes(b"Be helpful.\r\n")
    context = ScoringContext(workflow_dir=tmp_path, providers={"judges": AnsweringProvider([])})
    spec = ScorerSpec(name="helpful", type="judge", provider="judges", snapshot="judge-2025-01-01", rubric_file="rubric.md")  # type: ignore[call-arg]
    assert build_judge(spec, context).identity.digest == a_judge(verdict("pass"))[0].identity.digest


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"rubric": None}, "either rubric or rubric_file"),
        ({"rubric_file": "x.md"}, "either rubric or rubric_file"),
        ({"rubric": "  "}, "rubric is empty"),
        ({"rubric": None, "rubric_file": "none.md"}, "no workflow folder"),
        ({"scale": 1}, "from 2 to 10"),
        ({"scale": 11}, "from 2 to 10"),
        ({"scale": "stars"}, "scale|pass/fail"),
        ({"provider": "nobody"}, "not available here"),
        ({"snapshot": ""}, "at least 1 character"),
        ({"rubrik": "x"}, "no setting 'rubrik'"),
        ({"max_chars": 1}, "greater than or equal to 100"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], what: str) -> None:
    """Each wrong setting is a fault that says what is wrong."""
    with pytest.raises(InputError) as caught:
        a_judge(verdict("pass"), **settings)
    assert any(part.casefold() in fault.sentence().casefold() for fault in caught.value.faults for part in what.split("|"))


def test_a_rubric_outside_the_workflow_is_refused(tmp_path: Path) -> None:
    """A path that leads out of the folder, a missing file and an undecodable one are faults."""
    inside = tmp_path / "workflow"
    inside.mkdir()
    (tmp_path / "other.md").write_text("x")
    (inside / "broken.md").write_bytes(b"\xff\xfe")
    context = ScoringContext(workflow_dir=inside, providers={"judges": AnsweringProvider([])})
    for name, what in (("../other.md", "outside"), ("none.md", "cannot be read"), ("broken.md", "cannot be read")):
        spec = ScorerSpec(name="h", type="judge", provider="judges", snapshot="s", rubric_file=name)  # type: ignore[call-arg]
        with pytest.raises(InputError) as caught:
            build_judge(spec, context)
        assert what in caught.value.faults[0].what
