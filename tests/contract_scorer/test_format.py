"""The format scorer: traits as proportions."""

from __future__ import annotations

import pytest

from segue.drift import TRAITS
from segue.errors import InputError
from segue.model import Message, Reply
from segue.scoring.base import Scorer
from segue.scoring.format_fingerprint import FormatScorer, build_format
from tests.contract_scorer.builders import a_case, a_context, a_spec, an_exchange


def a_format_scorer(**settings: object) -> FormatScorer:
    return build_format(a_spec("format", **settings), a_context())


def test_each_trait_is_a_proportion_of_its_own() -> None:
    """A fence, whole JSON, a refusal: one metric each, so that each can be a guardrail."""
    scorer = a_format_scorer()
    assert isinstance(scorer, Scorer)
    assert [metric.name for metric in scorer.metrics] == [f"fit.{trait}" for trait in TRAITS]
    assert all(metric.unit == "proportion" for metric in scorer.metrics)
    assert {metric.name for metric in scorer.metrics if metric.better == "higher"} == {"fit.json_whole"}
    values = {score.name: score.value for score in scorer.score(a_case(), an_exchange("```\nx\n```"))}
    assert (values["fit.fence"], values["fit.json_whole"]) == (1.0, 0.0)


def test_traits_can_be_chosen() -> None:
    """Only what is chosen is measured, once each."""
    scorer = a_format_scorer(traits=["empty", "fence", "empty"], better="higher")
    assert [(metric.name, metric.better) for metric in scorer.metrics] == [("fit.empty", "higher"), ("fit.fence", "higher")]
    assert [score.value for score in scorer.score(a_case(), an_exchange(Reply()))] == [1.0, 0.0]


def test_a_trait_that_cannot_be_told_is_left_out() -> None:
    """'Yes' is in no language for certain, so nothing is said about its language."""
    scorer = a_format_scorer(traits=["other_language"])
    case = a_case(messages=(Message(role="user", content="What is the total of the invoice that you have sent to us?"),))
    assert scorer.score(case, an_exchange("Yes")) == ()
    german = "Die Summe der Rechnung, die wir Ihnen geschickt haben, ist auf der zweiten Seite."
    assert [score.value for score in scorer.score(case, an_exchange(german))] == [1.0]
    expecting_german = a_format_scorer(traits=["other_language"], language="de")
    assert [score.value for score in expecting_german.score(case, an_exchange(german))] == [0.0]


def test_an_unknown_trait_is_a_fault_that_names_the_near_one() -> None:
    """A typo in a guardrail is found before the run."""
    with pytest.raises(InputError) as raised:
        a_format_scorer(traits=["fense"])
    assert "did you mean 'fence'?" in raised.value.faults[0].sentence()
