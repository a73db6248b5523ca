"""The smallest valid cases, exchanges and scorers: a test shows only what matters to it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segue.model import Case, Exchange, Json, Reply, Score, ScorerSpec, ToolCall, Usage, Workflow
from segue.scoring.base import Scorer
from segue.scoring.context import ScoringContext
from segue.scoring.registry import build_scorers

HUGE = "lorem ipsum (dolor) 12,345 [sit] {amet}: yes. " * 25_000
"""Above a million characters."""


def a_case(reference: Json = None, **fields: Any) -> Case:
    return Case(case_id=fields.pop("case_id", "c1"), reference=reference, **fields)


def an_exchange(text: str = "", *, repeat: int = 0, case_id: str = "c1", usage: Usage | None = None, **fields: Any) -> Exchange:
    """`fields` are those of the reply, or of the exchange where the reply has none of that name."""
    of_exchange = {key: fields.pop(key) for key in ("latency_ms", "ttft_ms", "cost_microusd") if key in fields}
    reply = Reply(text=text, **fields)
    return Exchange("b" * 64, case_id, "d" * 64, repeat=repeat, reply=reply, usage=usage or Usage(), **of_exchange)


def a_spec(kind: str, /, **settings: Any) -> ScorerSpec:
    return ScorerSpec.model_validate({"name": "metric", "type": kind, **settings})


def a_workflow(*specs: ScorerSpec, **fields: Any) -> Workflow:
    return Workflow(name="support", scorers=specs, **fields)


def a_scorer(kind: str, /, *, context: ScoringContext | None = None, **settings: Any) -> Scorer:
    """Built the way a run builds it."""
    (scorer,) = build_scorers(a_workflow(a_spec(kind, **settings)), context=context or ScoringContext())
    assert isinstance(scorer, Scorer)
    return scorer


def score_of(kind: str, text: str, reference: Json = None, /, **settings: Any) -> Score:
    """The main score of one answer."""
    return a_scorer(kind, **settings).score(a_case(reference), an_exchange(text))[0]


def value_of(kind: str, text: str, reference: Json = None, /, **settings: Any) -> float | None:
    return score_of(kind, text, reference, **settings).value


def recorded(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Records of one recorded file."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def recorded_exchange(record: dict[str, Any]) -> Exchange:
    output = record["output"]
    if isinstance(output, str):
        reply = Reply(text=output)
    else:
        reply = Reply(tool_calls=tuple(ToolCall(**call) for call in output["tool_calls"]))
    return Exchange(record["model"], record["case_id"], "d", repeat=record["repeat"], reply=reply)
