"""Whether a bundle that could be read would work: provider, model, prompt variables, contract and tools. Pure: the day, and
what is known of models, are passed in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from segue.errors import Fault
from segue.model import Bundle, Parameters
from segue.providers.rendering import INPUT, prompt_faults, prompt_variables
from segue.workspace.document import Document, clipped, likely_name, listed, read_path
from segue.workspace.schema_check import check_schema
from segue.workspace.suite_survey import SuiteSurvey

PART_NAMES = {"system": "system instructions", "template": "template"}
MOST_VARIABLES = 8
"""Variables that are reported for one prompt; with more the suite and the prompt are not meant for each other."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model by its name. `None` is unknown, which is not "no"."""

    is_floating: bool | None = None
    retires: date | None = None
    source: str = ""


class KnownProvider(Protocol):
    """What a provider of `segue.yaml` knows of models and of what it can be sent (`known_parts`)."""

    def facts(self, snapshot: str) -> ModelFacts: ...

    def snapshot_faults(self, snapshot: str) -> list[Fault]:
        """Why it could not be asked for this snapshot."""
        ...

    def parameter_faults(self, parameters: Parameters) -> list[Fault]:
        """Their paths begin with `parameters`."""
        ...


def check_model(
    bundle: Bundle, document: Document, providers: Mapping[str, KnownProvider | None], today: date | None
) -> Iterator[Fault]:
    """The provider is in `segue.yaml`, takes the parameters, the snapshot is pinned, and its end is known of.

    A provider that has faults of its own is `None`: its name is known and nothing else.
    """
    name = bundle.model.provider
    if name not in providers:
        what = f"There is no provider '{clipped(name)}' in segue.yaml."
        fix = f"Add it under `providers:`; there are: {listed(providers) or 'none yet'}."
        yield document.fault(("model", "provider"), what, fix, likely=likely_name(name, providers))
        return
    provider = providers[name]
    if provider is None:
        return
    for fault in provider.parameter_faults(bundle.parameters):
        yield document.fault(
            read_path(fault.path or "parameters"), fault.what, fault.fix, likely=fault.likely, severity=fault.severity
        )
    at = ("model", "snapshot")
    snapshot = bundle.model.snapshot
    for fault in provider.snapshot_faults(snapshot):
        yield document.fault(at, fault.what, fault.fix, likely=fault.likely, severity=fault.severity)
    facts = provider.facts(snapshot)
    if facts.is_floating:
        what = f"'{clipped(snapshot)}' is a floating alias: the provider may put another model behind it at any time."
        yield document.fault(at, what, "Pin a dated snapshot.", severity="warning")
    if facts.retires is not None:
        verb = "retired" if today is not None and facts.retires <= today else "retires"
        what = f"'{clipped(snapshot)}' {verb} on {facts.retires.isoformat()} ({facts.source})."
        fix = "Move to another model; this one no longer answers." if verb == "retired" else "Plan the upgrade before that day."
        yield document.fault(at, what, fix, severity="warning")


def check_prompts(
    bundle: Bundle, document: Document, prompt_files: Mapping[str, str], survey: SuiteSurvey | None
) -> Iterator[Fault]:
    """Every `{{variable}}` is given by every case of the suite; every case has something to send."""
    for part, text in (("system", bundle.prompt.system), ("template", bundle.prompt.template)):
        for fault in prompt_faults(text, f"prompt.{part}"):
            yield _in_prompt(document, prompt_files, part, None, fault)
        if survey is not None and survey.n_cases:
            for fault, name in _lacking(part, text, survey):
                yield _in_prompt(document, prompt_files, part, _line_of_use(text, name), fault)
    if survey is not None and not bundle.prompt.template and survey.without_messages.count:
        seen = survey.without_messages
        what = (
            f"{seen.count:,} of {survey.n_cases:,} cases in {survey.file} have no messages, and the bundle has no template: "
            f"there is nothing to send. The first is on line {seen.first_line}."
        )
        yield document.fault(("prompt",), what, "Add `prompt.template`, or messages to the cases.")
    contract = bundle.contract
    if bundle.parameters.structured_output and not (contract is not None and isinstance(contract.json_schema, dict)):
        what = "'structured_output' is set, and there is no JSON Schema to hold the output to."
        fix = "Add `contract: contract.json`, or delete the key."
        yield document.fault(("parameters", "structured_output"), what, fix)


def _lacking(part: str, text: str, survey: SuiteSurvey) -> Iterator[tuple[Fault, str]]:
    given = survey.names()
    for name in sorted(prompt_variables(text))[:MOST_VARIABLES]:
        seen = survey.lacking(name)
        if not seen.count:
            continue
        shown = clipped(name)
        what = (
            f"{{{{{shown}}}}} of the {PART_NAMES[part]} is not given by {seen.count:,} of {survey.n_cases:,} cases "
            f"in {survey.file}; the first is on line {seen.first_line}."
        )
        fix = f'Add "{shown}" to the `variables` of the cases, or correct the name in the prompt.'
        if name == INPUT:
            fix = "Give the cases a user message, which {{input}} stands for."
        yield Fault(what, fix, likely=likely_name(name, given) if name not in given else None), name


def _line_of_use(text: str, name: str) -> int:
    found = re.search(r"\{\{\s*" + re.escape(name) + r"\s*\}\}", text)
    return text.count("\n", 0, found.start()) + 1 if found is not None else 1


def _in_prompt(document: Document, files: Mapping[str, str], part: str, line: int | None, fault: Fault) -> Fault:
    """The fault at its line of the prompt's own file; at the key where the prompt is written into the YAML."""
    if part in files:
        return Fault(fault.what, fault.fix, files[part], line, None, fault.likely, fault.severity)
    return document.fault(("prompt", part), fault.what, fault.fix, likely=fault.likely, severity=fault.severity)


def check_schemas(bundle: Bundle, document: Document) -> Iterator[Fault]:
    """The contract's JSON Schema is one; tools differ by name, and their parameters are JSON Schemas (else a warning)."""
    if bundle.contract is not None and bundle.contract.json_schema is not None:
        yield from check_schema(document, ("contract", "json_schema"))
    names: dict[str, int] = {}
    for index, tool in enumerate(bundle.tools):
        if tool.name in names:
            what = f"Two tools are called '{clipped(tool.name)}': entries {names[tool.name] + 1} and {index + 1}."
            yield document.fault(("tools", index, "name"), what, "Rename or delete one of them.")
        names.setdefault(tool.name, index)
        if tool.parameters:
            yield from check_schema(document, ("tools", index, "parameters"), severity="warning")
