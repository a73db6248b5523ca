"""The clauses of a contract, checked on one text: JSON Schema, phrases, counts. Pure; the team's own parser is `command`.

What is broken is said with its JSON path and at most a short excerpt, for it is stored beside the output.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from segue.drift.fences import whole_fence
from segue.drift.json_text import NotJson, parse_json
from segue.drift.shape import Shape, measure_shape
from segue.errors import Fault
from segue.model import Contract, CountRule, Json

if TYPE_CHECKING:
    import jsonschema_rs

MOST_BROKEN = 20
"""How many broken clauses of one kind are listed for one output."""

MOST_CHARACTERS = 200
"""How long one sentence about a broken clause may be."""

_BLANKS = re.compile(r"\s+")
_TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " "})
_NO_BLANKS = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Scripts in which words are not set apart by blanks (Thai, Lao, Japanese, Chinese, Korean with its particles)."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken clause: its kind, the JSON path (a JSON Pointer) where there is one, and what is wrong."""

    clause: str
    what: str
    path: str | None = None

    def as_json(self) -> dict[str, Json]:
        """The stored form."""
        body: dict[str, Json] = {"clause": self.clause, "what": self.what}
        return body if self.path is None else {**body, "path": self.path}


def shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    """`text` on one line, cut to `most` characters."""
    line = _BLANKS.sub(" ", text[: most * 4]).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def _refuse_to_fetch(uri: str) -> Json:  # noqa: ARG001  the shape of a retriever
    raise ValueError("a contract's schema refers to nothing outside itself")


def compile_schema(schema: dict[str, Json] | bool) -> jsonschema_rs.Validator:
    """Compile a JSON Schema (draft by `$schema`, else 2020-12). Raises `ValueError`; fetches nothing."""
    import jsonschema_rs  # only contracts with a schema pay for loading it

    # `retriever` is what keeps a $ref to an address from being fetched.
    return jsonschema_rs.validator_for(schema, retriever=_refuse_to_fetch)


def find_schema_faults(schema: dict[str, Json] | bool) -> list[Fault]:
    """Why `schema` cannot be used, or nothing."""
    try:
        compile_schema(schema)
    except (ValueError, RecursionError) as error:
        path = "".join(f"/{part}" for part in getattr(error, "instance_path", ()))
        what = shorten(str(getattr(error, "message", error)))
        return [
            Fault(
                what=f"The contract's JSON Schema cannot be used: {what}.",
                fix="Correct the schema; a $ref may only point into the schema itself.",
                path=f"json_schema{path}",
            )
        ]
    return []


def check_schema(validator: jsonschema_rs.Validator, text: str, *, allow_fence: bool) -> list[Broken]:
    """What of the schema `text` breaks. The whole text has to be JSON; with `allow_fence`, one fence around it is removed."""
    if allow_fence and (fence := whole_fence(text)) is not None:
        text = fence.content
    value = parse_json(text)
    if isinstance(value, NotJson):
        return [Broken("schema", "the output is empty" if not text.strip() else "the output as a whole is not JSON")]
    try:
        errors = list(islice(validator.iter_errors(value), MOST_BROKEN))
    except (ValueError, RecursionError) as error:
        return [Broken("schema", shorten(f"the output cannot be checked: {error}"))]
    return [
        Broken("schema", shorten(error.message), "".join(f"/{part}" for part in error.instance_path) or "/") for error in errors
    ]


def _plain(text: str, ignore_case: bool) -> str:
    plain = _BLANKS.sub(" ", unicodedata.normalize("NFC", text).translate(_TYPOGRAPHIC)).strip()
    return plain.casefold() if ignore_case else plain


def _word_bound(phrase: str) -> re.Pattern[str]:
    def edge(sign: str, bound: str) -> str:
        return bound if re.match(r"\w", sign) and not _NO_BLANKS.match(sign) else ""

    return re.compile(edge(phrase[0], r"(?<!\w)") + re.escape(phrase) + edge(phrase[-1], r"(?!\w)"))


def check_phrases(contract: Contract, text: str) -> list[Broken]:
    """Which phrases `text` breaks.

    Every `required` phrase stands somewhere. The text ends with one of the `closing` phrases: they are alternatives, and one
    of several lines is written with line breaks. No `banned` phrase stands anywhere as words of its own: "art" does not ban
    "start". Runs of blanks count as one, typographic quotes as plain ones; case counts unless the contract ignores it.
    """
    plain = _plain(text, contract.ignore_case)
    broken = [
        Broken("required", f"the phrase '{shorten(phrase, 80)}' is missing")
        for phrase in contract.required
        if _plain(phrase, contract.ignore_case) not in plain
    ]
    endings = [_plain(phrase, contract.ignore_case) for phrase in contract.closing]
    if endings and not any(plain.endswith(ending) for ending in endings):
        shown = " or ".join(f"'{shorten(phrase, 80)}'" for phrase in contract.closing)
        broken.append(Broken("closing", shorten(f"the output does not end with {shown}")))
    for phrase in contract.banned:
        wanted = _plain(phrase, contract.ignore_case)
        count = len(_word_bound(wanted).findall(plain)) if wanted else 0
        if count:
            times = "once" if count == 1 else f"{count:,} times"
            broken.append(Broken("banned", f"the phrase '{shorten(phrase, 80)}' stands in it {times}"))
    return broken


def check_counts(rules: Sequence[CountRule], text: str) -> list[Broken]:
    """Which count rules `text` breaks; `segue.drift.shape` says what counts as what."""
    shape = measure_shape(text)
    return [Broken("count", what) for rule in rules for what in _count_faults(rule, shape)]


def _count_faults(rule: CountRule, shape: Shape) -> Iterator[str]:
    found: int = getattr(shape, rule.of)
    name = rule.of.replace("_", " ")
    if rule.exactly is not None and found != rule.exactly:
        yield f"{found:,} {name} instead of exactly {rule.exactly:,}"
    if rule.at_least is not None and found < rule.at_least:
        yield f"{found:,} {name} instead of at least {rule.at_least:,}"
    if rule.at_most is not None and found > rule.at_most:
        yield f"{found:,} {name} instead of at most {rule.at_most:,}"
