"""Opens a session for a command, and shows how it goes on standard error."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from segue.cli.desk import Desk, utc_now
from segue.cli.screen import error_console

if TYPE_CHECKING:
    from segue.evals.catalogue import NamedBundle
    from segue.evals.forecast import Forecast, JudgeEstimate
    from segue.evals.judge_calls import JudgeProgress
    from segue.evals.plan import ArmEstimate
    from segue.evals.run import Progress as RunProgress
    from segue.evals.session import Listener, Session
    from segue.evals.spending import Spent


SILENCE_S = 15.0
"""Where standard error is no terminal, how far a run is is said this many seconds apart."""


def open_session(desk: Desk) -> Session:
    """A session on the desk's workspace and store, with the real clock and fresh randomness. It looks at the gate first."""
    import numpy as np

    from segue.cli.gate_first import GateFirstSession
    from segue.evals.catalogue import Catalogue
    from segue.evals.connections import Connections
    from segue.providers.clock import SystemClock

    catalogue = Catalogue(
        desk.workspace, desk.store, author=desk.author, at=desk.now(), moved=lambda one: _say_moved(desk, one)
    )
    connections = Connections(desk.workspace, desk.store, clock=SystemClock(), rng=np.random.default_rng())
    return GateFirstSession(catalogue, connections, now=utc_now, author=desk.author, new_run=new_run)


def _say_moved(desk: Desk, named: NamedBundle) -> None:
    """A label points elsewhere because the files it is made of were edited: nobody should find that out from a digest."""
    from segue.model.bundle_diff import diff_bundles

    assert named.moved_from is not None, "only a label that pointed somewhere moves"
    found = diff_bundles(desk.store.get_bundle(named.moved_from).bundle, named.bundle)
    error_console().print(
        f"{named.label} is now {named.bundle.short} (was {named.moved_from[:10]}): {'; '.join(found.sentences())}.",
        style="yellow",
        markup=False,
    )


def new_run() -> str:
    """A fresh identifier of a run."""
    return f"run-{secrets.token_hex(6)}"


def money(microusd: float | None) -> str:
    """Dollars as people read them; an unknown amount is said to be unknown."""
    if microusd is None:
        return "unknown cost"
    dollars = microusd / 1e6
    return f"${dollars:.2f}" if dollars >= 0.1 or dollars == 0 else f"${dollars:.4f}"


