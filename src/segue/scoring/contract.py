"""The contract scorer: whether downstream code can use an output. One metric for all clauses, one for each kind.

The clauses are checked by `contract_clauses`; a contract with a command also runs the team's own parser (`command`).
"""

from __future__ import annotations

from collections.abc import Sequence

from segue.errors import Fault, InputError
from segue.model import Case, Contract, Exchange, Metric, Score, ScorerSpec
from segue.scoring.answer import final_text
from segue.scoring.base import ScorerIdentity
from segue.scoring.command import CommandRunner, build_runner
from segue.scoring.context import ScoringContext
from segue.scoring.contract_clauses import (
    Broken,
    check_counts,
    check_phrases,
    check_schema,
    compile_schema,
    find_schema_faults,
)
from segue.scoring.declared import contract_metrics
from segue.scoring.settings import Settings, read_settings

VERSION = "1"


class ContractSettings(Settings):
    """Settings of `contract`."""

    allow_fence: bool = False
    """Whether a Markdown fence around the whole output is removed before it is read as JSON."""
    contract: Contract | None = None
    """The contract, where it is not the bundle's own."""


class ContractScorer:
    """`<name>` is 1 where all clauses hold; `<name>.schema`, `.phrases` and `.counts` where the contract has such clauses."""

    def __init__(self, spec: ScorerSpec, settings: ContractSettings, contract: Contract) -> None:
        self._name = spec.name
        self._settings = settings
        self._contract = contract
        self._schema = compile_schema(contract.json_schema) if contract.json_schema is not None else None
        self._kinds = _kinds_of(contract)
        self.identity = ScorerIdentity(
            name=spec.name,
            type="contract",
            version=VERSION,
            settings={
                "allow_fence": settings.allow_fence,
                "contract": contract.model_dump(mode="json", exclude_defaults=True, exclude={"command"}),
            },
        )
        clauses = settings.model_copy(update={"contract": contract.model_copy(update={"command": None})})
        self.metrics: Sequence[Metric] = contract_metrics(spec, clauses)

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:  # noqa: ARG002  the contract is the same for every case
        """Check every clause on one output."""
        text = final_text(exchange)
        found = {kind: self._check(kind, text) for kind in self._kinds}
        scores = [_as_score(f"{self._name}.{kind}", broken) for kind, broken in found.items()]
        return (_as_score(self._name, [one for broken in found.values() for one in broken]), *scores)

    def _check(self, kind: str, text: str) -> list[Broken]:
        if kind == "schema":
            assert self._schema is not None
            return check_schema(self._schema, text, allow_fence=self._settings.allow_fence)
        return check_phrases(self._contract, text) if kind == "phrases" else check_counts(self._contract.counts, text)


class ContractWithCommandScorer:
    """A contract that also has a command: `<name>` needs the command to accept too, `<name>.command` says whether it did."""

    def __init__(self, clauses: ContractScorer, runner: CommandRunner) -> None:
        self._clauses = clauses
        self._runner = runner
        name = clauses.identity.name
        settings = {**clauses.identity.settings, "command": runner.identity()}
        self.identity = ScorerIdentity(name=name, type="contract", version=VERSION, settings=settings)
        better = clauses.metrics[0].better
        self.metrics: Sequence[Metric] = (*clauses.metrics, Metric(name=f"{name}.command", better=better))

    async def score_async(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        """Check every clause and run the command on one output."""
        whole, *parts = self._clauses.score(case, exchange)
        command = await self._runner.judge(f"{self.identity.name}.command", case, exchange)
        return (_combine(whole, command), *parts, command)


def _combine(clauses: Score, command: Score) -> Score:
    """All clauses and the command: a broken one decides; a command that did not run leaves the rest unknown."""
    if command.status != "scored" and clauses.value == 1.0:
        return Score(clauses.name, status=command.status, reason=command.reason)
    if command.value == 0.0:
        broken = [*(clauses.detail or []), Broken("command", command.reason).as_json()]
        return Score(clauses.name, 0.0, reason=clauses.reason or command.reason, detail=broken)
    return clauses


def _as_score(name: str, broken: Sequence[Broken]) -> Score:
    if not broken:
        return Score(name, 1.0)
    first = broken[0]
    place = f" at {first.path}" if first.path else ""
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return Score(name, 0.0, reason=f"{first.what}{place}{more}", detail=[one.as_json() for one in broken])


def _kinds_of(contract: Contract) -> tuple[str, ...]:
    has = {
        "schema": contract.json_schema is not None,
        "phrases": bool(contract.required or contract.closing or contract.banned),
        "counts": bool(contract.counts),
    }
    return tuple(kind for kind, applies in has.items() if applies)


def build_contract(spec: ScorerSpec, context: ScoringContext) -> ContractScorer | ContractWithCommandScorer:
    """Build from a declaration and the bundle's contract; raises `InputError` with all faults.

    A contract with a command gives an asynchronous scorer.
    """
    settings, faults = read_settings(ContractSettings, spec)
    contract = (settings.contract if settings is not None else None) or context.contract
    runner = None
    if settings is not None and contract is None:
        faults.append(
            Fault(
                what=f"The scorer '{spec.name}' has no contract to check.",
                fix="Add a contract to the bundle, or one under this scorer's setting 'contract'.",
                path="contract",
            )
        )
    if contract is not None:
        faults.extend(_find_contract_faults(spec, contract))
        if contract.command is not None:
            runner, more = build_runner(spec, contract.command, context)
            faults.extend(more)
    if faults or settings is None or contract is None:
        raise InputError.from_faults(faults, subject=f"the scorer '{spec.name}'")
    clauses = ContractScorer(spec, settings, contract)
    return clauses if runner is None else ContractWithCommandScorer(clauses, runner)


def _find_contract_faults(spec: ScorerSpec, contract: Contract) -> list[Fault]:
    faults = find_schema_faults(contract.json_schema) if contract.json_schema is not None else []
    if not _kinds_of(contract) and contract.command is None:
        faults.append(
            Fault(
                what=f"The contract of the scorer '{spec.name}' asks for nothing, so every output would pass.",
                fix="Give it a json_schema, phrases, counts or a command, or leave this scorer out.",
            )
        )
    for key in ("required", "closing", "banned"):
        faults.extend(
            Fault(what="The phrase is empty.", fix="Write the phrase, or leave the entry out.", path=f"{key}[{place}]")
            for place, phrase in enumerate(getattr(contract, key))
            if not phrase.strip()
        )
    return faults
