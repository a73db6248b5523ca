"""The runner: asks what is missing, keeps every finished call at once, and can be stopped anywhere.

A call is *finished* when its exchange is in the store; only then does it count as done. It was noted as begun before it
was sent, so that a later run can say how many were in flight when the process died. It carries the same idempotency key
whenever it is sent, so a provider that honours such keys bills it once even then.

It decides nothing: which calls are missing is `plan`'s, what they mean is `compare`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

from segue.errors import SegueError
from segue.evals.plan import ArmName, Call
from segue.evals.purse import Purse
from segue.model import Case, Exchange, Score
from segue.providers.base import ModelOutcome, ModelRequest
from segue.store.base import Store

BATCH = 256
"""At most this many calls are noted as begun in one write."""

Ask = Callable[[Call, ModelRequest], Awaitable[ModelOutcome]]
"""Asks the right provider, with manners: retries, pacing and time-outs are its own."""
Render = Callable[[Call], ModelRequest]
ScoreNow = Callable[[ArmName, Case, Exchange], Mapping[str, Sequence[Score]]]
"""Cheap scores of one exchange, by scorer digest."""
ScoredRow = tuple[str, str, int, Sequence[Score]]


@dataclass(slots=True)
class Progress:
    """How far a run is. Costs are in millionths of a dollar; `unpriced` replies have no known cost."""

    planned: int = 0
    done: int = 0
    failed: int = 0
    cost_microusd: float = 0.0
    unpriced: int = 0
    negative_flips: int = 0
    positive_flips: int = 0
    in_flight: int = 0
    stopped: str | None = None


@dataclass(slots=True)
class Limits:
    """When to stop asking: a budget, a request from outside, or providers that answer nothing but failures."""

    budget_microusd: float | None = None
    give_up_after_failures: int = 50
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Runner:
    """Performs calls with bounded concurrency and writes what comes back."""

    def __init__(
        self,
        store: Store,
        *,
        run: str,
        ask: Ask,
        render: Render,
        concurrency: int,
        now: Callable[[], str],
        score_now: ScoreNow | None = None,
        primary: str | None = None,
        better: str = "higher",
        on_progress: Callable[[Progress], None] | None = None,
        purse: Purse | None = None,
    ) -> None:
        self._store = store
        self._run = run
        self._ask = ask
        self._render = render
        self._concurrency = concurrency
        self._now = now
        self._score_now = score_now
        self._flips = _Flips(primary, better)
        self._on_progress = on_progress
        self._failures_in_a_row = 0
        self._purse = purse or Purse()
        self._error: SegueError | None = None
        self.progress = Progress()

    async def perform(self, calls: Iterable[Call], limits: Limits, *, planned: int) -> Progress:
        """Perform the calls. Returns when all are finished or a limit stopped it; `progress.stopped` says why.

        Cancelling leaves everything finished in the store. A call that cannot be made at all, and a store that cannot be
        written, end the run with their `SegueError` once the calls under way have come back.
        """
        self.progress.planned += planned
        self.progress.stopped = None
        self._purse.budget_microusd = limits.budget_microusd
        source = _Source(calls)
        writer = _Writer(self._write, most_waiting=max(1, self._concurrency // 2))
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="segue-begin") as pool:
            begun = _Begun(source, self._store, self._run, pool, self._concurrency)
            writer.start()
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(max(1, self._concurrency)):
                        group.create_task(self._work(begun, writer, limits))
            finally:
                begun.abandon()
                await asyncio.get_running_loop().run_in_executor(None, writer.close)
        if writer.error is not None:
            raise writer.error
        if self._error is not None:
            raise self._error
        return self.progress

    async def _work(self, begun: _Begun, writer: _Writer, limits: Limits) -> None:
        try:
            while (reason := self._must_stop(limits)) is None:
                if writer.error is not None or self._error is not None:
                    return
                call = await begun.take()
                if call is None:
                    return
                request = self._render(call)
                reason = await self._purse.reserve(call.arm)
                if reason is not None:
                    break
                await self._perform_one(call, request, writer, limits)
            self.progress.stopped = reason
        except SegueError as error:
            # Raised by `perform` later: the calls under way are paid for, and leaving now would lose their answers.
            self._error = self._error or error

    async def _perform_one(self, call: Call, request: ModelRequest, writer: _Writer, limits: Limits) -> None:
        outcome: ModelOutcome | None = None
        try:
            if limits.stop.is_set():
                return
            self.progress.in_flight += 1
            try:
                outcome = await self._ask(call, request)
            finally:
                self.progress.in_flight -= 1
        finally:
            self._purse.settle(call.arm, outcome)
        self._failures_in_a_row = self._failures_in_a_row + 1 if outcome.failure is not None else 0
        await writer.put(call, exchange_of(call, outcome, at=self._now()))

    def _must_stop(self, limits: Limits) -> str | None:
        if limits.stop.is_set():
            return "interrupted"
        if self._failures_in_a_row >= limits.give_up_after_failures:
            return "failing"
        return None

    def _write(self, batch: Sequence[tuple[Call, Exchange]]) -> None:
        """Runs on the writer's thread: exchanges first, then their cheap scores, then progress."""
        self._store.add_exchanges([exchange for _, exchange in batch])
        given = [self._scores_of(call, exchange) for call, exchange in batch]
        rows: dict[tuple[str, str], list[ScoredRow]] = {}
        for (_, exchange), values in zip(batch, given, strict=True):
            for digest, scores in values.items():
                # A scorer that broke is asked again when the run is scored; only what it said is kept.
                if all(score.status != "error" for score in scores):
                    row = (exchange.case_id, exchange.input_digest, exchange.repeat, scores)
                    rows.setdefault((exchange.behaviour, digest), []).append(row)
        for (behaviour, digest), some in rows.items():
            self._store.add_scores(behaviour, digest, some)
        for (call, exchange), values in zip(batch, given, strict=True):
            self._count(call, exchange, values)
        if self._on_progress is not None:
            self._on_progress(self.progress)

    def _scores_of(self, call: Call, exchange: Exchange) -> Mapping[str, Sequence[Score]]:
        if exchange.reply is None or self._score_now is None:
            return {}
        return self._score_now(call.arm, call.case, exchange)

    def _count(self, call: Call, exchange: Exchange, values: Mapping[str, Sequence[Score]]) -> None:
        progress = self.progress
        progress.done += 1
        if exchange.failure is not None:
            progress.failed += 1
        if exchange.cost_microusd is not None:
            progress.cost_microusd += exchange.cost_microusd
        elif exchange.reply is not None:
            progress.unpriced += 1
        if call.repeat == 0:
            negative, positive = self._flips.add(call, values)
            progress.negative_flips += negative
            progress.positive_flips += positive