@contextmanager
def watching(screen: Console) -> Iterator[Listener]:
    """A listener that shows estimate, progress, rate, cost and flips: as a bar, or line by line where there is no terminal."""
    from segue.evals.session import Listener

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TextColumn("{task.fields[line]}"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    with bar:
        state = _Shown(screen, bar)
        yield Listener(
            estimated=state.estimated,
            counted_before=state.counted_before,
            began=state.began,
            progressed=state.progressed,
            judged=state.judged,
            scored=state.scored,
            lost=state.lost,
        )


class _Shown:
    """What is on the screen now."""

    def __init__(self, screen: Console, bar: Progress) -> None:
        self._screen, self._bar = screen, bar
        self._task: TaskID | None = None
        self._what, self._planned = "", 0
        self._done, self._before = 0, 0
        self._scored: TaskID | None = None
        self._n_scored = 0
        self._said = bar.get_time()

    def estimated(self, forecast: Forecast) -> None:
        repeats = forecast.runs
        times = f" for {repeats} runs of each case" if repeats > 1 else ""
        for arm in forecast.arms:
            kept = f"; {_counted(arm.kept, 'answer')} stored already" if arm.kept else ""
            self._screen.print(f"{arm.arm}: {_asked(arm, times)}{kept}", style="dim")
        for judge in forecast.judges:
            kept = f"; {_counted(judge.kept, 'verdict')} stored already" if judge.kept else ""
            self._screen.print(f"judge {judge.metric}: {_asked(judge, times)}{kept}", style="dim")
        line = f"{_counted(repeats, 'run')}: {_counted(forecast.calls, 'call')}, {money(forecast.cost_microusd)}"
        if forecast.most_calls > forecast.calls:
            most = money(forecast.most_microusd)
            line += f"; with re-runs and repeats at most {_counted(forecast.most_calls, 'call')}, at most {most}"
        self._screen.print(line, style="dim")

    def counted_before(self, earlier: Spent, budget_microusd: float) -> None:
        self._screen.print(
            f"Earlier runs of this eval that were not finished spent {money(earlier.total_microusd)}; "
            f"it counts towards the budget of {money(budget_microusd)}.",
            style="yellow",
        )

    def lost(self, calls: int) -> None:
        self._screen.print(
            f"An earlier run ended with at most {_counted(calls, 'call')} under way. "
            "What has no answer is asked again, with the same idempotency key.",
            style="yellow",
        )

    def began(self, what: str, planned: int) -> None:
        self._before += self._done
        # The session names the last of the repeats that are made now.
        self._what = f"up to {what}" if what.startswith("repeat ") else what
        self._planned, self._done = planned, 0
        for task in (self._task, self._scored):
            if task is not None:
                self._bar.remove_task(task)
        self._task, self._scored, self._n_scored = None, None, 0
        if planned:
            self._task = self._bar.add_task(self._what, total=planned, line="")

    def progressed(self, run: RunProgress) -> None:
        if self._task is None:
            return
        self._done = run.done - self._before
        failed = f", {run.failed:,} failed" if run.failed else ""
        self._show(self._done, f"{money(run.cost_microusd)}, flips −{run.negative_flips} +{run.positive_flips}{failed}")

    def _show(self, done: int, line: str) -> None:
        if self._task is None:
            return
        speed = self._bar.tasks[-1].speed
        rate = f"{speed:.{1 if speed < 10 else 0}f}/s, " if speed else ""
        self._bar.update(self._task, completed=done, line=rate + line)
        if not self._screen.is_terminal and self._bar.get_time() - self._said >= SILENCE_S:
            self._said = self._bar.get_time()
            self._screen.print(f"{self._what}: {done:,} of {self._planned:,} done, {line}", style="dim")

    def judged(self, done: int, judging: JudgeProgress) -> None:
        failed = f", {sum(judging.failures.values()):,} failed" if judging.failures else ""
        self._show(done, f"{_counted(judging.calls, 'judge call')}, {money(judging.cost_microusd)}{failed}")

    def scored(self, outputs: int) -> None:
        """What is asked is done by then, or waits for a judge: the bar of the calls gives way to a count of outputs."""
        if self._scored is None or not self._bar.tasks or self._bar.tasks[-1].id != self._scored:
            if self._task is not None:
                self._bar.remove_task(self._task)
                self._task = None
            self._scored = self._bar.add_task("scoring", total=None, line="")
        self._n_scored += outputs
        self._bar.update(self._scored, completed=self._n_scored, line="outputs scored; then they are compared")


def _asked(one: ArmEstimate | JudgeEstimate, times: str) -> str:
    if not one.calls:
        return "nothing to ask"
    return f"{_counted(one.calls, 'call')}{times}, {money(one.cost_microusd)} ({one.basis})"


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


_STOPPING = (signal.SIGINT, signal.SIGTERM)


def stop_on_interrupt(screen: Console) -> Callable[[asyncio.Event], None]:
    """A function that wires Ctrl-C, and the signal a CI cancels with, to the event that ends a run.

    The first one lets calls under way finish.
    """

    def wire(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()

        def pressed() -> None:
            if stop.is_set():
                for one in _STOPPING:
                    loop.remove_signal_handler(one)
                signal.raise_signal(signal.SIGINT)
                return
            stop.set()
            screen.print("Stopping: calls under way may finish. Press Ctrl-C again to leave at once.", style="yellow")

        for one in _STOPPING:
            loop.add_signal_handler(one, pressed)

    return wire
