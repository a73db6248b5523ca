"""Jobs on virtual time: what one does is done in this process, once its time has passed. In the place of `controller.jobs`.

So the ports that start jobs (`StagingJobs`, `EvalJobs`) are the ones that ship. What a job does is the rehearsal's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.controller.jobs import Job, Jobs

Work = Callable[[Sequence[str]], None]
"""What a command does, given its words."""


@dataclass
class _Begun:
    """One job: its words, and when it is through."""

    words: tuple[str, ...]
    until: float
    is_done: bool = False


class VirtualJobs(Jobs):
    """`works`: what a command of Segue does, and how many seconds it takes. One that takes none is done when it is begun."""

    def __init__(self, clock: Callable[[], float], works: Mapping[str, tuple[Work, float]]) -> None:
        self._clock, self._works = clock, works
        self._begun: dict[str, _Begun] = {}

    def look(self, name: str) -> Job:
        """How it stands; one whose time has passed is done now."""
        begun = self._begun.get(name)
        if begun is None:
            return Job(name, "absent")
        if self._clock() < begun.until:
            return Job(name, "running")
        self._do(begun)
        return Job(name, "ended", 0)

    def start(self, name: str, words: Sequence[str], **environ: str) -> int | None:  # noqa: ARG002  the signature is the port's
        """Once for each name."""
        if name not in self._begun:
            takes_s = self._works[words[1]][1]
            begun = self._begun[name] = _Begun(tuple(words), self._clock() + takes_s)
            if not takes_s:
                self._do(begun)
        return None

    def moved_at(self, name: str) -> float | None:
        """When it was begun."""

    def group_of(self, name: str) -> int | None:
        """It is no process."""

    def log_of(self, name: str) -> Path:
        """Nowhere: it says nothing beside its result."""
        return Path(f"{name}.log")

    def error_of(self, name: str) -> str | None:  # noqa: ARG002  the signature is the port's
        """None: an error of a rehearsal's job is the rehearsal's."""
        return None

    def _do(self, begun: _Begun) -> None:
        if not begun.is_done:
            begun.is_done = True
            self._works[begun.words[1]][0](begun.words)
