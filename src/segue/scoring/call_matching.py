"""Matching the calls a model made with the calls a case expects: which expected call each one answers, and what is wrong.

The reference says `{"expect": "no_call"}`, or `{"expect": "calls", "accepted": ...}` where `accepted` is

- an object `{tool: {parameter: [accepted values]}}`, one expected call per key; calls of one tool are told apart by a number
  after the name (`search_1`, `search_2`); or
- a list of such objects, one expected call per entry; the keys of an entry are alternatives.

The value `""` among a parameter's accepted values means that it may be left out, unless the tool's own schema requires it.
A parameter that is not listed must not be given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from segue.model import Json, ToolSpec
from segue.scoring.call_values import ValueRules

CallError = Literal[
    "wrong_tool",
    "missing_argument",
    "unexpected_argument",
    "wrong_value",
    "wrong_type",
    "unparsed",
    "called_when_none_fits",
    "did_not_call",
    "wrong_count",
]
"""What can be wrong with the calls of a reply."""

_NUMBERED = re.compile(r"^(?P<name>.+)_\d+$")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")

Alternatives = Mapping[str, Mapping[str, Sequence[Json]]]


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call of the model: the tool's name as written, and its arguments."""

    name: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What is wrong, and with which tool and parameter of the reference."""

    error: CallError
    tool: str | None = None
    parameter: str | None = None

    def as_json(self) -> dict[str, Json]:
        """`{"error", "tool"?, "parameter"?}`."""
        body = {"error": self.error, "tool": self.tool, "parameter": self.parameter}
        return {key: value for key, value in body.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools of a case. Names are compared as providers carry them: anything but letters, digits, `_`, `-` is `_`."""

    schemas: Mapping[str, Json]

    @classmethod
    def of(cls, tools: Sequence[ToolSpec]) -> ToolSet:
        return cls({wire_name(tool.name): tool.parameters for tool in tools})

    def name_of(self, key: str) -> str:
        """The tool a key of `accepted` means: the key itself, or the key without the number that tells calls apart."""
        name = wire_name(key)
        if name in self.schemas:
            return name
        numbered = _NUMBERED.match(name)
        return numbered["name"] if numbered and (not self.schemas or numbered["name"] in self.schemas) else name

    def schema_of(self, tool: str, parameter: str) -> Json:
        """The declared schema of a parameter, `None` where it is not declared."""
        declared = self.schemas.get(tool)
        fields = declared.get("properties") if isinstance(declared, dict) else None
        return fields.get(parameter) if isinstance(fields, dict) else None

    def required_of(self, tool: str) -> frozenset[str]:
        """Parameters that the tool's schema requires."""
        declared = self.schemas.get(tool)
        required = declared.get("required") if isinstance(declared, dict) else None
        return frozenset(one for one in required if isinstance(one, str)) if isinstance(required, list) else frozenset()

    def parameters_of(self, tool: str) -> tuple[str, ...]:
        """Declared parameters in their order: what arguments by position stand for."""
        declared = self.schemas.get(tool)
        fields = declared.get("properties") if isinstance(declared, dict) else None
        return tuple(fields) if isinstance(fields, dict) else ()


def wire_name(name: str) -> str:
    """A tool's name as providers allow it."""
    return _NOT_IN_NAMES.sub("_", name)


def expected_calls(accepted: Json, tools: ToolSet) -> tuple[Alternatives, ...] | None:
    """The expected calls, each with its alternatives by tool name; `None` where the reference is not of the form above."""
    entries = [{key: value} for key, value in accepted.items()] if isinstance(accepted, dict) else accepted
    if not isinstance(entries, list) or not entries:
        return None
    calls: list[Alternatives] = []
    for entry in entries:
        if not isinstance(entry, dict) or not entry:
            return None
        for parameters in entry.values():
            if not isinstance(parameters, dict) or not all(isinstance(values, list) for values in parameters.values()):
                return None
        calls.append({tools.name_of(key): parameters for key, parameters in entry.items()})
    return tuple(calls)


def match_calls(
    made: Sequence[MadeCall], expected: Sequence[Alternatives], tools: ToolSet, rules: ValueRules, *, in_order: bool = False
) -> Mismatch | None:
    """`None` where each expected call is answered by one call made, and none is left over; else the first thing wrong."""
    if len(made) != len(expected):
        return Mismatch("wrong_count" if made else "did_not_call")
    problems = [[_closest(call, alternatives, tools, rules) for call in made] for alternatives in expected]
    if in_order:
        return next((problems[place][place] for place in range(len(made)) if problems[place][place] is not None), None)
    partner = _pair_up([[problem is None for problem in row] for row in problems])
    taken = {place for place in partner if place is not None}
    for row, place in zip(problems, partner, strict=True):
        if place is None:
            left = [problem for column, problem in enumerate(row) if column not in taken and problem is not None]
            candidates = left or [problem for problem in row if problem is not None]
            return min(candidates, key=lambda problem: _FAR[problem.error])
    return None


def has_right_tools(made: Sequence[MadeCall], expected: Sequence[Alternatives], *, in_order: bool = False) -> bool:
    """Whether the tools called are those expected, as often as expected, whatever the arguments."""
    if len(made) != len(expected):
        return False
    fits = [[wire_name(call.name) in alternatives for call in made] for alternatives in expected]
    if in_order:
        return all(fits[place][place] for place in range(len(made)))
    return None not in _pair_up(fits)


_FAR: Mapping[CallError, int] = {
    "wrong_value": 0,
    "wrong_type": 1,
    "missing_argument": 2,
    "unexpected_argument": 3,
    "wrong_tool": 4,
}
"""How far a call is from the expected one: of several near misses the nearest is named."""


def _closest(call: MadeCall, alternatives: Alternatives, tools: ToolSet, rules: ValueRules) -> Mismatch | None:
    """What is wrong with `call` as an answer to an expected call."""
    tool = wire_name(call.name)
    accepted = alternatives.get(tool)
    if accepted is None:
        return Mismatch("wrong_tool", next(iter(alternatives)))
    for parameter, value in call.arguments.items():
        if parameter not in accepted:
            return Mismatch("unexpected_argument", tool)
        problem = rules.problem(value, accepted[parameter], tools.schema_of(tool, parameter))
        if problem:
            return Mismatch(problem, tool, parameter)
    required = tools.required_of(tool)
    for parameter, values in accepted.items():
        if parameter not in call.arguments and ("" not in values or parameter in required):
            return Mismatch("missing_argument", tool, parameter)
    return None


def _pair_up(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """For each row the column it is paired with in a largest pairing (augmenting paths), or `None`."""
    row_of: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column, fit in enumerate(fits[row]):
            if fit and column not in tried:
                tried.add(column)
                if column not in row_of or place(row_of[column], tried):
                    row_of[column] = row
                    return True
        return False

    for row in range(len(fits)):
        place(row, set())
    column_of = {row: column for column, row in row_of.items()}
    return [column_of.get(row) for row in range(len(fits))]
