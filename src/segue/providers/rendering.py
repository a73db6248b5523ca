"""A bundle and a case become one request. Pure.

`{{name}}` stands for a variable of the case, and `{{input}}` for the text of its last user message, unless the case declares
a variable of that name. Nothing is guessed: a variable the case does not have is a fault, and so are braces around what is no
name. `{{{{` is written for two braces that are meant as such; closing braces need nothing. Only the bundle's own texts are
searched for variables, never what a case says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from segue.errors import Fault, InputError
from segue.model import Bundle, Case, ImagePart, Message, TextPart, ToolSpec, digest_of
from segue.providers.base import ModelRequest

INPUT = "input"
_MARK = re.compile(r"\{\{\{\{|\{\{(.*?)\}\}|\{\{", re.DOTALL)
_NAME = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*")


def prompt_variables(text: str) -> set[str]:
    """The names `text` asks for. Braces around what is no name are left out; `render_request` reports them."""
    found = (_NAME.fullmatch(mark.group(1)) for mark in _MARK.finditer(text) if mark.group(1) is not None)
    return {name.group(1) for name in found if name is not None}


def prompt_faults(text: str, part: str) -> list[Fault]:
    """Braces in `text` that are neither a variable nor escaped. `part` is its path in the bundle, such as `prompt.system`."""
    faults = []
    for mark in _MARK.finditer(text):
        if mark.group() == "{{{{" or (mark.group(1) is not None and _NAME.fullmatch(mark.group(1))):
            continue
        line = text.count("\n", 0, mark.start()) + 1
        faults.append(
            Fault(
                what=f"'{{{{' on line {line} of the text does not begin a variable.",
                fix="Write {{name}} for a variable, and {{{{ for two braces that are meant as such.",
                path=part,
            )
        )
    return faults


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with its variables filled in. The caller has made sure that all are there."""

    def value(mark: re.Match[str]) -> str:
        if mark.group() == "{{{{":
            return "{{"
        name = _NAME.fullmatch(mark.group(1) or "")
        return mark.group() if name is None else values[name.group(1)]

    return _MARK.sub(value, text)


def render_request(bundle: Bundle, case: Case, repeat: int) -> ModelRequest:
    """What the model is shown for `case`, the `repeat`-th time.

    With a template, the last user message of the case is replaced by the rendered template, its images kept; without one
    the messages go as they are. System messages of the case are joined to the bundle's. Tools of the case take the place
    of the bundle's of the same name, or are added. Raises `InputError` naming every variable that is missing.
    """
    prompt, parameters = bundle.prompt, bundle.parameters
    turns = [turn for turn in case.messages if turn.role != "system"]
    last = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=None)
    values = dict(case.variables)
    if last is not None:
        values.setdefault(INPUT, turns[last].text)
    faults = _missing(prompt.system, "prompt.system", case, values) + _missing(prompt.template, "prompt.template", case, values)
    if not prompt.template and not turns:
        faults.append(
            Fault(
                what=f"Case '{case.case_id}' has no messages, and the bundle has no template: there is nothing to ask.",
                fix="Give the case messages, or the bundle a template.",
                path="prompt.template",
            )
        )
    schema = None if bundle.contract is None else bundle.contract.json_schema
    if parameters.structured_output and not isinstance(schema, dict):
        faults.append(
            Fault(
                what="structured_output is set, and the contract has no JSON Schema to hold the output to.",
                fix="Give the bundle a contract with a json_schema that is an object, or leave structured_output out.",
                path="parameters.structured_output",
            )
        )
    if faults:
        raise InputError.from_faults(faults, subject=f"the request for case '{case.case_id}'")
    if prompt.template:
        turns = _place(turns, last, substitute(prompt.template, values))
    behaviour = bundle.behaviour
    return ModelRequest(
        snapshot=bundle.model.snapshot,
        messages=tuple(turns),
        system=_system(substitute(prompt.system, values), case),
        parameters=parameters,
        tools=_tools(bundle.tools, case.tools),
        idempotency_key=digest_of([behaviour, case.case_id, case.input_digest, repeat]),
        case_id=case.case_id,
        repeat=repeat,
        recording=bundle.model.recording,
        response_schema=schema if parameters.structured_output and isinstance(schema, dict) else None,
        attributes=case_attributes(case),
    )


def case_attributes(case: Case) -> dict[str, object]:
    """What providers that replay or simulate may know of a case. Real ones never send it."""
    return {
        "slices": dict(case.slices),
        "kind": case.kind,
        "critical": case.critical,
        "variables": case.variables,
        "reference": case.reference,
        "metadata": case.metadata,
    }


def _missing(text: str, part: str, case: Case, values: Mapping[str, str]) -> list[Fault]:
    faults = prompt_faults(text, part)
    for name in sorted(prompt_variables(text) - values.keys()):
        near = get_close_matches(name, values, n=1, cutoff=0.6)
        has = ", ".join(sorted(values)) or "none"
        what = f"{{{{{name}}}}} stands in the text, and case '{case.case_id}' has no such variable; it has: {has}."
        if name == INPUT:
            what = f"{{{{{INPUT}}}}} stands in the text, and case '{case.case_id}' has no user message and no such variable."
        faults.append(
            Fault(
                what=what,
                fix=f"Add variables.{name} to the case, or take it out of the text.",
                path=part,
                likely=f"{{{{{near[0]}}}}}" if near else None,
            )
        )
    return faults


def _place(turns: list[Message], last: int | None, text: str) -> list[Message]:
    if last is None:
        return [*turns, Message(role="user", content=text)]
    replaced = turns[last]
    images = [part for part in replaced.content or () if isinstance(part, ImagePart)]
    content = (TextPart(text=text), *images) if images else text
    return [*turns[:last], replaced.model_copy(update={"content": content}), *turns[last + 1 :]]


def _system(own: str, case: Case) -> str:
    return "\n\n".join(text for text in (own, *(turn.text for turn in case.messages if turn.role == "system")) if text)


def _tools(own: tuple[ToolSpec, ...], added: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
    return tuple(({tool.name: tool for tool in own} | {tool.name: tool for tool in added}).values())
