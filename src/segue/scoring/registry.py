"""Every type of scorer, and how one is built from its declaration in a workflow.

A type is imported when a workflow uses it, so that checking a workflow costs what its scorers cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast, get_args

from segue.errors import Fault, InputError
from segue.model import CaseKind, Contract, Metric, ScorerSpec, Workflow
from segue.scoring.base import AsyncScorer, Scorer
from segue.scoring.context import ScoringContext
from segue.scoring.settings import Settings, join_path, read_settings
from segue.scoring.when import CRITICAL, KIND, limit

if TYPE_CHECKING:
    from segue.scoring.pairs import PairScorer

Declare = Callable[[ScorerSpec, Any], tuple[Metric, ...]]


@dataclass(frozen=True, slots=True)
class ScorerType:
    """Where a type's parts are, as `module:name`: its builder, its settings model, and what declares its metrics.

    `is_pair` marks a type that compares the outputs of both arms: its metric is a share of preference.
    """

    builder: str
    settings: str
    declare: str | None
    is_pair: bool = False

    def build(self, spec: ScorerSpec, context: ScoringContext) -> Any:
        """The scorer. Raises `InputError` with all faults of the declaration."""
        return _load(self.builder)(spec, context)

    def settings_model(self) -> type[Settings]:
        """The model of the settings."""
        return cast(type[Settings], _load(self.settings))

    def metrics(self, spec: ScorerSpec, settings: Settings) -> tuple[Metric, ...]:
        """The metrics a scorer with these settings gives."""
        return cast(Declare, _load(self.declare))(spec, settings) if self.declare else ()


def _of_class(path: str, builder: str | None = None) -> ScorerType:
    """A type whose class has `build` (unless there is another builder), `settings_model` and `declare`."""
    return ScorerType(builder or f"{path}.build", f"{path}.settings_model", f"{path}.declare")


SCORER_TYPES: Mapping[str, ScorerType] = {
    "exact": _of_class("segue.scoring.exact:ExactScorer"),
    "normalised": _of_class("segue.scoring.normalised:NormalisedScorer"),
    "contains": _of_class("segue.scoring.contains:ContainsScorer"),
    "regex": _of_class("segue.scoring.regex:RegexScorer"),
    "number": _of_class("segue.scoring.number:NumberScorer"),
    "label": _of_class("segue.scoring.label:LabelScorer"),
    "fields": _of_class("segue.scoring.fields:FieldsScorer"),
    "tool_calls": _of_class("segue.scoring.tool_calls:ToolCallsScorer"),
    "refusal": _of_class("segue.scoring.refusal:RefusalScorer"),
    "length": _of_class("segue.scoring.length:LengthScorer"),
    "latency": _of_class("segue.scoring.measured:LatencyScorer"),
    "ttft": _of_class("segue.scoring.measured:TtftScorer"),
    "tokens": _of_class("segue.scoring.measured:TokensScorer"),
    "cost": _of_class("segue.scoring.measured:CostScorer"),
    "recorded_label": _of_class("segue.scoring.recorded_label:RecordedLabelScorer"),
    "callable": _of_class("segue.scoring.callable:CallableScorer"),
    "confidence": _of_class("segue.scoring.confidence:ConfidenceScorer", "segue.scoring.confidence:build_confidence"),
    "format": _of_class("segue.scoring.format_fingerprint:FormatScorer", "segue.scoring.format_fingerprint:build_format"),
    "contract": ScorerType(
        "segue.scoring.contract:build_contract",
        "segue.scoring.contract:ContractSettings",
        "segue.scoring.declared:contract_metrics",
    ),
    "command": ScorerType(
        "segue.scoring.command:build_command",
        "segue.scoring.command:CommandSettings",
        "segue.scoring.declared:command_metrics",
    ),
    "judge": ScorerType(
        "segue.scoring.judge:build_judge", "segue.scoring.judge:PointwiseSettings", "segue.scoring.declared:judge_metrics"
    ),
    "pairwise": ScorerType(
        "segue.scoring.judge:build_pairwise",
        "segue.scoring.judge:PairwiseSettings",
        "segue.scoring.declared:pairwise_metrics",
        is_pair=True,
    ),
}
"""Name of a type, as `workflow.yaml` writes it → its parts."""


def build_scorers(workflow: Workflow, *, context: ScoringContext) -> list[Scorer | AsyncScorer]:
    """Build every scorer of one output that `workflow` declares, in its order.

    Raises `InputError` with all faults of all scorers, each with its path (`scorers[2].pattern`).
    """
    return [limit(scorer, spec.when) for spec, scorer in _built(workflow, context, pairs=False)]


def build_pair_scorers(workflow: Workflow, *, context: ScoringContext) -> list[tuple[ScorerSpec, PairScorer]]:
    """Build every scorer that compares two outputs. The caller honours `spec.when` (`segue.scoring.when.applies`).

    Raises `InputError` with all faults of all scorers.
    """
    return list(_built(workflow, context, pairs=True))


def check_spec(spec: ScorerSpec, *, path: str = "") -> list[Fault]:
    """All faults of a declaration that show without building it: no file is read, nothing of the team's is imported."""
    scorer_type = SCORER_TYPES.get(spec.type)
    if scorer_type is None:
        near = get_close_matches(spec.type, SCORER_TYPES, n=3, cutoff=0.5)
        return [
            Fault(
                what=f"There is no scorer of type '{spec.type}'.",
                fix=f"The types are: {', '.join(SCORER_TYPES)}.",
                path=join_path(path, "type"),
                likely=" or ".join(f"'{one}'" for one in near) or None,
            )
        ]
    faults = list(read_settings(scorer_type.settings_model(), spec, path=path)[1])
    if scorer_type.is_pair and spec.better == "lower":
        what = "Of two answers the preferred one is the better one; 'lower' has no meaning here."
        faults.append(Fault(what, "Leave better out, and say in the rubric what is preferred.", path=join_path(path, "better")))
    return faults


