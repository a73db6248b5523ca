"""Asks the suite of both bundles at the production endpoint, as any client would, and scores the answers as an eval does.

Each bundle is pinned, and each request marked `eval`, so that the exchange log keeps it out of all evidence. What came from
another bundle (a fallback) is no answer of this one. The same cases are asked every day. Off the controller's way: it runs as
a job (`segue daily`). What it found goes to `daily_facts`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

import aiohttp
import numpy as np

from segue.controller.daily_facts import DailyMetric, DailyResult
from segue.controller.suites_endpoint import Endpoint
from segue.evals.arms import PreparedArm
from segue.model import Case, Exchange, Parameters, Reply, digest_of
from segue.model.request import ModelRequest
from segue.scoring.base import Scorer
from segue.store.base import CaseRow
from segue.wire.openai_chat import decode_reply, encode_request
from segue.wire.profiles import OPENAI_COMPATIBLE

CONCURRENCY = 4
TIMEOUT_S = 120.0
MOST_CASES = 200
"""Asked of each bundle a day, unless somebody says otherwise."""
_LONGEST = 200

Answer = Reply | str
"""A reply, or in a few words why there is none."""
Asks = Callable[[str, Case], Awaitable[tuple[Answer, str, float]]]
"""From a bundle's digest and a case to the answer, the code of the gateway's error, and how long it took."""


@dataclass(frozen=True, slots=True)
class DailyArm:
    """One bundle to ask, with the scorers of its workflow."""

    role: str
    arm: PreparedArm

    @property
    def digest(self) -> str:
        return self.arm.named.bundle.digest


@dataclass
class _Tally:
    """What the answers of one bundle came to."""

    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    cells: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, metric: str, case: Case, value: float) -> None:
        for where in ("", *(f"{name}={one}" for name, one in case.slices.items())):
            cell = self.cells.setdefault((metric, where), [0, 0.0, 0.0])
            cell[0] += 1
            cell[1] += value
            cell[2] += value * value


def choose_cases(rows: Iterable[CaseRow], *, most: int, seed: str) -> list[str]:
    """The same cases every day: all critical ones first, then as many others as there is room for, evenly by chance."""
    ranked = sorted((not row.critical, blake2b(f"{seed} {row.case_id}".encode()).digest(), row.case_id) for row in rows)
    return sorted(case_id for _, _, case_id in ranked[:most])


class DailyEval:
    """One day's eval. `now_ms` is a clock that never goes back."""

    def __init__(
        self, endpoint: Endpoint, workflow: str, *, now_ms: Callable[[], float] = lambda: time.perf_counter() * 1e3
    ) -> None:
        self._endpoint, self._workflow, self._now_ms = endpoint, workflow, now_ms

    def measure(
        self, arms: Sequence[DailyArm], cases: Sequence[Case], *, day: str, suite: str, n_suite: int
    ) -> list[DailyResult]:
        """A result for each bundle. Never raises for what the gateway does: that is counted by reason."""
        return asyncio.run(self._measure(arms, cases, day=day, suite=suite, n_suite=n_suite))

    async def _measure(
        self, arms: Sequence[DailyArm], cases: Sequence[Case], *, day: str, suite: str, n_suite: int
    ) -> list[DailyResult]:
        tallies = {one.digest: _Tally() for one in arms}
        absent: dict[str, str] = {}
        gate = asyncio.Semaphore(CONCURRENCY)
        async with self._asking() as asked:

            async def ask(one: DailyArm, case: Case) -> None:
                if one.digest in absent:
                    return
                async with gate:
                    answer, code, ms = await asked(one.digest, case)
                if code == "no_bundle":
                    absent[one.digest] = "the route does not hold it yet"
                else:
                    _note(tallies[one.digest], one.arm, case, answer, ms)

            # Case by case, so that both meet the same hour.
            await asyncio.gather(*(ask(one, case) for case in cases for one in arms))
        return [
            self._result(one, tallies[one.digest], cases, day=day, suite=suite, n_suite=n_suite, absent=absent.get(one.digest))
            for one in arms
        ]

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Asks]:
        """How a bundle is asked. A rehearsal has models of its own in this place."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            yield partial(self._ask, session)

    async def _ask(self, session: aiohttp.ClientSession, bundle: str, case: Case) -> tuple[Answer, str, float]:
        """The answer, the code of the gateway's error, and how long it took."""
        headers = {"authorization": f"Bearer {self._endpoint.key}", "segue-pin": bundle, "segue-tag": "eval"}
        began = self._now_ms()
        try:
            async with session.post(
                f"{self._endpoint.origin}/v1/chat/completions", json=self._body(case), headers=headers, allow_redirects=False
            ) as response:
                body = await response.read()
                ms = self._now_ms() - began
                if response.status >= 300:
                    code = _code_of(body)
                    return f"status {response.status}{f' ({code})' if code else ''}", code, ms
                if response.headers.get("segue-bundle") != bundle:
                    return "another bundle answered", "", ms
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__, "", self._now_ms() - began
        decoded = decode_reply(body, withheld=())
        if decoded.reply is None:
            return "not readable" if decoded.failure is None else decoded.failure.kind, "", ms
        return decoded.reply, "", ms

    def _body(self, case: Case) -> dict[str, Any]:
        """What the application would send: the conversation, and the variables of the bundle's prompt."""
        request = ModelRequest(
            snapshot=self._workflow,
            messages=case.messages,
            system="",
            parameters=Parameters(),
            tools=case.tools,
            idempotency_key="",
        )
        body: dict[str, Any] = dict(encode_request(request, profile=OPENAI_COMPATIBLE, stream=False).body)
        if case.variables:
            body["segue"] = {"variables": dict(case.variables)}
        return body

    def _result(
        self,
        one: DailyArm,
        tally: _Tally,
        cases: Sequence[Case],
        *,
        day: str,
        suite: str,
        n_suite: int,
        absent: str | None,
    ) -> DailyResult:
        if absent is not None:
            return DailyResult(day=day, bundle=one.digest, role=one.role, absent=absent)
        pure = [scorer for scorer in one.arm.scorers if isinstance(scorer, Scorer)]
        metrics = {
            metric.name: DailyMetric(
                better=metric.better,
                is_bounded=metric.is_bounded,
                cells={
                    where: (int(sums[0]), sums[1], sums[2])
                    for (name, where), sums in tally.cells.items()
                    if name == metric.name
                },
            )
            for scorer in pure
            for metric in scorer.metrics
        }
        asked = [metric.name for scorer in one.arm.scorers if scorer not in pure for metric in scorer.metrics]
        p50, p95 = np.quantile(tally.latencies, [0.5, 0.95]) if tally.latencies else (None, None)
        return DailyResult(
            day=day,
            bundle=one.digest,
            role=one.role,
            suite=suite,
            cases=digest_of([[case.case_id, case.digest] for case in cases]),
            n_cases=len(cases),
            n_suite=n_suite,
            n_answered=tally.answered,
            failures=dict(tally.failures),
            metrics=metrics,
            latency_p50_ms=None if p50 is None else float(p50),
            latency_p95_ms=None if p95 is None else float(p95),
            unscored=tuple(asked),
        )


def _note(tally: _Tally, arm: PreparedArm, case: Case, answer: Answer, ms: float) -> None:
    if isinstance(answer, str):
        tally.failures[answer] += 1
        return
    tally.answered += 1
    tally.latencies.append(ms)
    exchange = Exchange(arm.behaviour, case.case_id, case.input_digest, reply=answer)
    for scorer in arm.scorers:
        if isinstance(scorer, Scorer):
            for score in scorer.score(case, exchange):
                if score.value is not None:
                    tally.add(score.name, case, score.value)


def _code_of(body: bytes) -> str:
    """The code of an error in the shape of OpenAI's; empty where there is none to read."""
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return ""
    return code[:_LONGEST] if isinstance(code, str) else ""
