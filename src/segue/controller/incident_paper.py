"""An incident as Markdown: what happened, when, on what evidence, and what is left to do. Made from facts each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segue.controller.incidents import Incident
from segue.papers.markdown_text import code, plain, table

UNKNOWN = "unknown"


def incident_markdown(incident: Incident, *, exposed: int | None = None) -> str:
    """The report. `exposed` is how many the exchange log counts, where the decision had no count."""
    body = incident.body
    parts = [f"# Incident {code(incident.name)}", _head(incident, exposed), "## What set it off", _trigger(body)]
    parts += ["## Timeline (UTC)", _timeline(body), "## Figures at the decision", _figures(body)]
    parts += ["## What follows", _follows(incident)]
    return "\n\n".join(parts) + "\n"


def _head(incident: Incident, exposed: int | None) -> str:
    body = incident.body
    met = body.get("exposed") if body.get("exposed") is not None else exposed
    unit = str(body.get("unit") or "units")
    rows = [
        ("Workflow", f"{code(str(body.get('workflow')))} in {code(str(body.get('environment')))}"),
        ("Upgrade", code(str(body.get("upgrade")))),
        ("Candidate", f"{code(str(body.get('candidate'))[:10])}, model {code(str(body.get('model') or UNKNOWN))}"),
        ("Back to", code(str(body.get("incumbent"))[:10])),
        ("Stage", plain(_stage(body))),
        (
            "Met the candidate",
            UNKNOWN if met is None else plain(f"{met:,} {unit}s" if not unit.endswith("s") else f"{met:,} {unit}"),
        ),
        ("Opened", plain(incident.at)),
    ]
    return table(("", ""), rows)


def _stage(body: Mapping[str, Any]) -> str:
    stage = str(body.get("stage"))
    step = f", step {int(body.get('step') or 0) + 1}" if stage == "canary" else ""
    return f"{stage}{step}, candidate at {100 * float(body.get('share') or 0.0):.4g} %"


def _trigger(body: Mapping[str, Any]) -> str:
    who = f"{plain(str(body['by']))} rolled back." if body.get("by") else "Rolled back by itself."
    reasons = "\n".join(f"- {plain(str(one))}" for one in body.get("because") or ())
    event = str(body.get("event", "")).replace("_", " ")
    return f"{who} Event: {plain(event)}.\n\n{reasons}".rstrip()


def _timeline(body: Mapping[str, Any]) -> str:
    rows = [
        (
            plain(str(one.get("at"))),
            plain(str(one.get("what")).replace("_", " ")),
            plain(str(one.get("by"))),
            plain(str(one.get("why"))),
        )
        for one in body.get("timeline") or ()
        if isinstance(one, dict)
    ]
    return table(("at", "what", "by", "why"), rows)


def _figures(body: Mapping[str, Any]) -> str:
    """The cells of the judgement, worst first as it gave them."""
    evidence = body.get("evidence") if isinstance(body.get("evidence"), dict) else {}
    judgement = evidence.get("judgement") if isinstance(evidence, dict) else None
    cells = judgement.get("cells") if isinstance(judgement, dict) else None
    if not isinstance(cells, list) or not cells:
        return "No judgement stood at the decision: these figures are unknown."
    rows = [
        (
            code(str(cell.get("metric"))),
            code(str(cell.get("slice") or "all")),
            plain(str(cell.get("verdict"))),
            _number(cell.get("effect")),
            _number(cell.get("exposed")),
            _number(cell.get("labelled")),
        )
        for cell in cells
        if isinstance(cell, dict)
    ]
    return table(
        ("metric", "slice", "verdict", "worse by", "exposed", "labelled"), rows, right=("worse by", "exposed", "labelled")
    )


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return UNKNOWN if value is None else plain(str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _follows(incident: Incident) -> str:
    cases = ", ".join(code(f"{one.suite}/{one.case_id}") for one in incident.cases)
    lines = [
        f"- Root cause: {plain(incident.root_cause) if incident.root_cause else 'not recorded'}",
        f"- Action: {plain(incident.action) if incident.action else 'not recorded'}",
        f"- New regression cases: {cases or 'not recorded'}",
    ]
    missing = incident.missing()
    if missing:
        lines.append(f"- No new upgrade to {code(incident.model)} yet: {plain('; '.join(missing))}.")
    return "\n".join(lines)
