"""Finding the JSON in an answer: the whole text, what a single Markdown fence holds, or the first value in prose."""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import Literal

import orjson

from segue.model import Json

Find = Literal["whole", "fenced", "anywhere"]

MOST_STARTS = 64
"""How many opening braces or brackets in prose are tried as the beginning of a JSON value."""

_FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_START = re.compile(r"[{\[]")
_DECODER = JSONDecoder()


def read_json(text: str, find: Find = "whole") -> tuple[Json, str]:
    """The JSON value, and an empty reason; or `None` and why there is none.

    `whole`: nothing but the value. `fenced`: that, or the only fenced block. `anywhere`: that, or the first object or list.
    """
    try:
        return orjson.loads(text), ""
    except (orjson.JSONDecodeError, RecursionError):
        pass
    if find == "whole":
        return None, "the answer is not JSON" if text.strip() else "the answer is empty"
    blocks = _FENCE.findall(text)
    if len(blocks) == 1:
        try:
            return orjson.loads(blocks[0]), ""
        except (orjson.JSONDecodeError, RecursionError):
            pass
    if find == "anywhere":
        for number, start in enumerate(_START.finditer(text)):
            if number >= MOST_STARTS:
                break
            try:
                return _DECODER.raw_decode(text, start.start())[0], ""
            except (JSONDecodeError, RecursionError):
                continue
    return None, "the answer holds no readable JSON"
