"""`python -m benchmarks runner | million | startup | gate`."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

NAMES = {
    "runner": "asking at 200 in flight, beside Inspect and promptfoo",
    "million": "import and compare 100,000 and 1,000,000 recorded rows",
    "startup": "how long the command takes to begin",
    "gate": "how quiet and how awake the gate is, simulated",
    "replay": "the recorded GPT-4 upgrade as live traffic, and the same release on both sides",
    "simulate": "1,000 runs of a 45-day plan through the command, beside one process and a quarter of the slices",
    "rehearsal": "whole upgrades on virtual time: what they take, and the recorded GPT-4 upgrade from eval to canary",
    "cells": "what a look at 200 cells costs, early and late in an upgrade",
    "exposure": "users exposed before a rollback, and false rollbacks, simulated",
    "gateway_http": "the HTTP layer of the gateway as a bare proxy, beside nginx",
    "gateway": "the whole gateway, everything on, beside nginx and the bare HTTP layer; all its processes counted",
    "gateway_shadow": "what a full shadow does to the users' latency, in turns with none",
    "gateway_beside": "the whole gateway beside LiteLLM's proxy and Portkey's gateway",
    "gateway_streams": "streams through the whole gateway: per chunk, first text, delay, memory",
    "gateway_memory": "memory over a million requests",
    "gateway_parts": "what the parts of a gateway's worker cost, one upon the other, beside nginx",
    "flips": "flips of eight workers under load: decision to last confirmation, and what became of the requests",
    "rollbacks": "rollbacks of two gateways with four workers each, under load: decision to last confirmation",
    "exchange_log": "what it costs to log an exchange, beside JSON lines and SQLite; shipping to Parquet",
    "exchange_log_query": "questions to five million exchanges, beside SQLite",
}

MAY_BE_NOTHING = ("seed", "pause_ms")
"""Numbers of which 0 means something."""


def main() -> None:
    """Run one benchmark, print its tables, and add its figures to a JSON file if one is named."""
    told = "\n".join(f"  {name:<9} {text}" for name, text in NAMES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", epilog=told, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=False
    )
    parser.add_argument("name", choices=list(NAMES), metavar="NAME")
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        parser.print_help()
        raise SystemExit(0 if sys.argv[1:] in (["--help"], ["-h"]) else 2)
    # Only the one that is asked for is imported: what this process holds counts as the peak of those it starts.
    module = import_module(f"benchmarks.{sys.argv[1]}")
    one = argparse.ArgumentParser(prog=f"python -m benchmarks {sys.argv[1]}", description=module.__doc__)
    one.add_argument("--json", type=Path, metavar="FILE", help="add the figures to this file")
    module.arguments(one)
    given = one.parse_args(sys.argv[2:])
    for name, value in vars(given).items():
        if isinstance(value, int | float) and name not in MAY_BE_NOTHING and one.get_default(name) > 0 >= value:
            one.error(f"argument --{name.replace('_', '-')}: {value} measures nothing; give a number above 0")
    module.measure(given, given.json)


if __name__ == "__main__":
    main()
