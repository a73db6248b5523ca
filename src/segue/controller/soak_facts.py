"""What is known of an upgrade beside its gates, in soak above all: daily evals, probes, outputs people read, tickets, cost,
and notices that nobody got.

Read from facts alone, so that whoever shows a status opens no log and asks nobody. What writes them: `daily_desk`, `probing`,
`review`, `tickets`, `notices`; the month's cost is written down by the daily job (`save_month`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from segue.controller import daily_facts, probing
from segue.controller.daily_facts import DailyResult, DailySeen, daily_seen
from segue.controller.notices_seen import undelivered
from segue.controller.projection import Projection, project_month
from segue.controller.review import review_seen
from segue.controller.review_draw import NO_EVIDENCE
from segue.controller.tickets import KIND as TICKETS
from segue.controller.tickets import ticket_trend
from segue.exchanges.measures import measure
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from segue.gates.report import plain
from segue.papers.upgrade_view import SoakFactView
from segue.store.upgrades import UpgradeStore
from segue.upgrade.log import Upgrade
from segue.upgrade.table import LIVE

MONTH = "monthly-cost"
DAY_S = 86_400.0
MONTH_OF_DAYS = 7
"""A month is projected from the last week, or as much of it as the upgrade has lasted."""
TREND_DAYS = 14


def soak_facts_view(store: UpgradeStore, upgrade: Upgrade, now: float) -> tuple[SoakFactView, ...]:
    """One line for each part there is something to say of; trouble is marked as such."""
    is_live = upgrade.state.stage in LIVE
    found = [_daily(store, upgrade, now), _probe(store, upgrade)]
    if is_live:
        found += [_review(store, upgrade), _tickets(store, upgrade, now), _month(store, upgrade)]
    return (*(one for one in found if one is not None), *_notices(store, upgrade, now))


def _notices(store: UpgradeStore, upgrade: Upgrade, now: float) -> Iterator[SoakFactView]:
    """Those that nobody got: a line for each receiver and reason, without what of its address may be a secret."""
    for one in undelivered(store, upgrade, now):
        figures: dict[str, Any] = {"to": one.to, "count": one.count, "outcome": one.fate or "unsent", "reason": one.reason}
        figures |= {"attempts": one.attempts, "next_at": one.next_at}
        yield SoakFactView("notices", one.sentence, is_trouble=not one.is_over, figures=figures)


def measure_month(log: ExchangeLog, upgrade: Upgrade, now: float) -> Projection:
    """From the last week of the log, or as much of it as the upgrade has lasted."""
    opening, state = upgrade.opening, upgrade.state
    span_s = min(max(0.0, now - opening.at), MONTH_OF_DAYS * DAY_S)
    selection = Selection(
        workflow=opening.workflow,
        environment=opening.environment,
        since_ns=int((now - span_s) * 1e9),
        until_ns=int(now * 1e9),
        without_tags=NO_EVIDENCE,
    )
    return project_month(measure(log, selection), span_s, bundles=(state.incumbent, state.candidate))


def save_month(store: UpgradeStore, upgrade: Upgrade, found: Projection, *, author: str, at: str) -> None:
    """Write down what a month would cost, as it looks today."""
    opening = upgrade.opening
    body: dict[str, Any] = {"day": at[:10], **plain(found)}
    store.add_fact(MONTH, opening.workflow, opening.upgrade, body, author=author, at=at)


def _daily(store: UpgradeStore, upgrade: Upgrade, now: float) -> SoakFactView | None:
    if upgrade.state.is_ended and not store.list_facts(upgrade.opening.workflow, kind=daily_facts.KIND):
        return None
    seen = daily_seen(store, upgrade, now if not upgrade.state.is_ended else upgrade.state.entered_at)
    told = " ".join(seen.trouble) or _figures(seen)
    figures = {
        "days": seen.n_days,
        "last_day": None if seen.last_day is None else seen.last_day.isoformat(),
        "trouble": list(seen.trouble),
        "bundles": {role: one.model_dump(mode="json") for role, one in seen.latest.items()},
    }
    return SoakFactView("daily eval", told, is_trouble=bool(seen.trouble), figures=figures)


def _figures(seen: DailySeen) -> str:
    if not seen.latest:
        return "None was made yet."
    return f"On {seen.last_day}: " + "; ".join(_one(one) for one in seen.latest.values()) + "."


def _one(one: DailyResult) -> str:
    means = [
        f"{name} {total / n:.3g}"
        for name, metric in one.metrics.items()
        for n, total, _ in [metric.cells.get("", (0, 0.0, 0.0))]
        if n
    ]
    return f"{one.role} answered {one.n_answered} of {one.n_cases}" + (f", {', '.join(means[:3])}" if means else "")


def _probe(store: UpgradeStore, upgrade: Upgrade) -> SoakFactView | None:
    opening = upgrade.opening
    facts = store.list_facts(opening.workflow, kind=probing.KIND, subject=opening.upgrade)
    if not facts:
        return None
    last = facts[-1]
    answers, reason = bool(last.body.get("answers")), str(last.body.get("reason", ""))
    told = f"It answers, since {last.at}." if answers else f"It does not answer, since {last.at}: {reason}."
    return SoakFactView("incumbent", told, is_trouble=not answers, figures={"answers": answers, "since": last.at})


def _review(store: UpgradeStore, upgrade: Upgrade) -> SoakFactView:
    seen = review_seen(store, upgrade)
    figures = {"drawn": seen.n_sides, "read": seen.n_read, "by_bundle": plain(seen.by_bundle)}
    return SoakFactView("reading", seen.sentence, figures=figures)


def _tickets(store: UpgradeStore, upgrade: Upgrade, now: float) -> SoakFactView | None:
    """Where anybody ever counted: whoever does not is not told every day that nobody did."""
    workflow = upgrade.opening.workflow
    if not store.list_facts(workflow, kind=TICKETS):
        return None
    last = datetime.fromtimestamp(now, UTC).date() - timedelta(days=1)
    trend = ticket_trend(store, workflow, last - timedelta(days=TREND_DAYS - 1), last)
    figures = {"per_day": trend.per_day, "per_day_before": trend.per_day_before, "unknown_days": len(trend.unknown)}
    return SoakFactView("tickets", trend.sentence, figures=figures)


def _month(store: UpgradeStore, upgrade: Upgrade) -> SoakFactView | None:
    opening, state = upgrade.opening, upgrade.state
    facts = store.list_facts(opening.workflow, kind=MONTH, subject=opening.upgrade)
    if not facts:
        return None
    body = facts[-1].body
    rows = {str(one["bundle"]): one for one in body.get("bundles", ())}
    parts = [
        f"{role} {_dollars(rows.get(bundle, {}))}"
        for role, bundle in (("incumbent", state.incumbent), ("candidate", state.candidate))
    ]
    told = f"If it served everyone: {', '.join(parts)} a month (as of {body.get('day')})."
    return SoakFactView("cost", told, figures=body)


def _dollars(row: dict[str, Any]) -> str:
    month, low, high = (row.get(name) for name in ("usd_per_month", "low", "high"))
    if month is None:
        return "unknown"
    between = "" if low is None or high is None else f" ({low:,.2f} to {high:,.2f})"
    return f"${month:,.2f}{between}"
