"""A whole replay: gather what is to be sent, or go on with what was; a gateway for it; send; wait for the pairs.

The command and the job of staging both run this. Where a replay goes is a route of its own environment, never production.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from segue.controller.reading import PRODUCTION
from segue.controller.replaying import Replaying, SendSettings, Tally, await_pairs, settle_begun
from segue.controller.replaying_folder import Head, ReplayFolder, Sent
from segue.controller.replaying_gateway import a_child_gateway
from segue.controller.replaying_money import ReplayMoney, Spent, Stopped, spent_in_log
from segue.controller.replaying_records import Gathered, ReplayRecord, read_export, read_log, replayable, suite_records
from segue.errors import InputError, NotFoundError
from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import Logged
from segue.exchanges.selection import Selection
from segue.model import Case
from segue.store.base import RouteStore

Stop = Callable[[asyncio.Event], None]
SourceKind = Literal["production", "export", "suite"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where requests come from, and in words that name the same again."""

    kind: SourceKind
    asked: str
    records: Callable[[Gathered], Iterator[ReplayRecord]]


@dataclass(frozen=True)
class ReplayWork:
    """What a replay works with. Without a `url` it starts a gateway of its own. `clock_ns` is UTC since 1970."""

    root: Path
    log: ExchangeLog
    workflow: str
    environment: str
    clock_ns: Callable[[], int]
    url: str | None = None
    key: str = field(default="", repr=False)
    per_second: float | None = None
    at_once: int = 8
    patience_s: float = 10.0
    """So long it waits for another shadow before it says that some are missing."""
    limit_microusd: float | None = None
    """What both bundles may cost together, over all runs of the replay."""
    enrich: Callable[[Logged], Logged] = lambda logged: logged
    """What an exchange cost that was not shipped yet."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: all of it (`sent`), this run of it (`tally`), and the pairs that the log has."""

    head: Head
    sent: Sent
    tally: Tally
    n_served: int
    n_shadowed: int
    is_stopped: bool
    money: Stopped = ""
    """Why it ended before its end, where that was for money."""
    spent: Spent | None = None
    """What it has cost, where somebody set a limit."""


@dataclass
class Watch:
    """Who sees it go on. All may do nothing."""

    gathered: Callable[[Head, Sent], None] = lambda _head, _sent: None
    told: Callable[[Tally], None] = lambda _tally: None
    waiting: Callable[[int, int], None] = lambda _served, _shadowed: None
    stop: Stop = lambda _event: None


def log_source(log: ExchangeLog, workflow: str, since_ns: int | None, limit: int | None, asked: str) -> Source:
    """The gateway's own log of production."""
    selection = Selection(workflow=workflow, environment=PRODUCTION, since_ns=since_ns)
    return Source("production", asked, lambda gathered: replayable(read_log(log, selection), workflow, gathered, limit))


def export_source(path: Path, workflow: str, limit: int | None, asked: str) -> Source:
    """A file that `segue exchanges export` wrote."""
    return Source("export", asked, lambda gathered: replayable(read_export(path), workflow, gathered, limit))


def suite_source(cases: Callable[[], Iterator[Case]], workflow: str, limit: int | None, asked: str) -> Source:
    """The inputs of a suite, where nothing was recorded."""
    return Source("suite", asked, lambda gathered: suite_records(cases(), workflow, gathered, limit))


def check_route(store: RouteStore, workflow: str, environment: str) -> None:
    """`InputError` where a replay would give no pairs: no route, or one that shadows nobody."""
    if environment == PRODUCTION:
        raise InputError("A replay goes to another environment than production.", fix="Leave --environment out.")
    fix = f"Set one: segue route set {workflow} INCUMBENT --candidate CANDIDATE --shadow 100% --environment {environment}"
    try:
        route = store.find_route(workflow, environment).route
    except NotFoundError:
        raise NotFoundError(f"'{workflow}' has no route in {environment}.", fix=fix) from None
    if route.shadow is None or route.shadow.share < 1.0 or route.share > 0 or route.segments:
        raise InputError(
            f"The route of '{workflow}' in {environment} does not shadow every request, so a replay would not give every pair.",
            fix=fix,
        )


