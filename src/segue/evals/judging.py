"""The judging stage of a comparison: scorers with effects, pointwise and pairwise, asked about what has no score yet.

Which questions were paid for before is `judge_calls`' matter; how scores are kept is that of `scoring_pass` and `pair_pass`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from segue.evals.arms import Applicability, metrics_of
from segue.evals.comparable import ASKED_TYPES
from segue.evals.connections import Connections
from segue.evals.forecast import JudgeNeed
from segue.evals.judge_calls import JudgeCalls, judge_behaviour
from segue.evals.pair_pass import PairAsked, ask_pairs, n_unjudged
from segue.evals.request import Prepared
from segue.evals.scoring_pass import Asked, ScoringOutcome, ask_scorers, n_unscored
from segue.model import ScorerSpec, Workflow
from segue.scoring.base import AsyncScorer
from segue.scoring.pairs import PairScorer
from segue.scoring.registry import SCORER_TYPES
from segue.store.base import CaseRow, Store

if TYPE_CHECKING:
    from segue.scoring.judge_asking import JudgeSettings

BESIDE_EACH_OTHER = 8
"""Scorers with effects of their own, such as commands, that run at the same time."""


class Judging:
    """The scorers with effects of one prepared comparison."""

    def __init__(self, store: Store, connections: Connections, calls: JudgeCalls, prepared: Prepared) -> None:
        self._store, self._connections, self._calls, self._prepared = store, connections, calls, prepared
        self._specs = {spec.name: spec for spec in prepared.workflow.scorers}
        self._applies = Applicability(prepared.workflow, metrics_of(prepared.new.scorers))

    def needs(self, folder: Path) -> tuple[JudgeNeed, ...]:
        """The judges and what they will be asked about, for an estimate. `folder` is the workflow's."""
        old, new = self._prepared.old, self._prepared.new
        found = []
        for spec in judge_specs(self._prepared.workflow):
            settings = _settings_of(spec)
            before, after = old.scorer_of(spec.name), new.scorer_of(spec.name)
            assert before is not None
            assert after is not None
            sides = ((old.behaviour, old.key_of(before)), (new.behaviour, new.key_of(after)))
            is_pair = isinstance(after, PairScorer)
            rubric = settings.rubric or (folder / str(settings.rubric_file)).read_text(encoding="utf-8", errors="replace")
            found.append(
                JudgeNeed(
                    spec.name,
                    settings.provider,
                    settings.snapshot,
                    settings.parameters,
                    len(rubric),
                    sides[1:] if is_pair else sides,
                    is_pair,
                    spec.when,
                )
            )
        return tuple(found)

    def behaviours(self) -> frozenset[str]:
        """Under which the judges' own exchanges are kept."""
        settings = map(_settings_of, judge_specs(self._prepared.workflow))
        return frozenset(judge_behaviour(one.provider, one.snapshot, one.parameters) for one in settings)

    async def remember(self) -> None:
        """Score by what judges said before, as far as it goes: about other versions of the suite, or before a crash."""
        for outputs in self._judges():
            admits = self._asked_before(outputs.scorer.identity.name, outputs.admits)
            await ask_scorers(self._store, self._suite, [replace(outputs, admits=admits)])
        for pairs in self._pairs():
            admits = self._asked_before(pairs.scorer.identity.name, pairs.admits)
            await ask_pairs(self._store, self._suite, replace(pairs, admits=admits))

    def n_open(self) -> int:
        """Outputs and pairs that no judge has judged yet."""
        outputs = sum(n_unscored(self._store, self._suite, one) for one in self._judges())
        return outputs + sum(n_unjudged(self._store, self._suite, one) for one in self._pairs())

    async def ask(
        self,
        *,
        may_go_on: Callable[[], bool] = lambda: True,
        on_judged: Callable[[int], None] = lambda _: None,
    ) -> ScoringOutcome:
        """Ask the judges for everything that is missing, of outputs and of pairs."""
        outcome = await ask_scorers(self._store, self._suite, self._judges(), may_go_on=may_go_on, on_scored=on_judged)
        for one in self._pairs():
            outcome += await ask_pairs(self._store, self._suite, one, may_go_on=may_go_on, on_scored=on_judged)
        return outcome

    async def ask_others(
        self, on_scored: Callable[[int], None] | None = None, *, may_go_on: Callable[[], bool] = lambda: True
    ) -> ScoringOutcome:
        """Let the scorers score that have effects and ask no model, such as commands."""
        return await ask_scorers(self._store, self._suite, self._others(), may_go_on=may_go_on, on_scored=on_scored)

    @property
    def _suite(self) -> str:
        return self._prepared.suite.digest

    def _others(self) -> list[Asked]:
        return [
            Asked(one, arm.behaviour, arm.key_of(one), BESIDE_EACH_OTHER)
            for _, arm in self._prepared.arms
            for one in arm.scorers
            if isinstance(one, AsyncScorer) and self._type_of(one.identity.name) not in ASKED_TYPES
        ]

    def _judges(self) -> list[Asked]:
        return [
            Asked(one, arm.behaviour, arm.key_of(one), self._concurrency(one.identity.name), self._admits(one.identity.name))
            for _, arm in self._prepared.arms
            for one in arm.scorers
            if isinstance(one, AsyncScorer) and self._type_of(one.identity.name) in ASKED_TYPES
        ]

    def _pairs(self) -> Iterator[PairAsked]:
        old, new = self._prepared.old, self._prepared.new
        if old.behaviour == new.behaviour:
            return
        for one in new.scorers:
            if isinstance(one, PairScorer):
                name = one.identity.name
                yield PairAsked(one, old.behaviour, new.behaviour, new.key_of(one), self._admits(name), self._concurrency(name))

    def _asked_before(self, name: str, admits: Callable[[CaseRow], bool]) -> Callable[[CaseRow], bool]:
        """Of the cases it is asked about, those that its model was asked about before: in the others is nothing to remember."""
        settings = _settings_of(self._specs[name])
        known = self._calls.cases_of(judge_behaviour(settings.provider, settings.snapshot, settings.parameters))
        return lambda row: row.case_id in known and admits(row)

    def _type_of(self, name: str) -> str:
        return self._specs[name].type

    def _concurrency(self, name: str) -> int:
        return self._connections.concurrency_of(str(self._specs[name].settings()["provider"]))

    def _admits(self, metric: str) -> Callable[[CaseRow], bool]:
        return lambda row: self._prepared.only.admits(row) and self._applies(metric, row)


def _settings_of(spec: ScorerSpec) -> JudgeSettings:
    return cast("JudgeSettings", SCORER_TYPES[spec.type].settings_model().model_validate(spec.settings()))


def judge_specs(workflow: Workflow) -> list[ScorerSpec]:
    """The judges that the workflow declares."""
    return [spec for spec in workflow.scorers if spec.type in ASKED_TYPES and isinstance(spec.settings().get("provider"), str)]
