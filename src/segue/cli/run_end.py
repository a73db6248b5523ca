"""What is said after a run besides its verdict: why it ended early, and what providers answered instead of replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console

from segue.errors import NotFoundError
from segue.papers.printable import printable_line

if TYPE_CHECKING:
    from segue.evals.session import Outcome, Prepared
    from segue.store.base import Store

STOPPED: Mapping[str, str] = {
    "interrupted": "Interrupted. What was finished is kept; run the same command to go on.",
    "budget": "The budget is reached: no more was asked. What was finished is kept; a larger --budget goes on from there.",
    "unpriced": "Stopped: a reply came without a price, so --budget cannot be kept. "
    "Name the model's price under prices: in segue.yaml, or leave --budget out.",
    "failing": "Stopped: the provider answered nothing but failures. Once it is well again, run the same command to go on.",
}
"""`Outcome.stopped` in words, with what to do."""

SHOWN = 3
LOOKED_AT = 500


def say_failures(screen: Console, store: Store, outcome: Outcome) -> None:
    """Name what providers said instead of a reply, the commonest first: a verdict alone sends people to look for it."""
    judging = outcome.judging.failures
    if judging:
        calls = "1 question" if judging.total() == 1 else f"{judging.total():,} questions"
        screen.print(f"{calls} to a judge failed; what they were about has no verdict:", style="yellow")
        for reason, times in judging.most_common(SHOWN):
            screen.print(f"  {times:,} × {printable_line(reason, 300)}", markup=False)
    if not outcome.progress.failed:
        return
    for arm in (outcome.report.incumbent, outcome.report.candidate):
        behaviour = store.get_bundle(arm.digest).bundle.behaviour
        failed = [row.case_id for row in store.iter_arm(behaviour, ()) if row.status == "failure"]
        reasons: Counter[str] = Counter()
        for exchange in store.iter_exchanges(behaviour, case_ids=list(dict.fromkeys(failed))[:LOOKED_AT]):
            if exchange.failure is not None:
                reasons[f"{exchange.failure.kind}: {printable_line(exchange.failure.detail, 300)}"] += 1
        if not reasons:
            continue
        calls = "1 call" if len(failed) == 1 else f"{len(failed):,} calls"
        screen.print(f"{calls} to {arm.model} at {arm.provider} failed ({arm.label}):", style="yellow", markup=False)
        for reason, times in reasons.most_common(SHOWN):
            screen.print(f"  {times:,} × {reason}", markup=False)
        if len(reasons) > SHOWN:
            screen.print(f"  and {len(reasons) - SHOWN} other reasons")


def say_spent(screen: Console, outcome: Outcome) -> None:
    """The bill of the run, calls and judges apart."""
    from segue.cli.evaluation import money

    spent = outcome.spent
    parts = [
        f"{money(cost)} on {number:,} {noun}{'' if number == 1 else 's'}"
        for number, cost, noun in (
            (spent.calls, spent.calls_microusd, "call"),
            (spent.judge_calls, spent.judging_microusd, "judge call"),
        )
        if number
    ]
    total = f"; {money(spent.total_microusd)} in all" if len(parts) > 1 else ""
    unknown = f"; {spent.unpriced:,} of them without a known price" if spent.unpriced else ""
    before = outcome.earlier.total_microusd
    earlier = f"; {money(before)} before, in runs that were not finished" if before else ""
    screen.print(f"Spent: {' and '.join(parts) or 'nothing'}{total}{unknown}{earlier}.", style="dim", markup=False)


def require_results(store: Store, prepared: Prepared) -> None:
    """`NotFoundError` if nothing at all is stored of an arm: then there is nothing to compare, and no verdict to keep."""
    lacking = [arm for _, arm in prepared.arms if next(iter(store.iter_arm(arm.behaviour, ())), None) is None]
    if not lacking:
        return
    names = " nor of ".join(f"{arm.named.label} ({arm.named.bundle.short})" for arm in lacking)
    workflow, candidate = prepared.workflow.name, prepared.new.named.label
    raise NotFoundError(
        f"Nothing is stored of {names} yet, so there is nothing to compare.",
        fix=f"Ask the models: segue eval {workflow} --candidate {candidate}. Or bring results in: segue import --help.",
    )
