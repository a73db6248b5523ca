"""Many pieces of one work in several processes, each handed over as it is done. Ctrl-C ends them and is the caller's to answer.

What is worked at is the caller's: functions of a module, so that another process can be told of them. Simulations use it too.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from segue.errors import InputError

Item = TypeVar("Item")
Done = TypeVar("Done")


@dataclass(frozen=True)
class Hall:
    """Where it is worked: so many processes, each of which calls `prepare` once. `name` and `fix` are told where one dies."""

    processes: int
    prepare: Callable[..., None]
    given: tuple[Any, ...]
    name: str
    fix: str


def work_side_by_side(
    hall: Hall, work: Callable[[Item], Done], items: Sequence[Item], took: Callable[[int, Done], None]
) -> None:
    """Hands each result to `took` with its place in `items`, in the order in which they are done.

    `InputError` where a process ended by itself; `KeyboardInterrupt`, from Ctrl-C or `took`, once the others were told to end.
    """
    # Spawned, not forked: the screen has threads, and a fork among threads may hang.
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    given = (hall.prepare, *hall.given)
    pool = ProcessPoolExecutor(min(hall.processes, len(items)), mp_context=context, initializer=_begin, initargs=given)
    try:
        places = {pool.submit(work, one): place for place, one in enumerate(items)}
        for future in as_completed(places):
            took(places[future], future.result())
        pool.shutdown()
    except BrokenProcessPool:
        raise InputError(
            f"A process of the {hall.name} ended by itself: there may be too little memory.", fix=hall.fix
        ) from None
    except KeyboardInterrupt:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _begin(prepare: Callable[..., None], *given: Any) -> None:
    """In a new process. Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare(*given)
