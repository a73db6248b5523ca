"""The smallest valid objects for tests of drift, so that a test shows only what matters to it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from segue.drift import JudgedPair
from segue.model import Case, Exchange, Message, Reply, ToolCall, ToolSpec


def a_case(case_id: str = "c", reference: Any = None, **changes: Any) -> Case:
    return Case(case_id=case_id, reference=reference, **changes)


def an_exchange(reply: Reply | str, case_id: str = "c", repeat: int = 0) -> Exchange:
    said = Reply(text=reply) if isinstance(reply, str) else reply
    return Exchange(behaviour="b", case_id=case_id, input_digest="d", repeat=repeat, reply=said)


def a_pair(
    old: Reply | str,
    new: Reply | str,
    *,
    right: tuple[bool | None, bool | None] = (True, False),
    case_id: str = "c",
    reference: Any = None,
) -> JudgedPair:
    case = a_case(case_id, reference)
    return JudgedPair(case, an_exchange(old, case_id), an_exchange(new, case_id), *right)


def judged(
    rescore: Callable[[Case, Exchange], bool | None], outputs: list[tuple[Any, Reply | str, Reply | str]]
) -> list[JudgedPair]:
    """Pairs of `(reference, old output, new output)`, judged by `rescore` itself."""
    pairs = []
    for number, (reference, old, new) in enumerate(outputs):
        name = f"case-{number}"
        case = a_case(name, reference)
        before, after = an_exchange(old, name), an_exchange(new, name)
        pairs.append(JudgedPair(case, before, after, rescore(case, before), rescore(case, after)))
    return pairs


def equals_json(case: Case, exchange: Exchange) -> bool | None:
    """A strict parser: the whole output is JSON and equals the reference."""
    assert exchange.reply is not None
    try:
        return bool(json.loads(exchange.reply.text) == case.reference)
    except ValueError:
        return False


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def a_reply(output: Any) -> Reply:
    """A recorded output as a reply."""
    if isinstance(output, str):
        return Reply(text=output)
    return Reply(tool_calls=tuple(ToolCall(**call) for call in output["tool_calls"]))


def recorded_pairs(
    folder: Path, old: str, new: str, prefix: str, is_right: Callable[[str, str], bool | None]
) -> list[JudgedPair]:
    """All pairs of two recorded releases whose case id begins with `prefix`."""
    outputs = {(row["case_id"], row["model"]): row["output"] for row in read_lines(folder / "recordings.jsonl.gz")}
    pairs = []
    for row in read_lines(folder / "cases.jsonl.gz"):
        name = row["case_id"]
        if not name.startswith(prefix):
            continue
        case = Case(
            case_id=name,
            slice={key: value for key, value in row["slice"].items() if key != "task"},
            messages=tuple(Message(**turn) for turn in row["messages"]),
            tools=tuple(ToolSpec(**tool) for tool in row.get("tools", ())),
            reference=row["reference"],
        )
        before, after = (an_exchange(a_reply(outputs[name, model]), name) for model in (old, new))
        pairs.append(JudgedPair(case, before, after, is_right(name, old), is_right(name, new)))
    return pairs
