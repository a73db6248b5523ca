"""Log-probabilities of an answer, in the one form both of OpenAI's dialects write. Pure; a wrong type is a `BadReplyError`."""

from __future__ import annotations

from segue.model import Json
from segue.wire.reading import as_index, as_list, as_number, as_object, as_text, optional_list


def read_logprobs(value: Json) -> tuple[Json, ...]:
    """Tokens with their alternatives; what else a server says of them is left out. `bytes` is `None` where it says none."""
    return tuple(
        {**_token(one), "top_logprobs": [_token(top) for top in optional_list(one.get("top_logprobs"), "top_logprobs")]}
        for one in (as_object(one, "logprobs[]") for one in optional_list(value, "logprobs"))
    )


def _token(value: Json) -> dict[str, Json]:
    token = as_object(value, "top_logprobs[]")
    given = token.get("bytes")
    return {
        "token": as_text(token.get("token"), "logprobs[].token"),
        "logprob": as_number(token.get("logprob"), "logprobs[].logprob"),
        "bytes": None if given is None else [as_index(one, "logprobs[].bytes") for one in as_list(given, "logprobs[].bytes")],
    }
