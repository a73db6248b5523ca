"""The contract: schema, phrases and counts, and what is said about a broken clause."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.model import CommandCheck, Contract, CountRule, Message, Reply
from segue.scoring.base import AsyncScorer, Scorer
from segue.scoring.contract import ContractSettings, build_contract
from segue.scoring.contract_clauses import check_counts, check_phrases
from segue.scoring.declared import contract_metrics
from tests.contract_scorer.builders import (
    a_case,
    a_context,
    a_contract_scorer,
    a_program,
    a_spec,
    an_exchange,
    scores_of,
)

SCHEMA = {
    "type": "object",
    "properties": {"total": {"type": "number"}, "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}}},
    "required": ["total"],
    "additionalProperties": False,
}


def test_an_output_that_keeps_every_clause_passes_as_a_whole_and_by_kind() -> None:
    """One metric for all clauses, one for each kind the contract has."""
    scorer = a_contract_scorer(json_schema=SCHEMA, required=("total",), counts=(CountRule(of="lines", at_most=3),))
    assert [metric.name for metric in scorer.metrics] == ["fit", "fit.schema", "fit.phrases", "fit.counts"]
    assert {name: score.value for name, score in scores_of(scorer, '{"total": 1.5}').items()} == {
        "fit": 1.0, "fit.schema": 1.0, "fit.phrases": 1.0, "fit.counts": 1.0,
    }  # fmt: skip
    assert isinstance(scorer, Scorer)


def test_a_kind_of_clause_the_contract_lacks_has_no_metric() -> None:
    """What is not asked for is not passed either."""
    assert [metric.name for metric in a_contract_scorer(banned=("guarantee",)).metrics] == ["fit", "fit.phrases"]


def test_each_broken_clause_is_said_with_its_json_path() -> None:
    """Downstream breaks at a place; the detail names it."""
    score = scores_of(a_contract_scorer(json_schema=SCHEMA), '{"total": "x", "lines": [{}]}')["fit.schema"]
    assert score.value == 0.0
    assert {(one["clause"], one["path"]) for one in score.detail} == {("schema", "/total"), ("schema", "/lines/0")}
    assert "at /" in score.reason


def test_the_output_as_a_whole_has_to_be_json() -> None:
    """Prose, a fence or a second value is what a parser chokes on."""
    scorer = a_contract_scorer(json_schema=SCHEMA)
    for said in (
        'Sure: {"total": 1}',
        '```json\n{"total": 1}\n```',
        '{"total": 1} {"total": 2}',
        '{"total": NaN}',
        "{'total': 1}",
    ):
        score = scores_of(scorer, said)["fit"]
        assert (score.value, score.reason) == (0.0, "the output as a whole is not JSON")
    assert scores_of(scorer, "  \n")["fit"].reason == "the output is empty"


def test_a_fence_around_the_whole_output_may_be_allowed() -> None:
    """`allow_fence` removes one fence around everything, and no prose."""
    scorer = a_contract_scorer(allow_fence=True, json_schema=SCHEMA)
    assert scores_of(scorer, '```json\n{"total": 1}\n```')["fit"].value == 1.0
    assert scores_of(scorer, 'Here:\n```json\n{"total": 1}\n```')["fit"].value == 0.0


def test_details_hold_at_most_a_short_excerpt() -> None:
    """A huge wrong output does not end up in the score a second time."""
    score = scores_of(a_contract_scorer(json_schema=SCHEMA), json.dumps({"total": "x" * 100_000}))["fit"]
    assert len(json.dumps(score.detail)) < 600
    wrong = json.dumps({"total": 1, "lines": [{} for _ in range(5_000)]})
    assert len(scores_of(a_contract_scorer(json_schema=SCHEMA), wrong)["fit"].detail) == 20


@pytest.mark.parametrize("said", ["[" * 100_000, '{"a":' * 50_000, '{"total": ' + "9" * 5_000 + "}", '"\\ud800"'], ids=range(4))
def test_hostile_json_is_a_broken_contract_not_a_crash(said: str) -> None:
    """Depth and size beyond reason are scored 0 in bounded time."""
    start = time.perf_counter()
    assert scores_of(a_contract_scorer(json_schema=SCHEMA), said)["fit"].value == 0.0
    assert time.perf_counter() - start < 2.0


def test_a_large_right_output_passes_quickly() -> None:
    """Five megabytes of invoice lines are read in well under a second each."""
    said = json.dumps({"total": 1, "lines": [{"sku": "x" * 20} for _ in range(100_000)]})
    start = time.perf_counter()
    assert scores_of(a_contract_scorer(json_schema=SCHEMA), said)["fit"].value == 1.0
    assert time.perf_counter() - start < 5.0


def test_schema_faults_are_found_when_the_scorer_is_built() -> None:
    """A typo in the schema is a fault of the contract, with its place, and not a broken output."""
    for schema in ({"type": "dict"}, {"type": "string", "pattern": "("}, {"$ref": "#/$defs/missing"}):
        with pytest.raises(InputError) as raised:
            a_contract_scorer(json_schema=schema)
        assert "JSON Schema cannot be used" in raised.value.faults[0].what


def test_a_schema_never_fetches_an_address() -> None:
    """A `$ref` to the network is a fault; nothing is asked for."""
    for address in ("http://127.0.0.1:9/schema.json", "https://example.com/schema.json", "file:///etc/hostname"):
        with pytest.raises(InputError):
            a_contract_scorer(json_schema={"$ref": address})


def test_all_faults_are_reported_at_once() -> None:
    """A bad schema, an empty phrase and a missing folder are three faults of one contract."""
    contract = Contract(json_schema={"type": "dict"}, banned=(" ",), command=CommandCheck(argv=("check",)))
    with pytest.raises(InputError) as raised:
        build_contract(a_spec("contract"), a_context(contract=contract))
    assert len(raised.value.faults) == 3


def test_an_unknown_setting_or_no_contract_at_all_is_a_fault() -> None:
    """A contract that asks for nothing passes everything, which is silence."""
    for spec, contract in (
        (a_spec("contract", allow_fense=True), Contract(banned=("x",))),
        (a_spec("contract"), None),
        (a_spec("contract"), Contract()),
    ):
        with pytest.raises(InputError):
            build_contract(spec, a_context(contract=contract))


def test_a_contract_in_the_workflow_stands_before_the_bundle_s() -> None:
    """Both arms can be held to one contract, whatever their bundles carry."""
    spec = a_spec("contract", contract={"required": ["yes"]})
    scorer = build_contract(spec, a_context(contract=Contract(required=("no",))))
    assert isinstance(scorer, Scorer)
    assert scorer.score(a_case(), an_exchange("yes"))[0].value == 1.0


async def test_the_metrics_told_without_building_are_those_of_the_built_scorer(tmp_path: Path) -> None:
    """A plan that names `fit.command` as a guardrail can be checked before anything runs."""
    contract = Contract(required=("yes",), counts=(CountRule(of="lines", at_least=1),), command=CommandCheck(argv=("true",)))
    built = build_contract(a_spec("contract"), a_context(tmp_path, contract))
    assert tuple(built.metrics) == contract_metrics(a_spec("contract"), ContractSettings(contract=contract))
    assert isinstance(built, AsyncScorer)
    scores = await built.score_async(a_case(), an_exchange("yes"))
    assert [score.name for score in scores] == [metric.name for metric in built.metrics]


def test_the_identity_is_the_contract() -> None:
    """Two arms held to different contracts are not comparable, and the identity shows it."""
    one = a_contract_scorer(required=("yes",)).identity
    assert one.digest == a_contract_scorer(required=("yes",)).identity.digest
    assert one.digest != a_contract_scorer(required=("no",)).identity.digest
    assert one.digest != a_contract_scorer(allow_fence=True, required=("yes",)).identity.digest


@pytest.mark.parametrize(
    ("clauses", "said", "broken"),
    [
        ({"required": ("Thank you",)}, "Thank\n  you for asking", []),
        ({"required": ("Thank you",)}, "thank you", ["required"]),
        ({"required": ("Thank you",), "ignore_case": True}, "THANK YOU", []),
        ({"required": ("don't",)}, "we don’t", []),
        ({"closing": ("Kind regards,\nThe team", "Cheers")}, "Hi.\n\nKind regards,\nThe team\n", []),
        ({"closing": ("Kind regards,\nThe team", "Cheers")}, "Cheers, and more", ["closing"]),
        ({"banned": ("art",)}, "Let us start.", []),
        ({"banned": ("art",)}, "It is art.", ["banned"]),
        ({"banned": ("100%",)}, "100% sure", ["banned"]),
        ({"banned": ("保証",)}, "全額保証します", ["banned"]),
        ({"banned": ("guarantee",)}, "Guarantee", []),
        ({"banned": ("guarantee",), "ignore_case": True}, "Guarantee guarantee", ["banned"]),
        ({"required": ("a", "b"), "banned": ("c",)}, "c", ["required", "required", "banned"]),
    ],
)  # fmt: skip
def test_phrases(clauses: dict[str, Any], said: str, broken: list[str]) -> None:
    """Required stand somewhere, one closing ends the text, banned ones stand nowhere as words."""
    assert [one.clause for one in check_phrases(Contract(**clauses), said)] == broken


@pytest.mark.parametrize(
    ("of", "said", "count"),
    [
        ("bullets", "- a\n* b\n  • c\n-not one\n---\n```\n- code\n```", 3),
        ("numbered", "1. a\n2) b\n(3) c\nIn 2020. Yes\n3.5 kg", 3),
        ("lines", "a\n\n \nb", 2),
        ("paragraphs", "a\nb\n\n\nc\r\n\r\nd", 3),
        ("sentences", "It is 3.5 kg, e.g. heavy. Is it? Yes! Dr. Who said so.", 4),
        ("sentences", "No full stop\n- and a bullet", 2),
        ("words", "It's a well-known fact — 100 %", 5),
        ("characters", "  Zoë 👍\n", 5),
        ("code_blocks", "```\na\n```\ntext\n~~~py\nb\n~~~", 2),
        ("bullets", "", 0),
        ("sentences", "", 0),
        ("paragraphs", " \n ", 0),
    ],
)
def test_counts(of: Any, said: str, count: int) -> None:
    """What counts as a bullet, a sentence, a word."""
    assert check_counts([CountRule(of=of, exactly=count)], said) == []
    assert check_counts([CountRule(of=of, at_least=count, at_most=count)], said) == []
    (broken,) = check_counts([CountRule(of=of, exactly=count + 1)], said)
    assert broken.what == f"{count} {of.replace('_', ' ')} instead of exactly {count + 1}"
    assert check_counts([CountRule(of=of, at_least=count + 1, at_most=count + 2)], said)[0].what.endswith(
        f"at least {count + 1}"
    )


def test_exactly_three_bullets() -> None:
    """The contract people write most often."""
    scorer = a_contract_scorer(counts=(CountRule(of="bullets", exactly=3),))
    assert scores_of(scorer, "- a\n- b\n- c")["fit"].value == 1.0
    assert scores_of(scorer, "- a\n- b")["fit.counts"].reason == "2 bullets instead of exactly 3"


def test_the_last_words_of_a_conversation_are_held_to_the_contract() -> None:
    """What the application gets is the last answer."""
    turns = (Message(role="assistant", content="no"), Message(role="assistant", content="yes"))
    scores = a_contract_scorer(required=("yes",)).score(a_case(), an_exchange(Reply(trajectory=turns)))
    assert scores[0].value == 1.0


@given(st.text(), st.text(min_size=1).filter(str.strip))
def test_any_text_and_phrase_are_checked_without_fault(text: str, phrase: str) -> None:
    """No text and no phrase make the check fail, and a text holds itself."""
    contract = Contract(required=(phrase,), closing=(phrase,), banned=(phrase,))
    check_phrases(contract, text)
    assert not [one for one in check_phrases(contract, phrase) if one.clause in ("required", "closing")]


async def test_a_contract_with_a_command_needs_its_acceptance_too(tmp_path: Path) -> None:
    """The team's own parser is one more clause, with a metric of its own."""
    argv = a_program(tmp_path, "import sys\nsys.exit('no total' if 'total' not in sys.stdin.read() else 0)")
    contract = Contract(required=("x",), command=CommandCheck(argv=argv))
    scorer = build_contract(a_spec("contract"), a_context(tmp_path, contract))
    assert isinstance(scorer, AsyncScorer)
    assert not isinstance(scorer, Scorer)
    assert [metric.name for metric in scorer.metrics] == ["fit", "fit.phrases", "fit.command"]
    for said, values in (("x total", [1, 1, 1]), ("x", [0, 1, 0]), ("total", [0, 0, 1])):
        scores = await scorer.score_async(a_case(), an_exchange(said))
        assert [score.value for score in scores] == values
    whole = (await scorer.score_async(a_case(), an_exchange("x")))[0]
    assert (whole.reason, whole.detail) == ("exit code 1: no total", [{"clause": "command", "what": "exit code 1: no total"}])


async def test_a_command_that_cannot_run_leaves_the_contract_unknown_unless_it_is_broken_anyway(tmp_path: Path) -> None:
    """Unknown is not passed; but a missing phrase is missing, whatever the parser would say."""
    contract = Contract(required=("x",), command=CommandCheck(argv=("./missing",)))
    scorer = build_contract(a_spec("contract"), a_context(tmp_path, contract))
    assert isinstance(scorer, AsyncScorer)
    whole, phrases, command = await scorer.score_async(a_case(), an_exchange("x"))
    assert (whole.status, phrases.value, command.status) == ("error", 1.0, "error")
    whole, _, command = await scorer.score_async(a_case(), an_exchange("y"))
    assert (whole.value, command.status) == (0.0, "error")