def exchange_of(call: Call, outcome: ModelOutcome, *, at: str) -> Exchange:
    """The exchange that a call's outcome makes."""
    return Exchange(
        behaviour=call.bundle.behaviour,
        case_id=call.case.case_id,
        input_digest=call.case.input_digest,
        repeat=call.repeat,
        reply=outcome.reply,
        failure=outcome.failure,
        usage=outcome.usage,
        latency_ms=outcome.latency_ms,
        ttft_ms=outcome.ttft_ms,
        cost_microusd=outcome.cost_microusd,
        cost_source=outcome.cost_source,
        at=at,
    )


class _Source:
    """Hands out calls one at a time."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self._calls: Iterator[Call] = iter(calls)

    def take(self, most: int) -> list[Call]:
        taken = []
        for call in self._calls:
            taken.append(call)
            if len(taken) >= most:
                break
        return taken


class _Begun:
    """Calls that are noted as begun, a small batch ahead, so that the note costs one write for many.

    The next batch is noted while the last one is handed out: a call that may go out never waits for the store.
    """

    def __init__(self, source: _Source, store: Store, run: str, pool: ThreadPoolExecutor, ahead: int) -> None:
        self._source, self._store, self._run, self._pool = source, store, run, pool
        self._size = max(1, min(BATCH, ahead // 2))
        self._ready: list[Call] = []
        self._next: asyncio.Future[list[Call]] | None = None
        self._lock = asyncio.Lock()

    async def take(self) -> Call | None:
        async with self._lock:
            if not self._ready:
                self._ready = await (self._next or self._ahead())
                self._ready.reverse()
                self._next = self._ahead() if self._ready else None
            return self._ready.pop() if self._ready else None

    def abandon(self) -> None:
        """No further call is taken: what the next batch meets is nobody's concern."""
        if self._next is not None:
            self._next.add_done_callback(lambda batch: batch.cancelled() or batch.exception())
            self._next = None

    def _ahead(self) -> asyncio.Future[list[Call]]:
        return asyncio.get_running_loop().run_in_executor(self._pool, self._fill)

    def _fill(self) -> list[Call]:
        batch = self._source.take(self._size)
        if batch:
            self._store.begin_attempts(self._run, [call.key for call in batch])
        return batch


class _Writer:
    """One thread that writes finished calls, as many at once as are waiting.

    `put` returns at once while at most `most_waiting` calls are not durable yet, so that no call waits for the disk; beyond
    that it waits, so that a slow disk slows the asking down and little is lost with the process.
    """

    def __init__(self, write: Callable[[Sequence[tuple[Call, Exchange]]], None], *, most_waiting: int) -> None:
        self._write = write
        self._room = asyncio.Semaphore(most_waiting)
        self._queue: SimpleQueue[tuple[Call, Exchange] | None] = SimpleQueue()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="segue-write")
        self.error: BaseException | None = None

    def start(self) -> None:
        self._done = self._pool.submit(self._serve, asyncio.get_running_loop())

    async def put(self, call: Call, exchange: Exchange) -> None:
        # First into the queue: a call that is cancelled while it waits for room has been paid for, and is written all the same.
        self._queue.put((call, exchange))
        await self._room.acquire()

    def close(self) -> None:
        self._queue.put(None)
        self._done.result()
        self._pool.shutdown()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            item = self._queue.get()
            if item is None:
                return
            batch = [item]
            last = False
            while not self._queue.empty() and len(batch) < BATCH:
                following = self._queue.get()
                if following is None:
                    last = True
                    break
                batch.append(following)
            try:
                if self.error is None:
                    self._write(batch)
            except BaseException as error:
                self.error = error
            loop.call_soon_threadsafe(self._make_room, len(batch))
            if last:
                return

    def _make_room(self, calls: int) -> None:
        for _ in range(calls):
            self._room.release()


class _Flips:
    """Counts answer flips of first runs while they come in."""

    def __init__(self, primary: str | None, better: str) -> None:
        self._primary = primary
        self._lower = better == "lower"
        self._seen: dict[tuple[str, str], bool] = {}

    def add(self, call: Call, values: Mapping[str, Sequence[Score]]) -> tuple[int, int]:
        value = next(
            (
                score.value
                for scores in values.values()
                for score in scores
                if score.name == self._primary and score.value is not None
            ),
            None,
        )
        if value is None:
            return 0, 0
        right = (value < 0.5) if self._lower else (value > 0.5)
        other = self._seen.pop(("candidate" if call.arm == "incumbent" else "incumbent", call.case.case_id), None)
        if other is None:
            self._seen[(call.arm, call.case.case_id)] = right
            return 0, 0
        old, new = (right, other) if call.arm == "incumbent" else (other, right)
        return int(old and not new), int(new and not old)
