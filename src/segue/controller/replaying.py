"""Sending recorded requests through a gateway of another environment: in order, at a rate, few at once, each answered once.

Knows the gateway's address and key and nothing of its routes. What was sent is noted in a `ReplayFolder`; a replay that was
killed goes on from there. Waiting for shadows: `await_pairs`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import aiohttp

from segue.controller.drift_report import REPLAYED
from segue.controller.replaying_folder import ReplayFolder, Sent
from segue.controller.replaying_money import ReplayMoney
from segue.controller.replaying_records import ReplayRecord
from segue.errors import ProviderError
from segue.exchanges.measures import measure_coverage
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection

MOST_FAILING = 20
"""So many in a row without a connection, and there is no gateway."""
LONGEST_ANSWER_S = 900.0


@dataclass(frozen=True)
class SendSettings:
    """Where to, and how fast. `per_second` begins so many requests a second at most; `at_once` are under way."""

    url: str
    key: str = field(repr=False)
    per_second: float | None = None
    at_once: int = 8


@dataclass
class Tally:
    """What this run sent. `failures`: by kind; those without a connection are sent again when the replay is."""

    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    in_a_row: int = 0


class Replaying:
    """One run of one replay."""

    def __init__(
        self,
        folder: ReplayFolder,
        settings: SendSettings,
        *,
        told: Callable[[Tally], None] = lambda _tally: None,
        is_stopped: Callable[[], bool] = lambda: False,
        money: ReplayMoney | None = None,
    ) -> None:
        self._folder, self._settings, self._told, self._is_stopped = folder, settings, told, is_stopped
        self._money = money
        self.tally = Tally()
        self._next_at = 0.0

    async def send(self, sent: Sent) -> None:
        """Everything that is not done, until stopped. `ProviderError` where no gateway answers any more."""
        settings = self._settings
        timeout = aiohttp.ClientTimeout(total=LONGEST_ANSWER_S, sock_connect=10)
        headers = {"authorization": f"Bearer {settings.key}", "x-api-key": settings.key, "content-type": "application/json"}
        connector = aiohttp.TCPConnector(limit=settings.at_once)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
            waiting = (one for one in self._folder.records() if not sent.is_done(one.number))
            async with asyncio.TaskGroup() as group:
                for _ in range(settings.at_once):
                    group.create_task(self._work(session, waiting))
        if self.tally.in_a_row >= MOST_FAILING:
            raise ProviderError(
                f"The gateway at {settings.url} could not be reached {MOST_FAILING} times in a row.",
                fix="See that it runs, and repeat the command: it goes on where it stopped.",
            )

    def _take(self) -> float:
        """How many seconds until the next request may begin; each who asks gets a turn of its own."""
        if self._settings.per_second is None:
            return 0.0
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at)
        self._next_at = at + 1.0 / self._settings.per_second
        return at - now

    async def _work(self, session: aiohttp.ClientSession, waiting: Iterator[ReplayRecord]) -> None:
        while not self._is_stopped() and self.tally.in_a_row < MOST_FAILING:
            if self._money is not None and not await self._money.may_begin(self._is_stopped):
                return
            record = next(waiting, None)
            if record is None:
                return
            wait_s = self._take()
            while wait_s > 0 and not self._is_stopped():
                await asyncio.sleep(min(wait_s, 0.2))
                wait_s -= 0.2
            if self._is_stopped():
                return
            self._folder.note(record.number, "begun")
            what = await self._ask(session, record)
            self._folder.note(record.number, what)
            self._count(what)

    async def _ask(self, session: aiohttp.ClientSession, record: ReplayRecord) -> str:
        """`answered`, why it was refused, or `again`."""
        headers = record.headers(self._folder.path.name)
        try:
            async with session.post(
                self._settings.url + record.path, data=record.body, headers=headers, allow_redirects=False
            ) as answer:
                async for _ in answer.content.iter_chunked(1 << 16):
                    pass
                return "answered" if answer.status < 300 else f"status {answer.status}"
        except TimeoutError:
            return "no answer in time"
        except (aiohttp.ClientError, OSError):
            return "again"

    def _count(self, what: str) -> None:
        self.tally.in_a_row = self.tally.in_a_row + 1 if what == "again" else 0
        if what == "answered":
            self.tally.answered += 1
        else:
            self.tally.failures["no connection" if what == "again" else what] += 1
        self._told(self.tally)


def settle_begun(folder: ReplayFolder, sent: Sent, log: ExchangeLog, environment: str, made_ns: int) -> Sent:
    """Of what was under way when the replay was killed: answered, as the log has it, or to be sent again."""
    if not sent.begun:
        return sent
    name = folder.path.name
    selection = Selection(environment=environment, since_ns=made_ns)
    for row in log.iterate(selection, with_bodies=False):
        exchange = row.exchange
        replay, _, place = exchange.attributes.get(REPLAYED, "").rpartition(":")
        if replay != name or exchange.arm == "shadow" or not place.isdecimal() or int(place) not in sent.begun:
            continue
        if exchange.failure is None and exchange.status is not None and exchange.status < 300:
            folder.note(int(place), "answered")
    for number in sorted(folder.sent().begun):
        folder.note(number, "again")
    return folder.sent()


async def await_pairs(
    log: ExchangeLog,
    selection: Selection,
    *,
    patience_s: float = 10.0,
    is_stopped: Callable[[], bool] = lambda: False,
    told: Callable[[int, int], None] = lambda _served, _shadowed: None,
) -> tuple[int, int]:
    """Wait until each served exchange has its shadow, or no more have come for a while; gives how many of both there are."""
    loop = asyncio.get_running_loop()
    last, since = -1, loop.time()
    while True:
        coverage = await asyncio.to_thread(measure_coverage, log, selection)
        told(coverage.n_served, coverage.n_shadowed)
        if coverage.n_shadowed > last:
            last, since = coverage.n_shadowed, loop.time()
        if coverage.n_shadowed >= coverage.n_served or loop.time() - since > patience_s or is_stopped():
            return coverage.n_served, coverage.n_shadowed
        await asyncio.sleep(0.3)
