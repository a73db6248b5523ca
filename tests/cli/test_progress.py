"""What is shown while a command works: calls, then scoring; nothing stands still."""

from __future__ import annotations

import io

from rich.console import Console

from segue.cli.evaluation import watching
from segue.evals.run import Progress


def test_scoring_takes_the_place_of_the_calls() -> None:
    """A bar that is full says nothing of what goes on; the next calls take the place of the scoring."""
    screen = Console(file=io.StringIO(), force_terminal=True, width=100)
    with watching(screen) as listener:
        shown = listener.scored.__self__  # type: ignore[attr-defined]  the state behind the listener
        listener.began("first run", 4)
        listener.progressed(Progress(done=4))
        listener.scored(500)
        listener.scored(300)
        (task,) = shown._bar.tasks
        assert (task.description, task.total, task.completed) == ("scoring", None, 800)
        listener.began("flips once more", 2)
        assert [task.description for task in shown._bar.tasks] == ["flips once more"]
        listener.began("nothing", 0)
        assert shown._bar.tasks == []
