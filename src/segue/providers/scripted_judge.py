"""What a simulated model says when it is asked to judge: it looks for what it likes. Pure: luck comes in as numbers.

Only for demos, tests and rehearsals: a real judge reads. The question is the one that `segue.scoring.judge_prompts` writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from segue.model import Json

_ANSWER = re.compile(r"^<<<BEGIN ANSWER( [AB]|) ([0-9a-f]{16})>>>\n(.*?)\n<<<END ANSWER\1 \2>>>$", re.DOTALL | re.MULTILINE)
_OTHER = {"pass": "fail", "fail": "pass", "A": "B", "B": "A", "tie": "A"}


def verdicts_asked(schema: Mapping[str, Json] | None) -> list[Json]:
    """The verdicts that a question's schema allows; none where it does not ask for a judgement."""
    properties = (schema or {}).get("properties")
    verdict = properties.get("verdict") if isinstance(properties, Mapping) else None
    listed = verdict.get("enum") if isinstance(verdict, Mapping) else None
    return list(listed) if isinstance(listed, list) else []


def give_verdict(question: str, allowed: list[Json], likes: str, *, is_right: bool) -> str:
    """One JSON object with a reason and a verdict. `is_right` false turns the verdict round."""
    found = [re.search(likes, text) is not None for _, _, text in _ANSWER.findall(question)]
    if "A" in allowed:
        first, second = (*found, False, False)[:2]
        verdict: Json = "tie" if first == second else "A" if first else "B"
    elif "pass" in allowed:
        verdict = "pass" if any(found) else "fail"
    else:
        verdict = allowed[-1] if any(found) == is_right else allowed[0]
    if not is_right:
        verdict = _OTHER.get(verdict, verdict) if isinstance(verdict, str) else verdict
    why = "What is asked for stands there." if any(found) else "What is asked for is nowhere."
    return orjson.dumps({"why": why, "verdict": verdict}).decode()
