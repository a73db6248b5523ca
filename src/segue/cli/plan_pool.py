"""Works through the chunks of a simulation in several processes, with a bar; Ctrl-C keeps what is done.

Results are kept by the place of their chunk, so that neither the number of processes nor who is first changes a figure.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from segue.errors import InputError
from segue.simulation import Runs, Simulator, Work

_FEW = 2
"""So many chunks are worked here: processes take a second to start."""


def work_through(
    simulator: Simulator, work: Sequence[Work], processes: int, screen: Console, *, is_quiet: bool
) -> tuple[dict[int, Runs], bool]:
    """The results by place in `work`, and whether it was interrupted."""
    total = sum(one.runs for one in work)
    bar = Progress(
        TextColumn("simulating"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} runs"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=is_quiet or not screen.is_terminal,
    )
    done: dict[int, Runs] = {}
    with bar:
        task = bar.add_task("simulating", total=total)
        try:
            if processes == 1 or len(work) <= _FEW:
                for index, one in enumerate(work):
                    done[index] = simulator.run(one)
                    bar.advance(task, one.runs)
            else:
                _work_together(simulator, work, min(processes, len(work)), done, lambda runs: bar.advance(task, runs))
        except KeyboardInterrupt:
            return done, True
    return done, False


def _work_together(simulator: Simulator, work: Sequence[Work], processes: int, done: dict[int, Runs], advance: object) -> None:
    assert callable(advance)
    # Spawned, not forked: the bar has a thread, and a fork among threads may hang.
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_prepare, initargs=(simulator,))
    try:
        places = {pool.submit(_work, one): index for index, one in enumerate(work)}
        for future in as_completed(places):
            done[places[future]] = future.result()
            advance(work[places[future]].runs)
        pool.shutdown()
    except BrokenProcessPool:
        raise InputError(
            "A process of the simulation ended by itself: there may be too little memory.",
            fix="Run it again with --processes 1, or with fewer --runs.",
        ) from None
    except KeyboardInterrupt:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


_simulators: list[Simulator] = []


def _prepare(simulator: Simulator) -> None:
    """In a new process: what to work with. Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _simulators.append(simulator)


def _work(one: Work) -> Runs:
    return _simulators[-1].run(one)
