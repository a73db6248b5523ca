"""`segue daily`: the suite on both bundles of an upgrade, asked at the production endpoint like any client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from segue.cli.desk import Desk, open_desk
from segue.cli.named_upgrade import find_named
from segue.cli.options import NAME, json_option
from segue.cli.route_commands import environment_option
from segue.cli.screen import console, print_json, print_table
from segue.errors import ConflictError, InputError

if TYPE_CHECKING:
    from segue.controller.daily_facts import DailyResult
    from segue.controller.suites_endpoint import Endpoint


@click.command("daily")
@click.argument("workflow", type=NAME)
@environment_option
@click.option("--endpoint", metavar="URL", help="Where production is reached. Default: gateway.endpoint of segue.yaml.")
@click.option("--cases", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Asked of each bundle, at most.")
@json_option
def daily_command(workflow: str, environment: str, endpoint: str | None, cases: int, as_json: bool) -> None:
    """Ask the suite of both bundles of WORKFLOW's upgrade at the production endpoint, once a day (UTC).

    The controller does so by itself. The key comes from the environment: the variable that gateway.endpoint_key_env names, else
    SEGUE_ENDPOINT_KEY; it needs the permissions call and pin. The requests are kept out of all evidence. Once a week
    outputs are drawn for segue review, too.
    """
    from segue.cli.review_commands import draw_week, note_month
    from segue.controller.daily_desk import prepare_daily, run_daily

    with open_desk() as desk:
        upgrade = find_named(desk, workflow, environment)
        if upgrade.state.is_ended:
            raise ConflictError(
                f"The last upgrade of '{workflow}' has ended: there are no two bundles to ask.", fix="See: segue history."
            )
        place = _endpoint(desk, endpoint)
        at = desk.now()
        prepared = prepare_daily(desk.workspace, desk.store, upgrade, author=desk.author, at=at, most=cases)
        found = run_daily(desk.store, upgrade, prepared, place, day=at[:10], author=desk.author, at=at)
        draw_week(desk, upgrade)
        note_month(desk, upgrade)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    screen = console()
    if not found:
        screen.print("Both bundles were asked today already.")
    for one in found:
        _show(one)


def _endpoint(desk: Desk, url: str | None) -> Endpoint:
    from segue.controller.suites_endpoint import ENDPOINT_KEY, Endpoint, find_endpoint

    settings, environ = desk.workspace.config.gateway, desk.workspace.environ
    if url is not None and environ.get(ENDPOINT_KEY):
        return Endpoint(url, environ[ENDPOINT_KEY])
    named = settings if url is None else settings.model_copy(update={"endpoint": url})
    found = find_endpoint(named, environ)
    if found is None:
        raise InputError(
            "It is not known where production is reached.",
            fix="Say --endpoint URL, or write gateway: {endpoint: URL, endpoint_key_env: VARIABLE} into segue.yaml.",
        )
    return replace(found, url=url or found.url)


def _show(one: DailyResult) -> None:
    screen = console()
    if one.absent:
        screen.print(f"{one.role} {one.bundle[:10]}: not asked, {one.absent}.", markup=False)
        return
    failed = "".join(f"; {n} × {why}" for why, n in sorted(one.failures.items()))
    screen.print(f"{one.role} {one.bundle[:10]}: {one.n_answered} of {one.n_cases} answered{failed}", markup=False)
    rows = [
        (name, where or "all", str(n), f"{total / n:.3f}")
        for name, metric in one.metrics.items()
        for where, (n, total, _) in metric.cells.items()
    ]
    if rows:
        print_table(screen, ("metric", "slice", "cases", "mean"), rows, right=(2, 3))
