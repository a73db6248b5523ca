"""Words for upgrades, said the same on every screen: events, places, lengths of time. No decisions, no figures of its own."""

from __future__ import annotations

from datetime import datetime

from segue.papers.figures import MINUS, number
from segue.papers.upgrade_view import GateView, PlaceView

EVENTS: dict[str, str] = {
    "opened": "opened",
    "rolled_back_elsewhere": "rolled back by hand",
    "critical_incident": "critical incident",
    "harm": "harm",
    "route_changed": "route changed by hand",
    "incumbent_silent": "incumbent silent",
    "invalid": "comparison invalid",
    "harm_hold": "harm beyond the hold limit",
    "over_budget": "over budget",
    "incumbent_unheard": "incumbent not heard from",
    "unserved": "not served by every gateway",
    "unconfirmed": "confirmation lost",
    "quiet": "quiet",
    "overdue": "overdue",
    "confirmed": "confirmed by the gateways",
    "needs_approval": "waits for approval",
    "passed": "passed",
    "unsound": "not on these grounds",
    "suite_open": "suite left open",
    "suite_failed": "suite failed",
    "suite_equal": "no better, no reason",
    "staging_failed": "staging failed",
    "advance": "advanced",
    "approve": "approved",
    "hold": "held",
    "pause": "paused",
    "resume": "resumed",
    "roll_back": "rolled back",
    "abort": "aborted",
    "replace": "candidate replaced",
    "defer": "deferred",
}
"""Event → what is said of it in a list of what happened."""

VERDICTS: dict[str, str] = {"harm": "▼ harm", "invalid": "✕ invalid", "inconclusive": "? open", "safe": "= safe"}


def event_words(event: str) -> str:
    """What happened."""
    return EVENTS.get(event, event.replace("_", " "))


def verdict_words(verdict: str) -> str:
    """With a sign, so that no colour is needed."""
    return VERDICTS.get(verdict, verdict)


def place_words(place: PlaceView) -> str:
    """`5 %`, `internal 100 %`, `shadow`."""
    if place.share is None:
        return place.name
    share = f"{number(place.share * 100)} %"
    return f"{place.segment} {share}" if place.segment else share


def span(seconds: float | None) -> str:
    """A length of time in at most two units: `45 s`, `1 min 30 s`, `3 h 20 min`, `2 d 3 h`, `14 d`."""
    if seconds is None:
        return "unknown"
    left = max(0, round(seconds))
    if left < 60:
        return f"{left} s"
    minutes, hours, days = left // 60, left // 3600, left // 86_400
    if minutes < 60:
        rest = left - minutes * 60
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    if hours < 24:
        rest = minutes - hours * 60
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    rest = hours - days * 24
    return f"{days} d {rest} h" if rest and days < 10 else f"{days} d"


def moment(at: str | None) -> str:
    """`2026-11-25 14:00 UTC`; what is no moment stays as it is."""
    if at is None:
        return "–"
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return at
    return found.strftime("%Y-%m-%d %H:%M") + " UTC"


def effect_words(gate: GateView, *, with_unit: bool = True) -> str:
    """`+1.2 [−0.3, +2.6] points`: how much worse the candidate is; `–` where it is not known."""
    if gate.effect is None and gate.low is None and gate.high is None:
        return "–"
    return f"{_signed(gate.effect)} [{_signed(gate.low)}, {_signed(gate.high)}] {gate.unit if with_unit else ''}".strip()


def _signed(value: float | None) -> str:
    if value is None:
        return "?"
    text = f"{abs(value):.1f}" if abs(value) < 100 else number(abs(value))
    if float(text.replace(",", "")) == 0:
        return "0"
    return ("+" if value > 0 else MINUS) + text


def settled_words(gate: GateView) -> str:
    """What would settle it: `~300 more, 2 d`; empty where nothing is open or nothing is known."""
    if gate.verdict != "inconclusive":
        return ""
    if gate.settled_by is None:
        return "–"
    when = "" if gate.settled_in_days is None else f", {span(max(gate.settled_in_days, 1 / 24) * 86_400)}"
    return f"~{gate.settled_by:,} more{when}"
