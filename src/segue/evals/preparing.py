"""From a request to everything it takes: bundles, suite and scorers resolved, and both arms known to be comparable.

Nothing is asked here and nothing is paid for. What judges were asked before is remembered (`judge_calls`), so that their scores
are there for this version of the suite too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from segue.errors import InputError, NotComparableError
from segue.evals.amounts import CostOf
from segue.evals.arms import Applicability, Bench, PreparedArm, metrics_of, with_primary
from segue.evals.catalogue import Catalogue, NamedBundle
from segue.evals.comparable import need_repricing, require_prices, require_same_evidence, require_same_ruler
from segue.evals.compare import Question, Side
from segue.evals.connections import Connections
from segue.evals.judge_calls import JudgeCalls
from segue.evals.judging import Judging, judge_specs
from segue.evals.request import Prepared, Request
from segue.evals.slicing import CaseFilter
from segue.evals.walk import ArmRef
from segue.model import Usage, Workflow
from segue.scoring.pairs import PairScorer
from segue.store.base import SuiteRecord


class Preparing:
    """Resolves requests against one workspace and store. `asks`: models will be asked for what is missing."""

    def __init__(self, catalogue: Catalogue, connections: Connections, calls: JudgeCalls, *, asks: bool) -> None:
        self._catalogue, self._connections, self._calls, self._asks = catalogue, connections, calls, asks
        self._store = catalogue.store

    def prepare(self, request: Request) -> Prepared:
        """Resolve names, build scorers, check that both arms can be compared. Asks no model."""
        catalogue = self._catalogue
        workflow = catalogue.workflow(request.workflow)
        old, new = self._bundles(workflow, request)
        suite = self._suite(workflow, request, old, new)
        only = CaseFilter.parse(request.only)
        only.check(self._store.iter_case_rows(suite.digest))
        notes = []
        if old.bundle.contract != new.bundle.contract:
            notes.append("The two bundles have different contracts; both arms are held to the candidate's.")
        judges = [str(spec.settings()["provider"]) for spec in judge_specs(workflow)]
        if self._asks:
            self._connections.open(judges)
        bench = Bench(catalogue.workspace, self._store, self._calls.providers(judges))
        contract = new.bundle.contract or old.bundle.contract
        pair = (old.bundle.behaviour, new.bundle.behaviour)
        before, after = (
            bench.prepare(workflow, named, suite=suite.digest, contract=contract, pair=pair) for named in (old, new)
        )
        require_same_ruler(before, after)
        if judges:
            judging = Judging(self._store, self._connections, self._calls, Prepared(workflow, suite, before, after, only))
            asyncio.run(judging.remember())
        require_same_evidence(self._store, workflow, before, after, asks=self._asks)
        if reprice := need_repricing(self._store, before, after):
            require_prices(before, after, self._connections.list_price)
            notes.append(
                "The two arms were paid by different prices; the costs shown are worked out alike, from tokens, by today's."
            )
        workflow = with_primary(workflow, metrics_of(after.scorers))
        _require_known_metrics(workflow, after)
        return Prepared(workflow, suite, before, after, only, tuple(notes), reprice)

    def _bundles(self, workflow: Workflow, request: Request) -> tuple[NamedBundle, NamedBundle]:
        incumbent = request.incumbent or workflow.incumbent
        if incumbent is None:
            raise InputError(
                f"Which bundle serves {workflow.name} now? No incumbent is named.",
                fix="Add --incumbent LABEL, or write incumbent: LABEL into workflow.yaml.",
            )
        old = self._catalogue.bundle(workflow.name, incumbent)
        new = self._catalogue.bundle(workflow.name, request.candidate)
        if old.bundle.behaviour == new.bundle.behaviour and request.old_repeats == request.new_repeats:
            raise NotComparableError(
                f"Incumbent '{old.label}' and candidate '{new.label}' behave the same to the last byte, "
                "so there is nothing to compare.",
                fix="Name another bundle. To see the noise of one, compare two of its stored runs: "
                f"segue compare {workflow.name} --incumbent {old.label} --candidate {new.label} "
                "--incumbent-repeats 0 --candidate-repeats 1",
            )
        return old, new

    def _suite(self, workflow: Workflow, request: Request, old: NamedBundle, new: NamedBundle) -> SuiteRecord:
        if request.suite is not None:
            return self._catalogue.suite(workflow, request.suite)
        pinned = {one.bundle.suite for one in (old, new) if one.bundle.suite is not None}
        if len(pinned) == 1:
            return self._store.get_suite(pinned.pop())
        current = self._catalogue.suite(workflow)
        if len(pinned) > 1 and not self._asks:
            before, after = str(old.bundle.suite)[:10], str(new.bundle.suite)[:10]
            raise NotComparableError(
                f"{old.label} was measured on suite {before}, {new.label} on {after}.",
                fix=f"Choose one for both, for example --suite {after}: cases an arm lacks count as missing.",
            )
        return current


def _require_known_metrics(workflow: Workflow, arm: PreparedArm) -> None:
    known = {metric.name for metric in metrics_of(arm.scorers)}
    unknown = [name for name in (*workflow.gate.primary, *workflow.gate.guardrails) if name not in known]
    if unknown:
        raise InputError(
            f"The gate names {', '.join(unknown)}, which no scorer of {workflow.name} gives.",
            fix=f"Its scorers give: {', '.join(sorted(known)) or 'nothing'}. Run segue check.",
        )


def question_of(prepared: Prepared, request: Request, connections: Connections) -> Question:
    """What is to be compared, as the comparison asks it."""
    metrics = metrics_of(prepared.new.scorers)
    old, new = prepared.old, prepared.new
    return Question(
        workflow=prepared.workflow,
        old=Side(old.arm, ArmRef(old.behaviour, old.digests, request.old_repeats)),
        new=Side(new.arm, ArmRef(new.behaviour, new.digests, request.new_repeats)),
        suite=prepared.suite.digest,
        suite_name=prepared.suite.name,
        metrics=metrics,
        scorers={one.identity.name: one.identity.digest for one in new.scorers},
        applies=Applicability(prepared.workflow, metrics),
        only=prepared.only,
        signed_off=request.signed_off,
        reprice=(_cost_of(old, connections), _cost_of(new, connections)) if prepared.reprice else None,
        pairwise=frozenset(_pairwise(new)),
    )


def _pairwise(arm: PreparedArm) -> Iterator[str]:
    for scorer in arm.scorers:
        if isinstance(scorer, PairScorer):
            yield from (metric.name for metric in scorer.metrics)


def _cost_of(arm: PreparedArm, connections: Connections) -> CostOf:
    bundle = arm.named.bundle
    return lambda row: connections.list_price(bundle, Usage(row.input_tokens, row.output_tokens, row.reasoning_tokens))
