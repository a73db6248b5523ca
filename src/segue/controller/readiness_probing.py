"""What readiness is judged on: the incumbent asked, many at once if wanted, and what this machine's gateways served last."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from segue.controller.readiness import Burst, LastServed
from segue.errors import SegueError
from segue.gateway.last_known import load_last_known
from segue.model import Bundle, Case, Message
from segue.model.route import RouteRevision
from segue.providers.clock import SystemClock
from segue.providers.config import open_provider, parse_provider
from segue.providers.rendering import prompt_variables, render_request
from segue.workspace import Workspace

TIMEOUT_S = 60.0
WEEK_NS = 7 * 86_400 * 10**9
MINUTE_NS = 60 * 10**9


def ask_burst(workspace: Workspace, bundle: Bundle, count: int) -> Burst:
    """Ask the bundle's own provider a case of its suite, `count` times at once, without the retries that hide a limit."""
    entries = workspace.config.providers
    name = bundle.model.provider
    if name not in entries:
        return Burst(count, 0, unasked=f"segue.yaml has no provider '{name}'.")
    try:
        return asyncio.run(_ask_all(workspace, bundle, count))
    except SegueError as error:
        return Burst(count, 0, unasked=error.what)


async def _ask_all(workspace: Workspace, bundle: Bundle, count: int) -> Burst:
    name = bundle.model.provider
    config = parse_provider(name, workspace.config.providers[name])
    clock = SystemClock()
    provider = open_provider(name, config, environ=workspace.environ, clock=clock)
    case = _question(workspace, bundle)

    async def one(number: int) -> str | None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                outcome = await provider.ask(render_request(bundle, case, number))
        except TimeoutError:
            return "timeout"
        return None if outcome.failure is None else outcome.failure.kind

    try:
        found = await asyncio.gather(*(one(number) for number in range(count)))
    finally:
        await provider.close()
    reasons = tuple(sorted({one for one in found if one is not None}))
    return Burst(count, sum(one is None for one in found), reasons)


def _question(workspace: Workspace, bundle: Bundle) -> Case:
    """The first case of the workflow's suites; where there is none that can be read, the least that can be asked."""
    with suppress(SegueError):
        for suite in workspace.suites(bundle.workflow):
            for case in workspace.iter_suite(bundle.workflow, suite):
                return case
    names = prompt_variables(bundle.prompt.system) | prompt_variables(bundle.prompt.template)
    said = (Message(role="user", content="Hello"),)
    return Case(case_id="ready", messages=said, variables=dict.fromkeys(sorted(names), "ready"))


def find_last_served(state: Path, revision: RouteRevision, now: float) -> LastServed:
    """From the last known routes and the exchange log of this machine, as far as they can be read."""
    route = revision.route
    known = None
    try:
        bundle = load_last_known(state / f"last-known-{route.environment}.json").bundles.get(route.incumbent)
        known = None if bundle is None else bundle.digest
    except SegueError:
        pass
    try:
        incumbent, busiest = _from_log(state, route.workflow, route.environment, int(now * 1e9))
    except (SegueError, ImportError):
        incumbent, busiest = None, None
    return LastServed(known, incumbent, busiest)


def _from_log(state: Path, workflow: str, environment: str, now_ns: int) -> tuple[str | None, int | None]:
    """Whom the newest request of the incumbent's share was given to, and the requests of the week's busiest minute."""
    from segue.exchanges.query import ExchangeLog
    from segue.exchanges.selection import Selection

    log = ExchangeLog(state / "spool", state / "exchanges")
    chosen = Selection(workflow=workflow, environment=environment, without_tags=("probe", "eval"), since_ns=now_ns - WEEK_NS)
    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, chosen)
        newest = base.execute(
            "SELECT answered_by FROM exchanges WHERE arm = 'incumbent' AND fallback_from IS NULL AND answered_by IS NOT NULL "
            "ORDER BY at_ns DESC LIMIT 1"
        ).fetchone()
        busiest = base.execute(
            f"SELECT max(n) FROM (SELECT count(*) AS n FROM exchanges WHERE arm <> 'shadow' GROUP BY at_ns // {MINUTE_NS})"  # noqa: S608
        ).fetchone()
    return (None if newest is None else str(newest[0])), (None if busiest is None or busiest[0] is None else int(busiest[0]))
