"""How many units met a candidate, by the exchange log: for incidents whose decision had no count."""

from __future__ import annotations

from pathlib import Path

from segue.controller.incidents import Incident
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection


def count_exposed(state: Path, incident: Incident) -> int | None:
    """Distinct units whose answer was the candidate's, shadows and our own traffic apart; without units, requests.

    `None` where the log has nothing of the workflow: then nothing is known, and not nobody.
    """
    body = incident.body
    log = ExchangeLog(state / "spool", state / "exchanges")
    chosen = Selection(workflow=incident.workflow, environment=str(body.get("environment")), without_tags=("probe", "eval"))
    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, chosen)
        found = base.execute(
            "SELECT count(*), count(DISTINCT coalesce(unit, id)) FILTER (answered_by = ? AND arm <> 'shadow') FROM exchanges",
            [str(body.get("candidate"))],
        ).fetchone()
    return None if found is None or not found[0] else int(found[1])
