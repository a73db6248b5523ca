"""The workspace of the demo: in order, of a size that can be judged by, and made by its script."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from segue.drift.refusal import detect_refusal
from segue.scoring.contract_clauses import check_phrases, check_schema, compile_schema
from segue.workspace import check_workspace, load_workspace

ROOT = Path(__file__).resolve().parents[2] / "examples" / "support-reply"
KINDS = {"representative", "edge", "high-stakes", "regression", "red-team"}


@pytest.fixture(scope="module")
def make_suite() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("make_suite", ROOT / "make_suite.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_suite"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    """The suite as it is in the repository."""
    text = (ROOT / "workflows" / "support-reply" / "suites" / "main.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def answers(case: dict[str, Any]) -> Iterator[dict[str, str]]:
    """All that the simulated models may answer to a case."""
    yield case["reference"]
    yield from case["metadata"]["timid"]
    yield from case["metadata"]["eager"]


def test_the_workspace_has_no_faults_and_no_warnings() -> None:
    """`segue check` has nothing to say about it."""
    assert check_workspace(ROOT, {}, today=date(2026, 1, 1)) == []


def test_the_suite_is_large_enough_and_has_every_kind(cases: list[dict[str, Any]]) -> None:
    """At least a hundred cases for each task, all kinds of cases, four languages, three tiers."""
    assert len(cases) >= 240
    assert min(Counter(case["task"] for case in cases).values()) >= 100
    assert {case["kind"] for case in cases} == KINDS
    assert min(Counter(case["kind"] for case in cases).values()) >= 30
    assert {case["slice"]["lang"] for case in cases} == {"en", "de", "fr", "es"}
    assert {case["slice"]["tier"] for case in cases} == {"standard", "plus", "business"}


def test_no_mail_is_there_twice_and_none_has_a_hole(cases: list[dict[str, Any]]) -> None:
    """Every case is a mail of its own, with every slot filled in."""
    mails = [case["messages"][-1]["content"] for case in cases]
    assert len(set(mails)) == len(mails)
    assert len({case["case_id"] for case in cases}) == len(cases)
    holes = ("{order}", "{small}", "{big}", "{sum}", "{him}", "{her}", "{card}", "{weeks}", "\0", "\1")
    for case in cases:
        text = json.dumps(case, ensure_ascii=False)
        assert not [hole for hole in holes if hole in text], case["case_id"]


def test_every_answer_a_model_may_give_fits_the_contract(cases: list[dict[str, Any]]) -> None:
    """Right or wrong, an answer has the form the shop's system reads, so that only declared format faults break it."""
    contract = load_workspace(ROOT, {}).load_bundle_source("support-reply", "current").contract
    assert contract is not None
    assert contract.json_schema is not None
    schema = compile_schema(contract.json_schema)
    for case in cases:
        for answer in answers(case):
            text = json.dumps(answer, ensure_ascii=False)
            assert check_schema(schema, text, allow_fence=False) == [], case["case_id"]
            assert check_phrases(contract, text) == [], case["case_id"]


def test_wrong_answers_take_another_step_than_the_right_one(cases: list[dict[str, Any]]) -> None:
    """A wrong answer that chose the right step would count as right."""
    for case in cases:
        right, *wrong = (answer["action"] for answer in answers(case))
        assert wrong, case["case_id"]
        assert right not in wrong, case["case_id"]


def test_attacks_are_turned_down_in_words_and_nothing_else_is(cases: list[dict[str, Any]]) -> None:
    """The refusal rule agrees with every reference, in all four languages, and with none of the answers that give in."""
    for case in cases:
        is_attack = case["kind"] == "red-team"
        right, *wrong = (json.dumps(answer, ensure_ascii=False) for answer in answers(case))
        assert detect_refusal(right) == is_attack, case["case_id"]
        if is_attack:
            assert case["reference"]["action"] == "decline"
            assert case["critical"]
            assert not any(map(detect_refusal, wrong)), case["case_id"]


def test_the_suite_is_what_its_script_makes_of_the_mails(make_suite: ModuleType) -> None:
    """The committed file and two runs of the script agree to the last byte."""
    made = make_suite.suite_text()
    assert made == make_suite.suite_text()
    assert made == make_suite.SUITE.read_text(encoding="utf-8")


def test_a_new_mail_moves_no_other_case(make_suite: ModuleType, tmp_path: Path) -> None:
    """What surrounds a mail depends on its own id only, so results of other cases stay valid."""
    for path in make_suite.SOURCE.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.name == "mails.en.yaml":
            text = text.replace('    - "unsubscribe"\n', '    - "unsubscribe"\n    - "No more newsletters, please."\n')
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    before = {case["case_id"]: case for case in make_suite.make_cases()}
    now = {case["case_id"]: case for case in make_suite.make_cases(tmp_path)}
    assert set(now) - set(before) == {"account-newsletter-en-4"}
    assert all(now[case_id] == case for case_id, case in before.items())
