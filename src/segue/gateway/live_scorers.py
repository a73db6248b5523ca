"""The workflow's own scorers on live answers: those that need no reference, cost little and run nothing of the team's.

The same scorers as in an eval, under the same names, so that a plan gates live what the suite was judged by. What needs to
know the right answer, asks a model or starts a program is left to the suite, to outcomes and to sampled labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.errors import InputError
from segue.exchanges.record import ServedExchange
from segue.model import Bundle, Case, Exchange, Reply, ScorerSpec
from segue.scoring.base import Scorer
from segue.scoring.context import ScoringContext
from segue.scoring.registry import SCORER_TYPES
from segue.scoring.when import CRITICAL, KIND, limit
from segue.workspace.reference_needs import needs_reference

TYPES = frozenset({"contains", "contract", "format", "label", "length", "refusal", "regex"})


def is_live(spec: ScorerSpec) -> bool:
    """Whether this scorer can judge an answer that no case stands behind."""
    is_of_a_case = KIND in spec.when or CRITICAL in spec.when
    return spec.type in TYPES and not is_of_a_case and not needs_reference(spec)


def live_scorers(specs: Iterable[ScorerSpec], bundle: Bundle) -> list[Scorer]:
    """Those of them that a bundle's answers can be scored by; one that cannot be built leaves its metric unknown."""
    contract = None if bundle.contract is None else bundle.contract.model_copy(update={"command": None})
    context = ScoringContext(contract=None if contract is None or contract == type(contract)() else contract)
    found: list[Scorer] = []
    for spec in specs:
        if not is_live(spec):
            continue
        try:
            built = limit(SCORER_TYPES[spec.type].build(spec, context), spec.when)
        except InputError:
            continue
        if isinstance(built, Scorer):
            found.append(built)
    return found


def score_live(scorers: Sequence[Scorer], exchange: ServedExchange, reply: Reply) -> dict[str, float | None]:
    """Scores by name; `None` for one that was tried and could not be given."""
    named = dict(exchange.slices)
    task = named.pop("task", None)
    case = Case(case_id="served", messages=(), slice=named, **({} if task is None else {"task": task}))
    answered = Exchange(behaviour="", case_id="served", input_digest="", reply=reply)
    return {score.name: score.value for scorer in scorers for score in scorer.score(case, answered)}
