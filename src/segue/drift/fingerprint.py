"""The format fingerprint of a reply: how it is written, whatever it says.

Pure, and blind to the case: whether a fence or a list is wanted is for the reader to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segue.drift import calls, fences, json_text, language, refusal, shape
from segue.drift.output import output_text
from segue.model import Json, Reply

JsonForm = Literal["whole", "in_fence", "in_prose", "truncated", "malformed", "none"]
TRAITS: tuple[str, ...] = (
    *("whole_fence", "fence", "unclosed_fence"),
    *("json_whole", "json_in_fence", "json_in_prose", "json_truncated", "json_malformed"),
    *("prose_before", "prose_after", "bullets", "numbered", "headings", "table", "bold", "html", "quoted", "single_line"),
    *("outer_blanks", "calls_as_text", "calls_broken", "tool_calls", "empty", "truncated", "refusal", "non_answer"),
    "other_language",
)
"""Every trait a fingerprint answers yes or no to, in the order people are shown them."""

_QUOTES = (('"', '"'), ("'", "'"), ("`", "`"), ("“", "”"), ("‘", "’"), ("«", "»"), ("„", "“"), ("»", "«"), ("「", "」"))
_OPENING_QUOTES = frozenset(opening for opening, _ in _QUOTES)
_MAX_STRINGS = 4000
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FormatFingerprint:
    """How one reply is written.

    `json` says where its JSON is. `has_prose_before` and `has_prose_after` are about text around JSON or around the only fence.
    `language` and `script` are guesses, None when unsure. `is_unbalanced`: structured text whose brackets or fence never close.
    """

    shape: shape.Shape
    json: JsonForm
    fence_tags: tuple[str, ...]
    is_whole_fence: bool
    has_unclosed_fence: bool
    has_prose_before: bool
    has_prose_after: bool
    is_quoted: bool
    has_outer_blanks: bool
    calls: calls.CallsText | None
    n_tool_calls: int
    is_empty: bool
    is_cut_by_length: bool
    is_unbalanced: bool
    is_refusal: bool
    is_non_answer: bool
    script: str | None
    language: str | None
    prompt_language: str | None

    @property
    def is_truncated(self) -> bool:
        """Cut off: the provider says so, or structured text never closes."""
        return self.is_cut_by_length or self.is_unbalanced

    def traits(self) -> dict[str, bool | None]:
        """Each of `TRAITS` as yes, no, or unknown (`None`)."""
        other = None if self.language is None or self.prompt_language is None else self.language != self.prompt_language
        return {
            "whole_fence": self.is_whole_fence,
            "fence": self.shape.code_blocks > 0,
            "unclosed_fence": self.has_unclosed_fence,
            "json_whole": self.json == "whole",
            "json_in_fence": self.json == "in_fence",
            "json_in_prose": self.json == "in_prose",
            "json_truncated": self.json == "truncated",
            "json_malformed": self.json == "malformed",
            "prose_before": self.has_prose_before,
            "prose_after": self.has_prose_after,
            "bullets": self.shape.bullets > 0,
            "numbered": self.shape.numbered > 0,
            "headings": self.shape.headings > 0,
            "table": self.shape.tables > 0,
            "bold": self.shape.bold > 0,
            "html": self.shape.html > 0,
            "quoted": self.is_quoted,
            "single_line": self.shape.lines == 1,
            "outer_blanks": self.has_outer_blanks,
            "calls_as_text": self.calls is not None,
            "calls_broken": self.calls in ("broken", "quoted"),
            "tool_calls": self.n_tool_calls > 0,
            "empty": self.is_empty,
            "truncated": self.is_truncated,
            "refusal": self.is_refusal,
            "non_answer": self.is_non_answer,
            "other_language": other,
        }


def strip_quotes(text: str) -> str | None:
    """`text` without the pair of quotes around all of it, or None if it has none."""
    body = text.strip()
    if body[:1] not in _OPENING_QUOTES:
        return None
    for opening, closing in _QUOTES:
        if len(body) > 2 and body.startswith(opening) and body.endswith(closing):
            inner = body[len(opening) : -len(closing)]
            is_pair = opening not in inner and closing not in inner
            if is_pair or (opening == '"' and isinstance(json_text.parse_json(body), str)):
                return inner
    return None


def _place_json(text: str, blocks: tuple[fences.Fence, ...], has_calls: bool) -> tuple[JsonForm, _Span | None, Json]:
    """Where the JSON is, the span it takes, and its value. Calls as text are no JSON, whatever their arguments hold."""
    if has_calls or ("{" not in text and "[" not in text):
        return "none", None, None
    whole = json_text.parse_json(text)
    if json_text.is_container(whole):
        return "whole", None, whole
    for block in blocks:
        value = json_text.parse_json(block.content)
        if json_text.is_container(value):
            return "in_fence", (block.start, block.end), value
    inner = blocks[0].content if len(blocks) == 1 and not text[: blocks[0].start].strip() else text
    if json_text.looks_like_json(inner):
        if json_text.close_json(inner) is not None:
            return "truncated", None, None
        span = json_text.find_json(inner)
        if span is None or inner[: span.start].strip():
            return "malformed", None, None
    span = json_text.find_json(text)
    if span is None or any(block.start < span.start < block.end for block in blocks):
        return "none", None, None  # braces inside a block of code are code
    return "in_prose", (span.start, span.end), span.value


def _strings_of(value: Json, room: int = _MAX_STRINGS) -> str:
    """The strings among the values of a JSON value, joined: what of it is in a language."""
    found: list[str] = []
    stack = [value]
    while stack and room > 0:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str):
            found.append(item)
            room -= len(item) + 1
    return " ".join(found)


@dataclass(frozen=True, slots=True)
class _Structure:
    """Fences, JSON and calls of a text: what a parser downstream meets first. `span` is what stands among prose, if any."""

    text: str
    blocks: tuple[fences.Fence, ...]
    is_whole_fence: bool
    calls: calls.CallsText | None
    form: JsonForm
    span: _Span | None
    value: Json

    @property
    def has_unclosed_fence(self) -> bool:
        return bool(self.blocks) and not self.blocks[-1].is_closed

    @property
    def has_prose_before(self) -> bool:
        return self.span is not None and bool(self.text[: self.span[0]].strip())

    @property
    def has_prose_after(self) -> bool:
        return self.span is not None and bool(self.text[self.span[1] :].strip())

    @property
    def is_unbalanced(self) -> bool:
        return self.has_unclosed_fence or self.form == "truncated"


def _read_structure(text: str) -> _Structure:
    blocks = fences.find_fences(text)
    whole = fences.whole_fence(text, blocks)
    calls_text = calls.read_calls(text)
    form, span, value = _place_json(text, blocks, calls_text is not None)
    if span is None and len(blocks) == 1:
        span = (blocks[0].start, blocks[0].end)
    return _Structure(text, blocks, whole is not None, calls_text, form, span, value)


def quick_traits(reply: Reply) -> dict[str, bool]:
    """The traits that cost little, as `FormatFingerprint.traits` has them: for every answer of live traffic."""
    text, has_calls = output_text(reply), bool(reply.tool_calls)
    refuses, withholds = (False, False) if has_calls else refusal.read_opening(text)
    found = dict(_NO_TRAITS)
    # One by one: a generator takes longer than all of these. Looking for a single character costs next to nothing.
    if "{" in text or "[" in text or "(" in text or "`" in text or "~~~" in text:
        _add_structure(found, _read_structure(text))
    found["tool_calls"] = has_calls
    found["empty"] = not (text.strip() or has_calls or reply.refusal)
    found["truncated"] |= reply.finish_reason == "length"
    found["refusal"] = refuses or refusal.is_declared_refusal(reply)
    found["non_answer"] = withholds
    return found


_NO_TRAITS = dict.fromkeys(
    (
        *("whole_fence", "fence", "unclosed_fence"),
        *("json_whole", "json_in_fence", "json_in_prose", "json_truncated", "json_malformed"),
        *("prose_before", "prose_after", "calls_as_text", "tool_calls", "empty", "truncated", "refusal", "non_answer"),
    ),
    False,
)


def _add_structure(found: dict[str, bool], read: _Structure) -> None:
    found["whole_fence"] = read.is_whole_fence
    found["fence"] = bool(read.blocks)
    found["unclosed_fence"] = read.has_unclosed_fence
    if read.form != "none":
        found[f"json_{read.form}"] = True
    found["prose_before"] = read.has_prose_before
    found["prose_after"] = read.has_prose_after
    found["calls_as_text"] = read.calls is not None
    found["truncated"] = read.is_unbalanced


def fingerprint(reply: Reply, *, prompt_language: str | None = None) -> FormatFingerprint:
    """Work out the fingerprint of `reply`. `prompt_language` (ISO 639-1) is the language an answer is expected in, if known."""
    read = _read_structure(output_text(reply))
    text, blocks, calls_text = read.text, read.blocks, read.calls
    form, span, value = read.form, read.span, read.value
    prose = fences.outside_fences(text, blocks) if blocks else text
    if form in ("whole", "in_fence", "in_prose"):
        prose = " ".join((text[: span[0]], text[span[1] :])) if span and form != "whole" else ""
        prose = f"{prose} {_strings_of(value)}"
    if calls_text is not None:
        prose = ""
    script = language.dominant_script(prose)
    # A reply that calls a tool acts; its words beside the call neither refuse nor withhold.
    refuses, withholds = (False, False) if reply.tool_calls else refusal.read_opening(text)
    return FormatFingerprint(
        shape=shape.measure_shape(text, blocks),
        json=form,
        fence_tags=tuple(block.tag for block in blocks),
        is_whole_fence=read.is_whole_fence,
        has_unclosed_fence=read.has_unclosed_fence,
        has_prose_before=read.has_prose_before,
        has_prose_after=read.has_prose_after,
        is_quoted=strip_quotes(text) is not None,
        has_outer_blanks=text != text.strip(),
        calls=calls_text,
        n_tool_calls=len(reply.tool_calls),
        is_empty=not (text.strip() or reply.tool_calls or reply.refusal),
        is_cut_by_length=reply.finish_reason == "length",
        is_unbalanced=read.is_unbalanced,
        is_refusal=refuses or refusal.is_declared_refusal(reply),
        is_non_answer=withholds,
        script=script,
        language=language.guess_language(prose, script),
        prompt_language=prompt_language,
    )
