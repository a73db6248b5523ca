"""The real scorers, on one output at a time: those that the gateway's log runs, and those that the workflow declares.

A workflow's scorers need the case's reference, which live traffic lacks; a rehearsal knows it, since its requests are cases of
the suite. Scorers that call a judge or a command are left out, and named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from segue.evals.labels import labels_of
from segue.gateway.enriching import contract_of, score_reply
from segue.model import Bundle, Case, Contract, Exchange, Workflow
from segue.providers.base import ModelOutcome
from segue.scoring.base import Scorer
from segue.scoring.context import ScoringContext
from segue.scoring.registry import build_scorers
from segue.store.base import Store
from segue.workspace import Workspace

CHANGED = 1 << 30
"""In place of a repeat, of an output that a trouble changed: nobody labelled it."""
Scores = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class _Named:
    """A scorer, and whether what it says follows from case and reply alone."""

    scorer: Scorer
    needs_label: bool
    is_settled: bool


MEASURED = frozenset(("latency", "ttft", "tokens", "cost", "recorded_label"))
"""Types of scorers that look beyond the reply: at what it took, or at who labelled this very repeat."""


class Ruler:
    """Scores one bundle's outputs. `contract` is the one both arms are held to, as in an eval."""

    def __init__(
        self, workspace: Workspace, store: Store, workflow: Workflow, bundle: Bundle, contract: Contract | None
    ) -> None:
        context = ScoringContext(
            workflow_dir=workspace.folder(workflow.name),
            labels=labels_of(store, recorded_behaviour(store, bundle, workflow.name)),
            contract=contract,
            environ=workspace.environ,
        )
        pure = workflow.model_copy(update={"scorers": tuple(one for one in workflow.scorers if one.type not in UNRUN)})
        self.left_out = tuple(one.name for one in workflow.scorers if one.type in UNRUN)
        built = zip(pure.scorers, build_scorers(pure, context=context), strict=True)
        self._scorers = [
            _Named(one, spec.type == "recorded_label", spec.type not in MEASURED)
            for spec, one in built
            if isinstance(one, Scorer)
        ]
        self._cheap = contract_of(bundle)
        self.better = {metric.name: metric.better for one in self._scorers for metric in one.scorer.metrics}
        self._behaviour = bundle.behaviour
        self._last: dict[bytes, dict[str, float | None]] = {}
        self._last_case = ""

    def score(self, case: Case, outcome: ModelOutcome, repeat: int) -> dict[str, float | None]:
        """All scores of one output; none of a failure."""
        if outcome.reply is None:
            return {}
        exchange = Exchange(
            behaviour=self._behaviour,
            case_id=case.case_id,
            input_digest=case.input_digest,
            repeat=repeat,
            reply=outcome.reply,
            usage=outcome.usage,
            latency_ms=outcome.latency_ms,
            ttft_ms=outcome.ttft_ms,
            cost_microusd=outcome.cost_microusd,
        )
        # The draws of a case are scored one after the other, and most say the same.
        if case.case_id != self._last_case:
            self._last_case, self._last = case.case_id, {}
        said = orjson.dumps(outcome.reply.as_json(), default=str)
        found = self._last.get(said)
        if found is None:
            found = score_reply(outcome.reply, self._cheap)
            for one in self._scorers:
                if one.is_settled:
                    found.update((score.name, score.value) for score in one.scorer.score(case, exchange))
            self._last[said] = found
        measured = [one for one in self._scorers if not one.is_settled and not (one.needs_label and repeat == CHANGED)]
        if not measured:
            return found
        return {**found, **{score.name: score.value for one in measured for score in one.scorer.score(case, exchange)}}


UNRUN = frozenset(("judge", "pairwise", "command"))
"""Types of scorers that ask a model or start a process."""


def recorded_behaviour(store: Store, bundle: Bundle, workflow: str) -> str:
    """Under which a bundle's outputs and labels are kept: its own, or those of the recording that it replays."""
    recording = bundle.model.recording
    digest = None if recording is None else store.labels(workflow).get(recording)
    return bundle.behaviour if digest is None else store.get_bundle(digest).bundle.behaviour
