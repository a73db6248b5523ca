"""What the check asks of Segue's scorers and providers. They are imported when there is something to ask, for they are many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from segue.errors import Fault
from segue.model import Contract, Metric, Parameters, Workflow
from segue.model.contract import CommandCheck, CountRule
from segue.workspace.bundle_check import KnownProvider, ModelFacts
from segue.workspace.config import WorkspaceConfig
from segue.workspace.document import Document, clipped, likely_name, listed, read_path
from segue.workspace.shape import parse

if TYPE_CHECKING:
    from segue.providers.config import ProviderConfig


_EVERY_CLAUSE = Contract(
    json_schema={}, required=("…",), counts=(CountRule(of="lines", at_least=0),), command=CommandCheck(argv=("true",))
)


def check_scorers(workflow: Workflow) -> list[Fault]:
    """The faults of all scorers, their paths from the root of the workflow: `scorers[2].pattern`."""
    from segue.scoring.registry import check_scorers as check

    return check(workflow)


def metrics_of(workflow: Workflow) -> list[Metric]:
    """The metrics that the scorers give; scorers with faults give none.

    A contract scorer that is held to the bundle's contract may give one for every kind of clause: which, the bundles say.
    """
    from segue.scoring.registry import wanted_metrics

    return wanted_metrics(workflow, contract=_EVERY_CLAUSE)


def read_providers(
    config: WorkspaceConfig, document: Document, environ: Mapping[str, str]
) -> tuple[dict[str, KnownProvider | None], list[Fault]]:
    """The providers of `segue.yaml` by name, `None` for those with faults; and the faults of all."""
    from segue.providers.config import environment_faults

    providers: dict[str, KnownProvider | None] = {}
    faults: list[Fault] = []
    for name, entry in config.providers.items():
        part = document.part(("providers", name))
        known = _provider_types()
        kind = entry.get("type")
        providers[name] = None
        if not isinstance(kind, str) or kind not in known:
            shown = f"'{clipped(kind)}' is no type of provider." if isinstance(kind, str) else "'type' is missing, or no text."
            likely = likely_name(kind, known) if isinstance(kind, str) else None
            faults.append(part.fault(("type",), shown, f"Write `type:` with one of {listed(known)}.", likely=likely))
            continue
        reading = parse(known[kind], part)
        faults += reading.faults
        if reading.value is not None:
            providers[name] = _Known(reading.value)
            for fault in environment_faults(name, reading.value, environ):
                path = read_path(fault.path or "")
                faults.append(document.fault(path, fault.what, fault.fix, likely=fault.likely, severity=fault.severity))
    return providers, faults


def _provider_types() -> dict[str, type[ProviderConfig]]:
    from segue.providers.config import ProviderConfig

    return {get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(ProviderConfig)}


@dataclass(frozen=True, slots=True)
class _Known:
    """A provider of `segue.yaml` whose entry can be read."""

    config: ProviderConfig

    def facts(self, snapshot: str) -> ModelFacts:
        from segue.providers.catalogue import is_floating_alias, retirement, vendor_of
        from segue.providers.config import AnthropicConfig, OpenAIConfig

        if not isinstance(self.config, AnthropicConfig | OpenAIConfig):
            return ModelFacts()
        address = self.config.base_url
        vendor = self.config.vendor or (vendor_of(address) if address else self.config.type)
        end = retirement(vendor, snapshot)
        return ModelFacts(
            is_floating=is_floating_alias(vendor, snapshot),
            retires=end.day if end is not None else None,
            source=end.source if end is not None else "",
        )

    def snapshot_faults(self, snapshot: str) -> list[Fault]:
        from segue.providers.scripted_config import ScriptedConfig

        if not isinstance(self.config, ScriptedConfig) or snapshot in self.config.models:
            return []
        known = self.config.models
        what = f"No simulated model is called '{clipped(snapshot)}': every call to it would fail."
        fix = f"Declare it under `models:` of the provider in segue.yaml; there are: {listed(known)}."
        return [Fault(what, fix, likely=likely_name(snapshot, known))]

    def parameter_faults(self, parameters: Parameters) -> list[Fault]:
        from segue.providers.config import AnthropicConfig, OpenAIConfig, wire_profile
        from segue.providers.dialects import DIALECTS

        if not isinstance(self.config, AnthropicConfig | OpenAIConfig):
            return []
        return DIALECTS[self.config.dialect].parameter_faults(parameters, wire_profile(self.config))
