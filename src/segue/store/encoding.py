"""How replies, failures and scores are written as JSON text, and what no store can keep.

Every store uses these, the memory fake too, so that what one refuses or returns, all do.
Must not know any database.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite

import orjson

from segue.errors import Fault, InputError
from segue.model import Exchange, Failure, Json, Reply, Score
from segue.store.base import RecordedLabel

_FIX_TEXT = "Remove NUL characters and lone surrogates from it."


def encode_json(value: Json) -> str:
    """`value` as JSON text. Lone surrogates, which broken model output does hold, are kept as escapes."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        try:
            return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"A value of type {type(value).__name__} cannot be written as JSON.", fix="Use only what JSON can carry."
            ) from error


def decode_json(text: str) -> Json:
    """Read what `encode_json` wrote. `ValueError` for what is no JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def encode_outcome(exchange: Exchange) -> str:
    """The heavy part of an exchange: the reply, or the details of its failure."""
    reply = exchange.reply
    if reply is None:
        assert exchange.failure is not None
        return encode_json({"detail": exchange.failure.detail, "attempts": exchange.failure.attempts})
    if reply.logprobs is not None and not all(isfinite(one.logprob) for one in reply.logprobs):
        # A token of probability 0 has logprob -inf, which orjson would write as null.
        return json.dumps(reply.as_json(), ensure_ascii=True, separators=(",", ":"))
    return encode_json(reply.as_json())


def decode_reply(text: str) -> Reply:
    """Read the reply `encode_outcome` wrote."""
    return Reply.from_json(decode_json(text))


def decode_failure(kind: str, text: str) -> Failure:
    """Read the failure `encode_outcome` wrote."""
    body = decode_json(text)
    return Failure(kind=kind, detail=body["detail"], attempts=body["attempts"])  # type: ignore[arg-type]  # written by us


def encode_scores(scores: Sequence[Score]) -> tuple[str, str | None]:
    """`(values, details)`: name → value as a comparison reads it; and all of the scores, if there is more to them than that."""
    values: dict[str, float | None] = {}
    plain = True
    for score in scores:
        value = score.value
        values[score.name] = None if value is None else float(value)
        if score.label is not None or value is None or score.reason or score.detail is not None:
            plain = False
    if plain and len(values) == len(scores):
        return encode_json(values), None
    rest = [[one.name, one.value, one.label, one.status, one.reason, one.detail] for one in scores]
    return encode_json(values), encode_json(rest)


def decode_scores(values: str, details: str | None) -> tuple[Score, ...]:
    """Read what `encode_scores` wrote."""
    if details is None:
        return tuple(Score(name, value) for name, value in decode_json(values).items())
    return tuple(
        Score(name, value, label, status, reason, detail) for name, value, label, status, reason, detail in decode_json(details)
    )


def is_storable(text: str) -> bool:
    """Whether `text` can be a key everywhere: no NUL (PostgreSQL refuses it), no lone surrogate (UTF-8 has none)."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_texts(**texts: str) -> None:
    """`InputError` naming every one of `texts` that cannot be stored as a key."""
    faults = [
        Fault(what=f"the {name.replace('_', ' ')} holds a character that cannot be stored.", fix=_FIX_TEXT, path=name)
        for name, text in texts.items()
        if not is_storable(text)
    ]
    if faults:
        raise InputError.from_faults(faults, subject="a record for the state store")


def check_exchange(exchange: Exchange) -> None:
    """`InputError` with everything about `exchange` that cannot be stored."""
    if (
        is_storable(exchange.case_id)
        and is_storable(exchange.input_digest)
        and _is_measure(exchange.latency_ms)
        and _is_measure(exchange.ttft_ms)
        and _is_measure(exchange.cost_microusd)
    ):
        return
    faults = [
        Fault(what="holds a character that cannot be stored.", fix=_FIX_TEXT, path=name)
        for name in ("case_id", "input_digest")
        if not is_storable(getattr(exchange, name))
    ]
    faults += [
        Fault(what="is not a finite number.", fix="Leave out what is unknown.", path=name)
        for name in ("latency_ms", "ttft_ms", "cost_microusd")
        if not _is_measure(getattr(exchange, name))
    ]
    raise InputError.from_faults(faults, subject="an exchange")


def check_scores(case_id: str, input_digest: str, scores: Sequence[Score]) -> None:
    """`InputError` for a score that is no finite number, or a key that cannot be stored."""
    if not (is_storable(case_id) and is_storable(input_digest)):
        check_texts(case_id=case_id, input_digest=input_digest)
    for score in scores:
        if not _is_measure(score.value):
            raise InputError(
                f"The score '{score.name}' of case '{case_id}' is not a finite number.",
                fix="Give a finite value, or an unscored score with its reason.",
            )


def check_label(label: RecordedLabel) -> None:
    """`InputError` for a recorded label that cannot be stored."""
    check_texts(case_id=label.case_id, labeler=label.labeler, label=label.label)
    if label.repeat is not None and label.repeat < 0:
        raise InputError(
            f"A label of case '{label.case_id}' has repeat {label.repeat}.",
            fix="Count repeats from 0, or leave it out where the label holds for all of them.",
        )


def _is_measure(value: float | None) -> bool:
    return value is None or isfinite(value)
