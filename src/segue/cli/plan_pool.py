"""Works through the chunks of a simulation in several processes, with a bar; Ctrl-C keeps what is done.

Results are kept by the place of their chunk, so that neither the number of processes nor who is first changes a figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from segue.rehearsal.side_by_side import Hall, work_side_by_side
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

        def took(index: int, runs: Runs) -> None:
            done[index] = runs
            bar.advance(task, work[index].runs)

        try:
            if processes == 1 or len(work) <= _FEW:
                for index, one in enumerate(work):
                    took(index, simulator.run(one))
            else:
                fix = "Run it again with --processes 1, or with fewer --runs."
                work_side_by_side(Hall(processes, _prepare, (simulator,), "simulation", fix), _work, work, took)
        except KeyboardInterrupt:
            return done, True
    return done, False


_simulators: list[Simulator] = []


def _prepare(simulator: Simulator) -> None:
    """In a new process: what to work with."""
    _simulators.append(simulator)


def _work(one: Work) -> Runs:
    return _simulators[-1].run(one)
