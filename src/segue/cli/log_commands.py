"""`segue log`: the append-only log and its hash chain."""

from __future__ import annotations

import re

import click

from segue.cli.app import ERROR
from segue.cli.bundle_commands import print_tampering
from segue.cli.desk import open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import json_option
from segue.cli.screen import console, error_console, print_json, print_table


@click.group("log", cls=CommandGroup, invoke_without_command=True)
@click.option(
    "--last", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="How many entries to show."
)
@json_option
@click.pass_context
def log_command(context: click.Context, last: int, as_json: bool) -> None:
    """Show the latest entries: who did what, when.

    `segue log verify` proves that none was changed.
    """
    if context.invoked_subcommand is not None:
        return
    from collections import deque

    from segue.gates.report import plain

    with open_desk() as desk:
        entries = deque(desk.store.iter_log(), maxlen=last)
    if as_json:
        print_json([plain(entry) for entry in entries])
        return
    if not entries:
        error_console().print("The log is empty: nothing has been stored yet.")
        return
    rows = [(str(one.seq), one.at, one.author, one.kind, _short(one.subject), one.hash[:10]) for one in entries]
    print_table(console(), ("#", "at", "author", "what", "of", "hash"), rows, right=(0,), fold=4)


def _short(subject: str) -> str:
    """A subject with its digests as short as people type them."""
    return re.sub(r"[0-9a-f]{64}", lambda digest: digest.group()[:10], subject)


@log_command.command("verify")
@json_option
def verify(as_json: bool) -> None:
    """Walk the hash chain, and check every record it vouches for. Exit code 1 if anything was changed.

    It vouches for bundles, suites, runs and verdicts with their reports. Single answers and scores are append-only, and not
    vouched for one by one: a report is proven, what it was worked out from is not.
    """
    with open_desk() as desk:
        found = desk.store.verify_log()
    if as_json:
        print_json({"holds": found.holds, "entries": found.n_entries, "head": found.head, "faults": list(found.faults)})
    elif found.holds:
        entries = "1 entry" if found.n_entries == 1 else f"{found.n_entries:,} entries"
        console().print(f"The chain holds: {entries}, head {found.head}.", soft_wrap=True)
        console().print("It vouches for bundles, suites, runs and verdicts; not for each answer and score.", style="dim")
        console().print("Note the head elsewhere to be able to prove later that nothing was cut off at the end.", style="dim")
    else:
        print_tampering(found.faults)
    if not found.holds:
        raise SystemExit(ERROR)