def check_scorers(workflow: Workflow) -> list[Fault]:
    """All faults of the workflow's scorers that show without building them, `when` included."""
    faults: list[Fault] = []
    for number, spec in enumerate(workflow.scorers):
        path = f"scorers[{number}]"
        faults += check_spec(spec, path=path)
        faults += _when_faults(spec, workflow, join_path(path, "when"))
    return faults


def wanted_metrics(workflow: Workflow, *, contract: Contract | None = None) -> list[Metric]:
    """Every metric the workflow's scorers give, in their order. Scorers with faults give none (`check_scorers` names them).

    `contract` is the bundle's: without it, of a contract scorer only the metric over all clauses is known.
    """
    metrics: list[Metric] = []
    for spec in workflow.scorers:
        scorer_type = SCORER_TYPES.get(spec.type)
        settings = read_settings(scorer_type.settings_model(), spec)[0] if scorer_type else None
        if scorer_type is None or settings is None:
            continue
        if spec.type == "contract" and contract is not None and getattr(settings, "contract", None) is None:
            settings = settings.model_copy(update={"contract": contract})
        metrics += scorer_type.metrics(spec, settings)
    return metrics


def _built(workflow: Workflow, context: ScoringContext, *, pairs: bool) -> Iterator[tuple[ScorerSpec, Any]]:
    faults = check_scorers(workflow)
    found: list[tuple[ScorerSpec, Any]] = []
    faulty = {fault.path.partition(".")[0] for fault in faults if fault.path}
    for number, spec in enumerate(workflow.scorers):
        path = f"scorers[{number}]"
        if path in faulty or SCORER_TYPES[spec.type].is_pair != pairs:
            continue
        try:
            scorer = SCORER_TYPES[spec.type].build(spec, context)
            _ = scorer.identity.digest  # a setting no canonical JSON can carry shows here, not in the middle of a run
        except InputError as error:
            faults += [replace(fault, path=join_path(path, fault.path or "")) for fault in error.faults]
        else:
            found.append((spec, scorer))
    if faults:
        raise InputError.from_faults(faults, subject=f"the scorers of workflow '{workflow.name}'")
    return iter(found)


def _when_faults(spec: ScorerSpec, workflow: Workflow, path: str) -> list[Fault]:
    """Keys and values of `when` that the workflow does not declare. Without declared slices, any slice may be named."""
    faults = []
    known: dict[str, tuple[str, ...]] = {KIND: get_args(CaseKind), CRITICAL: ("true", "false"), "task": ()}
    known.update((name, declared.values) for name, declared in workflow.slices.items())
    for key, wanted in spec.when.items():
        if key not in known:
            if workflow.slices:
                faults.append(_unknown("slice", key, known, join_path(path, key)))
            continue
        values = (wanted,) if isinstance(wanted, str) else wanted
        faults += [
            _unknown(f"value of {key}", value, known[key], join_path(path, key))
            for value in values
            if known[key] and value not in known[key]
        ]
    return faults


def _unknown(kind: str, name: str, known: Any, path: str) -> Fault:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return Fault(
        what=f"There is no {kind} '{name}'.",
        fix=f"There are: {', '.join(known)}.",
        path=path,
        likely=f"'{near[0]}'" if near else None,
    )


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
