"""The smallest valid objects for tests of the contract, command and format scorers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from segue.model import Case, Contract, Exchange, Message, Reply, Score, ScorerSpec
from segue.scoring.context import ScoringContext
from segue.scoring.contract import ContractScorer, build_contract

ENVIRON = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nowhere", "OPENAI_API_KEY": "sk-not-for-parsers"}


def a_spec(type_: str, name: str = "fit", **settings: Any) -> ScorerSpec:
    return ScorerSpec(name=name, type=type_, **settings)


def an_exchange(said: str | Reply) -> Exchange:
    reply = Reply(text=said) if isinstance(said, str) else said
    return Exchange(behaviour="b", case_id="c", input_digest="d", reply=reply)


def a_case(**changes: Any) -> Case:
    return Case(**{"case_id": "c", "messages": (Message(role="user", content="What is the total?"),), **changes})


def a_context(folder: Path | None = None, contract: Contract | None = None) -> ScoringContext:
    return ScoringContext(workflow_dir=folder, contract=contract, environ=ENVIRON)


def a_contract_scorer(allow_fence: bool = False, **clauses: Any) -> ContractScorer:
    scorer = build_contract(a_spec("contract", allow_fence=allow_fence), a_context(contract=Contract(**clauses)))
    assert isinstance(scorer, ContractScorer)
    return scorer


def scores_of(scorer: ContractScorer, said: str) -> dict[str, Score]:
    return {score.name: score for score in scorer.score(a_case(), an_exchange(said))}


def a_program(folder: Path, body: str, name: str = "check.py") -> tuple[str, str]:
    """A small Python program in `folder`, as an argv."""
    (folder / name).write_text(body, encoding="utf-8")
    return sys.executable, name
