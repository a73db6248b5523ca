"""The metrics of the types whose scorers are built from more than their settings, told without building one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.model import Metric, ScorerSpec

if TYPE_CHECKING:
    from segue.scoring.command import CommandSettings
    from segue.scoring.contract import ContractSettings
    from segue.scoring.judge import PairwiseSettings, PointwiseSettings


def command_metrics(spec: ScorerSpec, settings: CommandSettings) -> tuple[Metric, ...]:  # noqa: ARG001  one metric whatever the settings
    """Whether the command accepts."""
    return (Metric(name=spec.name, better=spec.better or "higher"),)


def contract_metrics(spec: ScorerSpec, settings: ContractSettings) -> tuple[Metric, ...]:
    """All clauses, and each kind of clause of the settings' contract. Of a bundle's contract only the first is known here."""
    contract = settings.contract
    names = [spec.name]
    if contract is not None:
        has = {
            "schema": contract.json_schema is not None,
            "phrases": bool(contract.required or contract.closing or contract.banned),
            "counts": bool(contract.counts),
            "command": contract.command is not None,
        }
        names += [f"{spec.name}.{kind}" for kind, applies in has.items() if applies]
    return tuple(Metric(name=name, better=spec.better or "higher") for name in names)


def judge_metrics(spec: ScorerSpec, settings: PointwiseSettings) -> tuple[Metric, ...]:
    """Pass or fail, or a score where the judge gives grades."""
    if isinstance(settings.scale, int):
        return (Metric(name=spec.name, unit="score", better=spec.better or "higher"),)
    return (Metric(name=spec.name, better=spec.better or "higher"),)


def pairwise_metrics(spec: ScorerSpec, settings: PairwiseSettings) -> tuple[Metric, ...]:  # noqa: ARG001  one metric whatever the settings
    """How far an arm's answers are preferred: 1 where its own wins, ½ for a tie. More is better, whatever is compared."""
    return (Metric(name=spec.name, unit="score"),)
