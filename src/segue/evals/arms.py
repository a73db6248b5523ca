"""One arm made ready to compare: its bundle, its scorers with that arm's labels, and what they have scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segue.evals.catalogue import NamedBundle
from segue.evals.labels import labels_of
from segue.evals.slicing import CaseFilter
from segue.gates.report import Arm
from segue.model import Contract, Json, Metric, ScorerSpec, Workflow, digest_of
from segue.providers.base import Provider
from segue.providers.catalogue import is_floating_alias, retirement, vendor_of
from segue.scoring.base import AsyncScorer, Scorer
from segue.scoring.context import ScoringContext
from segue.scoring.pairs import LimitedPairScorer, PairScorer
from segue.scoring.registry import build_pair_scorers, build_scorers
from segue.store.base import CaseRow, Store
from segue.workspace import Workspace

AnyScorer = Scorer | AsyncScorer | PairScorer


@dataclass(frozen=True)
class PreparedArm:
    """A named bundle with the scorers of its workflow, built with this arm's labels.

    `pair` are the behaviours of the incumbent and the candidate: what compares the two belongs to both.
    """

    named: NamedBundle
    arm: Arm
    scorers: tuple[AnyScorer, ...]
    context: ScoringContext
    suite: str = ""
    pair: tuple[str, str] = ("", "")

    @property
    def behaviour(self) -> str:
        """Under which its exchanges are kept."""
        return self.named.bundle.behaviour

    @property
    def digests(self) -> tuple[str, ...]:
        """The keys of the scorers' scores."""
        return tuple(self.key_of(scorer) for scorer in self.scorers)

    def key_of(self, scorer: AnyScorer) -> str:
        """What its scores are kept under: who scored, and against which expectations; and which two were compared.

        A score is made from a case's reference too, so scores of one version of a suite say nothing of the next. What a judge
        was asked and paid for is remembered apart (`judge_calls`), whatever the suite.
        """
        if isinstance(scorer, PairScorer):
            return digest_of([scorer.identity.digest, self.suite, *self.pair])
        return digest_of([scorer.identity.digest, self.suite])

    def scorer_of(self, metric: str) -> AnyScorer | None:
        """Who gives a metric."""
        return next((one for one in self.scorers if metric in {given.name for given in one.metrics}), None)


@dataclass(frozen=True)
class Bench:
    """Where arms are prepared: the workspace, its store, its providers and its environment."""

    workspace: Workspace
    store: Store
    providers: Mapping[str, Provider]

    def prepare(
        self, workflow: Workflow, named: NamedBundle, *, suite: str, contract: Contract | None, pair: tuple[str, str]
    ) -> PreparedArm:
        """Build the scorers of one arm. `InputError` carries every fault of the scorers' settings."""
        context = ScoringContext(
            workflow_dir=self.workspace.folder(workflow.name),
            labels=labels_of(self.store, named.bundle.behaviour),
            contract=contract,
            providers=self.providers,
            environ=self.workspace.environ,
        )
        pairs = (
            LimitedPairScorer(one, spec.when) if spec.when else one
            for spec, one in build_pair_scorers(workflow, context=context)
        )
        scorers = (*build_scorers(workflow, context=context), *pairs)
        return PreparedArm(named, self.describe(named), scorers, context, suite, pair)

    def describe(self, named: NamedBundle) -> Arm:
        """The arm as reports show it, with what is known of its model's future."""
        model = named.bundle.model
        entry = self.workspace.config.providers.get(model.provider, {})
        vendor = vendor_of_entry(entry)
        retires = retirement(vendor, model.snapshot)
        floats = is_floating_alias(vendor, model.snapshot)
        return Arm(
            label=named.label,
            digest=named.bundle.digest,
            model=model.snapshot,
            provider=model.provider,
            retires=None if retires is None else retires.day.isoformat(),
            floating="its vendor may point it elsewhere at any time" if floats else None,
        )


def vendor_of_entry(entry: Mapping[str, Json]) -> str | None:
    """Whose models an entry of `providers:` reaches; `None` where that is not known."""
    kind, named, address = entry.get("type"), entry.get("vendor"), entry.get("base_url")
    if kind not in ("openai", "anthropic"):
        return None
    if isinstance(named, str):
        return named
    return vendor_of(address) if isinstance(address, str) else str(kind)


def metrics_of(scorers: Sequence[AnyScorer]) -> tuple[Metric, ...]:
    """All metrics, in the order the workflow declares their scorers; those that compare the arms come last."""
    return tuple(metric for scorer in scorers for metric in scorer.metrics)


def spec_of(workflow: Workflow, metric: str) -> ScorerSpec | None:
    """The declaration of the scorer that gives `metric`."""
    return next((spec for spec in workflow.scorers if metric == spec.name or metric.startswith(f"{spec.name}.")), None)


_CRITICAL = {"true": "yes", "false": "no"}
"""`when: {critical: true}` asks for the slice `critical=yes`."""


class Applicability:
    """Whether a metric is asked of a case: by `when` of its scorer."""

    def __init__(self, workflow: Workflow, metrics: Sequence[Metric]) -> None:
        self._filters: dict[str, CaseFilter | None] = {}
        for metric in metrics:
            spec = spec_of(workflow, metric.name)
            wanted = {
                key: frozenset((value,) if isinstance(value, str) else value)
                for key, value in (spec.when if spec is not None else {}).items()
            }
            if "critical" in wanted:
                wanted["critical"] = frozenset(_CRITICAL.get(value, value) for value in wanted["critical"])
            self._filters[metric.name] = CaseFilter(wanted) if wanted else None

    def __call__(self, metric: str, row: CaseRow) -> bool:
        found = self._filters.get(metric)
        return found is None or found.admits(row)


def with_primary(workflow: Workflow, metrics: Sequence[Metric]) -> Workflow:
    """The workflow with its first bounded metric as primary, if it names none."""
    if workflow.gate.primary or not metrics:
        return workflow
    first = next((metric.name for metric in metrics if metric.is_bounded), None)
    if first is None:
        return workflow
    return workflow.model_copy(update={"gate": workflow.gate.model_copy(update={"primary": (first,)})})
