"""The tool-call scorer: the right tool, the right arguments, and no call where none fits.

The form of the reference is described in `segue.scoring.call_matching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import orjson
from pydantic import Field

from segue.model import Case, Exchange, Metric, Score, ScorerSpec
from segue.scoring.answer import final_calls, final_text
from segue.scoring.call_matching import (
    MadeCall,
    Mismatch,
    ToolSet,
    expected_calls,
    has_right_tools,
    match_calls,
    wire_name,
)
from segue.scoring.call_syntax import names_before_brackets, read_calls
from segue.scoring.call_values import Texts, ValueRules
from segue.scoring.pure import PureScorer
from segue.scoring.reference import ReferenceSettings, reference_of

MOST_CALLS = 64
"""More calls than this in one reply are a wrong count, without looking at each."""


class ToolCallsSettings(ReferenceSettings):
    """Settings of `tool_calls`."""

    read: Literal["either", "native", "text"] = "either"
    """Where calls are looked for: the reply's own tool calls, its text in Python's syntax, or the text where it made none."""
    scope: Literal["last", "all"] = "last"
    """Of a conversation the model led: the calls of its last turn, or of all turns."""
    order: Literal["any", "given"] = "any"
    """Whether several calls have to come in the order of the reference."""
    texts: Texts = "loose"
    """How texts are compared: `loose` ignores case, blanks and `,./-_*^`; `folded` case and runs of blanks; `exact` nothing."""
    types: Literal["strict", "lenient"] = "strict"
    """Whether an argument must have the type its tool declares (10.0 is no integer); `lenient` also reads "10" as 10."""
    abs_tolerance: float = Field(default=0.0, ge=0)
    """Allowed distance of numbers from the accepted ones."""


class ToolCallsScorer(PureScorer[ToolCallsSettings]):
    """1 where the calls are the expected ones, or there is none where none fits. The detail says what is wrong.

    Besides: `<name>.tool`, the right tools (cases with calls); `<name>.arguments`, right arguments once the tools are right;
    `<name>.abstain`, no call where none fits (cases without calls).
    """

    type = "tool_calls"
    version = "1"
    settings_model = ToolCallsSettings

    def __init__(self, spec: ScorerSpec, settings: ToolCallsSettings) -> None:
        super().__init__(spec, settings)
        self._rules = ValueRules(
            texts=settings.texts, strict_types=settings.types == "strict", abs_tolerance=settings.abs_tolerance
        )
        self._tool, self._arguments, self._abstain = (f"{spec.name}.{part}" for part in ("tool", "arguments", "abstain"))

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:  # noqa: ARG003  the same four whatever the settings
        names = (spec.name, *(f"{spec.name}.{part}" for part in ("tool", "arguments", "abstain")))
        return tuple(Metric(name=name, better=spec.better or "higher") for name in names)

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        try:
            return self._score(case, exchange)
        except RecursionError:
            return self.unscored("the arguments are nested too deeply to be compared")

    def _score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        reference = reference_of(case, self.settings)
        expect = reference.get("expect") if isinstance(reference, dict) else None
        if expect not in ("calls", "no_call"):
            return self.unscored("the reference does not say which calls are expected")
        tools = ToolSet.of(case.tools)
        made, broken = self._calls(exchange, tools)
        if expect == "no_call":
            abstained = not made and (broken is None or broken.tool is None)
            detail = None if abstained else Mismatch("called_when_none_fits").as_json()
            return (*self.passed(abstained, detail=detail), Score(self._abstain, float(abstained)))
        expected = expected_calls(reference.get("accepted"), tools)
        if expected is None:
            return self.unscored("the reference's accepted calls are not of the documented form")
        in_order = self.settings.order == "given"
        if broken or len(made) > MOST_CALLS:
            wrong: Mismatch | None = broken or Mismatch("wrong_count")
            right_tools = False
        else:
            wrong = match_calls(made, expected, tools, self._rules, in_order=in_order)
            right_tools = wrong is None or has_right_tools(made, expected, in_order=in_order)
        scores = [
            *self.passed(wrong is None, detail=wrong.as_json() if wrong else None),
            Score(self._tool, float(right_tools)),
        ]
        if right_tools:
            scores.append(Score(self._arguments, float(wrong is None)))
        return scores

    def _calls(self, exchange: Exchange, tools: ToolSet) -> tuple[list[MadeCall], Mismatch | None]:
        """The calls of the reply, or why there are none that can be read; of a call it did make, with the tool's name."""
        settings = self.settings
        native = final_calls(exchange, whole_trajectory=settings.scope == "all") if settings.read != "text" else ()
        made = []
        for call in native:
            try:
                arguments = orjson.loads(call.arguments or "{}")
            except (orjson.JSONDecodeError, RecursionError):
                arguments = None
            if not isinstance(arguments, dict):
                return [], Mismatch("unparsed", wire_name(call.name))
            made.append(MadeCall(call.name, arguments))
        if made or settings.read == "native":
            return made, None if made else Mismatch("did_not_call")
        text = final_text(exchange)
        written = read_calls(text)
        if written is None:
            names = {wire_name(name) for name in names_before_brackets(text)}
            return [], Mismatch("did_not_call" if names.isdisjoint(tools.schemas) else "unparsed")
        for one in written:
            positional = dict(zip(tools.parameters_of(wire_name(one.name)), one.positional, strict=False))
            if len(positional) < len(one.positional) or not positional.keys().isdisjoint(one.arguments):
                return [], Mismatch("unparsed")
            made.append(MadeCall(one.name, {**positional, **one.arguments}))
        return made, None if made else Mismatch("did_not_call")
