"""What a drift report asks of shadow pairs: each question with its dimension, its kind, its words and its limit.

One table; whoever adds a question adds a row here and its value in `live_pair`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Dimension = Literal["failures", "contract", "refusals", "tool-calls", "format", "language", "length", "tone", "latency", "cost"]
"""What may move, the gravest first."""
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
Kind = Literal["share", "amount", "differs"]
"""share: of the answers that have a trait, 0 or 1 each. amount: a quantity, compared by its ratio, request by request.
differs: of the pairs that differ in something without an order; some of that is chance, so the limit says what is much."""


@dataclass(frozen=True, slots=True)
class Question:
    """`words` finish the sentence "… of the answers" (share), "the …" (amount) or "the two …" (differs).

    `limit` is how much may move before somebody has to explain it: a share of the answers, or a relative change of an amount.
    """

    name: str
    dimension: Dimension
    kind: Kind
    words: str
    limit: float
    unit: str = ""

    @property
    def is_harm_alone(self) -> bool:
        """Whether only more of it needs an explanation: nobody has to explain why answers fail less or cost less."""
        return self.dimension in ("failures", "contract", "latency", "cost")


def _shares(dimension: Dimension, limit: float, **words: str) -> tuple[Question, ...]:
    return tuple(Question(name, dimension, "share", said, limit) for name, said in words.items())


QUESTIONS: tuple[Question, ...] = (
    *_shares("failures", 0.005, failed="are none: the provider failed", empty="are empty", truncated="are cut off"),
    *_shares("contract", 0.0, contract="break the contract"),
    *_shares("refusals", 0.01, refusal="refuse", non_answer="decline to commit themselves"),
    *_shares("tool-calls", 0.02, tool_calls="call a tool", arguments="call a tool with arguments that are no JSON"),
    *_shares("tool-calls", 0.02, calls_as_text="write a call as text"),
    Question("other_tools", "tool-calls", "differs", "call other tools", 0.1),
    *_shares(
        "format",
        0.05,
        whole_fence="are wrapped in a Markdown fence",
        fence="hold a Markdown fence",
        unclosed_fence="hold a fence that never closes",
        json_whole="are JSON and nothing else",
        json_in_fence="hold their JSON in a fence",
        json_in_prose="hold their JSON among prose",
        json_truncated="hold JSON that is cut off",
        json_malformed="hold JSON that cannot be parsed",
        prose_before="begin with words before the JSON or the fence",
        prose_after="end with words after the JSON or the fence",
        bullets="have bullets",
        numbered="have a numbered list",
        headings="have headings",
        table="have a table",
        bold="have bold text",
        html="have HTML",
        quoted="are in quotes",
        single_line="are a single line",
        outer_blanks="have blanks around them",
    ),
    Question("other_language", "language", "differs", "are in different languages", 0.02),
    Question("characters", "length", "amount", "length in characters", 0.1, "characters"),
    Question("output_tokens", "length", "amount", "output in tokens", 0.1, "tokens"),
    *_shares(
        "tone",
        0.1,
        hedges="hedge (perhaps, might, it seems)",
        apologises="apologise",
        first_person="say I",
        says_we="say we",
        addresses="address the reader",
        familiar="address the reader as a friend (du, tu, tú)",
        polite="use courtesies (please, thank you)",
        enthuses="are enthusiastic (absolutely, happy to help)",
        disclaims="say that they come from an AI",
        contracts="use contractions (don't, we'll)",
        exclaims="have an exclamation mark",
        asks="ask a question",
        emoji="have an emoji",
    ),
    Question("sentence_words", "tone", "amount", "length of sentences in words", 0.15, "words"),
    Question("word_letters", "tone", "amount", "length of words in letters", 0.1, "letters"),
    Question("latency_ms", "latency", "amount", "time an answer takes", 0.2, "ms"),
    Question("ttft_ms", "latency", "amount", "time to the first token", 0.2, "ms"),
    *_shares("latency", 0.02, slow="are among the slowest twentieth of both arms together"),
    Question("cost_microusd", "cost", "amount", "cost of an answer", 0.1, "µ$"),
)

BY_NAME = {one.name: one for one in QUESTIONS}
PLACES = {one.name: place for place, one in enumerate(QUESTIONS)}
"""Where each has its column."""
TAIL = 0.95
"""Beyond this quantile of both arms' latencies together, an answer is slow."""
