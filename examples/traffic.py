"""Customers of the demo's shop, and the people who read what it answers: traffic for a gateway, until told to end.

Mails are drawn from a suite, a few hundred a second, each from a customer of its own, with the language and the tier that the
shop knows of them. Each answer is looked at as the shop does a moment later: where the step it chose had to be corrected, that
goes back to the gateway as feedback. A line with counts is written every second, so that whoever reads it sees it live.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

MOST_AT_ONCE = 200


class Traffic:
    """Open loop: mails come at their rate, whatever becomes of those before."""

    def __init__(
        self, url: str, key: str | None, workflow: str, cases: list[dict[str, Any]], rate: Callable[[], float], seed: int
    ) -> None:
        self._url, self._workflow, self._cases = url, workflow, cases
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._rate, self._random = rate, np.random.default_rng(seed)
        self.counts = {"answered": 0, "failed": 0, "corrected": 0}
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, ended: asyncio.Event) -> None:
        """Until `ended`; mails under way are answered first."""
        loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(limit=MOST_AT_ONCE)
        async with aiohttp.ClientSession(headers=self._headers, connector=connector) as session:
            began, number = loop.time(), 0
            due = began
            while not ended.is_set():
                number += 1
                due = max(due + 1 / self._rate(), loop.time() - 1.0)
                wait = due - loop.time()
                if wait > 0:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(ended.wait(), wait)
                if len(self._under_way) < MOST_AT_ONCE:
                    task = asyncio.create_task(self._mail(session, number))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
            await asyncio.gather(*self._under_way)

    async def _mail(self, session: aiohttp.ClientSession, number: int) -> None:
        case = self._cases[int(self._random.integers(len(self._cases)))]
        slices = {"task": case["task"], **case["slice"]}
        headers = {
            "segue-unit": f"customer-{number}",
            "segue-attributes": ", ".join(f"{name}={value}" for name, value in slices.items()),
        }
        body = {"model": self._workflow, "messages": case["messages"], "metadata": {"tier": case["slice"]["tier"]}}
        body["segue"] = {"variables": case["variables"]}
        try:
            async with session.post(f"{self._url}/v1/chat/completions", json=body, headers=headers) as answer:
                found = await answer.json()
                exchange = answer.headers.get("segue-exchange")
                is_good = answer.status == 200
        except (aiohttp.ClientError, TimeoutError, ValueError):
            self.counts["failed"] += 1
            return
        self.counts["answered" if is_good else "failed"] += 1
        if is_good and exchange is not None:
            await self._read(session, exchange, case, found["choices"][0]["message"]["content"])

    async def _read(self, session: aiohttp.ClientSession, exchange: str, case: dict[str, Any], text: str) -> None:
        """Somebody at the shop looks whether the step was the right one."""
        corrected = step_of(text) != case["reference"]["action"]
        self.counts["corrected"] += corrected
        told = {"exchange": exchange, "scores": {"corrected": float(corrected)}, "author": "the shop"}
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(f"{self._url}/v1/feedback", json=told) as answer:
                await answer.read()


def step_of(text: str) -> str | None:
    """The step that an answer chose, also where a fence stands around it."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[begin : end + 1])
    except ValueError:
        return None
    return found.get("action") if isinstance(found, dict) else None


async def main() -> None:
    """Read the options, send mails, say how many."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--key")
    parser.add_argument("--workflow", required=True)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=100.0, help="mails a second")
    parser.add_argument("--busy", type=float, help="mails a second while the file --busy-while is there")
    parser.add_argument("--busy-while", type=Path, metavar="FILE")
    parser.add_argument("--seed", type=int, default=7)
    found = parser.parse_args()
    lines = found.suite.read_text(encoding="utf-8").splitlines()
    cases = [case for case in map(json.loads, lines) if case["kind"] == "representative"]

    def rate() -> float:
        is_busy = found.busy_while is not None and found.busy is not None and found.busy_while.exists()
        return float(found.busy if is_busy else found.rate)

    traffic = Traffic(found.url, found.key, found.workflow, cases, rate, found.seed)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, ended.set)
    running = asyncio.create_task(traffic.run(ended))
    while not running.done():
        await asyncio.wait([running], timeout=1.0)
        sys.stdout.write(json.dumps(traffic.counts) + "\n")
        sys.stdout.flush()
    running.result()


if __name__ == "__main__":
    asyncio.run(main())
