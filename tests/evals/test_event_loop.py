"""Nothing that waits for a disk, and nothing that computes for long, runs in the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from segue.store import open_store
from tests.evals.builders import Model, perform, some_cases


class Witness:
    """A store that notes on which threads it is used."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.threads: dict[str, set[int]] = {}

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self.store, name)

        def noted(*args: Any, **given: Any) -> Any:
            self.threads.setdefault(name, set()).add(threading.get_ident())
            return inner(*args, **given)

        return noted


async def test_the_store_is_never_written_in_the_event_loop(tmp_path: Path) -> None:
    """Notes, answers and scores go by threads of their own, one writer each."""
    witness = Witness(open_store(str(tmp_path / "state.db")))
    try:
        cases = some_cases(200)
        await perform(witness, Model(), cases, concurrency=32)  # type: ignore[arg-type]
    finally:
        witness.store.close()
    for name in ("begin_attempts", "add_exchanges", "add_scores"):
        assert threading.get_ident() not in witness.threads[name]
        assert len(witness.threads[name]) == 1


async def test_no_turn_of_the_event_loop_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand calls at two hundred in flight: the longest turn takes a few milliseconds of the processor."""
    turns: list[float] = []
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        # The time of this thread alone: what other processes take of the machine does not count.
        before = time.thread_time()
        run(handle)
        turns.append(time.thread_time() - before)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    store = open_store(str(tmp_path / "state.db"))
    try:
        progress = await perform(store, Model(), some_cases(500), concurrency=200)
    finally:
        store.close()
    assert progress.done == 1000
    longest = sorted(turns)[-5:]
    assert longest[0] < 0.010