def run_replay(work: ReplayWork, folder: ReplayFolder, source: Source, watch: Watch) -> Replayed:
    """Send what is not sent yet, and wait for the pairs. Its folder is open."""
    head = folder.head or _gather(work, folder, source)
    if not head.n:
        folder.forget()
        reasons = "; ".join(f"{n:,}: {reason}" for reason, n in head.left_out.items()) or "there is none"
        fix = "Ask for a longer time, or let the workflow keep bodies: serving: keep: full in workflow.yaml."
        raise InputError(f"Nothing of it can be replayed ({reasons}).", fix=fix)
    sent = settle_begun(folder, folder.sent(), work.log, work.environment, head.made_ns)
    watch.gathered(head, sent)
    if head.is_finished:
        return Replayed(head, sent, Tally(), *_pairs(work, head, watch), is_stopped=False)
    with ExitStack() as stack:
        url, key = work.url, work.key
        if url is None:
            gateway = stack.enter_context(a_child_gateway(work.root, work.environment, folder.path / "gateway.log"))
            if work.workflow not in gateway.revisions:
                why = gateway.refused.get(work.workflow, "it has no route there")
                raise InputError(f"'{work.workflow}' cannot be served in {work.environment}: {why}", fix="Mend its route.")
            url, key = gateway.url, gateway.key
        settings = SendSettings(url.rstrip("/").removesuffix("/v1"), key, work.per_second, work.at_once)
        money = _money(work, head, sent)
        tally, is_stopped, counts = asyncio.run(_send(work, folder, head, sent, settings, watch, money))
    sent = folder.sent()
    is_done = all(sent.is_done(number) for number in range(head.n))
    if not is_stopped and is_done:
        folder.finish(head)
    found = Replayed(head, sent, tally, *counts, is_stopped=is_stopped)
    return found if money is None or is_done else replace(found, money=money.stopped, spent=money.spent)


def _money(work: ReplayWork, head: Head, sent: Sent) -> ReplayMoney | None:
    if work.limit_microusd is None:
        return None
    count = spent_in_log(
        work.log,
        work.enrich,
        workflow=work.workflow,
        environment=work.environment,
        replay=head.name,
        since_ns=head.made_ns,
    )
    begun = len(sent.answered) + len(sent.refused)
    return ReplayMoney(work.limit_microusd, count, begun=begun, at_once=work.at_once)


def _gather(work: ReplayWork, folder: ReplayFolder, source: Source) -> Head:
    gathered, made_ns = Gathered(), work.clock_ns()

    def head() -> Head:
        return Head(
            name=folder.path.name,
            workflow=work.workflow,
            environment=work.environment,
            source=source.kind,
            asked=source.asked,
            n=gathered.n,
            left_out=dict(gathered.left_out.most_common()),
            made_ns=made_ns,
            began_ns=gathered.began_ns,
            ended_ns=gathered.ended_ns,
        )

    return folder.begin(lambda: source.records(gathered), gathered, head)


async def _send(
    work: ReplayWork,
    folder: ReplayFolder,
    head: Head,
    sent: Sent,
    settings: SendSettings,
    watch: Watch,
    money: ReplayMoney | None,
) -> tuple[Tally, bool, tuple[int, int]]:
    stop = asyncio.Event()
    watch.stop(stop)
    run = Replaying(folder, settings, told=watch.told, is_stopped=stop.is_set, money=money)
    await run.send(sent)
    counts = await _await_pairs(work, head, watch, stop)
    return run.tally, stop.is_set(), counts


def _pairs(work: ReplayWork, head: Head, watch: Watch) -> tuple[int, int]:
    return asyncio.run(_await_pairs(work, head, watch, asyncio.Event()))


async def _await_pairs(work: ReplayWork, head: Head, watch: Watch, stop: asyncio.Event) -> tuple[int, int]:
    selection = Selection(workflow=work.workflow, environment=work.environment, since_ns=head.made_ns)
    return await await_pairs(work.log, selection, patience_s=work.patience_s, is_stopped=stop.is_set, told=watch.waiting)
