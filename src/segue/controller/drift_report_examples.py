"""Answers side by side: pairs that show a move, taken from the log when somebody looks. Never stored in a report that is kept.

Where the workflow keeps no bodies there is nothing to show, and it says so.
"""

from __future__ import annotations

from segue.controller.drift_report import has_failed, reply_of
from segue.drift.drift_report import DriftReport, Move, Shown
from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import Logged
from segue.exchanges.selection import Selection

MOST_CHARACTERS = 2_000
MOST_QUESTIONS = 12
"""Questions that examples are looked up for: the first ones, which moved most."""


def with_examples(report: DriftReport, log: ExchangeLog, count: int) -> DriftReport:
    """The report with up to `count` pairs for each question that moved; a pair is shown once, with the first move it shows.

    Time and money cannot be read in an answer: those moves have none.
    """
    shown: set[str] = set()
    asked: set[str] = set()
    moves: list[Move] = []
    for move in report.moves:
        examples: list[Shown] = []
        if move.question not in asked and len(asked) < MOST_QUESTIONS and move.dimension not in ("latency", "cost"):
            asked.add(move.question)
            fresh = [one for one in move.witnesses if one not in shown][:count]
            shown.update(fresh)
            examples = [find_example(log, report, pair) for pair in fresh]
        moves.append(move.model_copy(update={"examples": tuple(examples)}))
    return report.model_copy(update={"moves": tuple(moves)})


def find_example(log: ExchangeLog, report: DriftReport, pair: str) -> Shown:
    """One pair, as the log has it now."""
    served = log.find(pair)
    if served is None:
        return Shown(pair=pair, why="The log does not have it any more: retention, or sampling.")
    at_ns = served.exchange.at_ns
    selection = Selection(
        workflow=report.workflow, environment=report.environment, arm="shadow", pair=pair, since_ns=at_ns, until_ns=at_ns + 1
    )
    shadow = next(log.iterate(selection), None)
    if shadow is None:
        return Shown(pair=pair, why="The log does not have the candidate's answer any more: retention, or sampling.")
    old, new = _text(served), _text(shadow)
    kept = {one.exchange.response.kept for one in (served, shadow)}
    why = "" if kept <= {"full", "absent"} else "The workflow does not keep what is answered (serving: keep in workflow.yaml)."
    return Shown(pair=pair, old=old, new=new, why=why if old is None or new is None else "")


def _text(logged: Logged) -> str | None:
    """What was answered: the text, then the calls; `None` where that is not kept."""
    if has_failed(logged.exchange):
        status = "" if logged.exchange.status is None else f", status {logged.exchange.status}"
        return f"(no answer: {logged.exchange.failure or 'failed'}{status})"
    reply = reply_of(logged)
    if reply is None:
        return None
    calls = [f"[calls {call.name}({call.arguments})]" for call in reply.tool_calls]
    text = "\n".join(part for part in (reply.text, *calls) if part) or "(empty)"
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + f"… ({len(text):,} characters)"
