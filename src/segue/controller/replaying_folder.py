"""A replay on the disk: what is to be sent, and what was; all that resuming needs.

Before a request is sent it is noted as begun, and once its answer is known as answered or refused. One that was begun when the
replay was killed is looked up in the log of the gateway, which has an exchange before a client has its answer: so each record
is answered at most once. What is to be sent holds words of users: it is readable by its owner alone, and goes with the end.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from segue.controller.replaying_records import Gathered, ReplayRecord
from segue.errors import ConflictError, InputError

FOLDER = "replays"
_HEAD, _REQUESTS, _SENT, _LOCK = "replay.json", "requests.jsonl", "sent.jsonl", "lock"


@dataclass
class Sent:
    """How far a replay came. `begun`: sent, and nobody knows what came of it. `failures`: by what the gateway said."""

    answered: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)

    @property
    def failures(self) -> Counter[str]:
        return Counter(self.refused.values())

    def is_done(self, number: int) -> bool:
        """Whether it needs no sending any more."""
        return number in self.answered or number in self.refused


@dataclass(frozen=True)
class Head:
    """What a replay is of. `asked`: what was typed, by which the same command finds it again. Times in ns since 1970."""

    name: str
    workflow: str
    environment: str
    source: str
    asked: str
    n: int
    left_out: dict[str, int]
    made_ns: int
    began_ns: int | None = None
    ended_ns: int | None = None
    is_finished: bool = False


class ReplayFolder:
    """One replay. `open` holds its lock: two commands never send one replay."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None
        self._notes: IO[str] | None = None

    @property
    def head(self) -> Head | None:
        """What it is of; `None` before it was gathered."""
        try:
            return Head(**json.loads((self.path / _HEAD).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            raise InputError(
                f"The replay in {self.path} cannot be read.", fix=f"Begin it anew: rm -r {self.path}, or another --name."
            ) from None

    def open(self) -> None:
        """Take the lock. `ConflictError` where another command sends it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self.path / _LOCK).open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            what = f"The replay '{self.path.name}' is being sent by another command."
            raise ConflictError(what, fix="Wait for its end, or give this one another --name.") from None

    def close(self) -> None:
        """Let go of it. Of one for which nothing was gathered, nothing stays."""
        if self._lock is not None and not (self.path / _HEAD).exists():
            for name in (f"{_REQUESTS}.part", _LOCK):
                (self.path / name).unlink(missing_ok=True)
            with suppress(OSError):
                self.path.rmdir()
        for one in (self._notes, self._lock):
            if one is not None:
                one.close()
        self._notes = self._lock = None

    def begin(self, make: Callable[[], Iterator[ReplayRecord]], gathered: Gathered, head: Callable[[], Head]) -> Head:
        """Gather what is to be sent, whole, before anything is; half of it is never seen."""
        part = self.path / f"{_REQUESTS}.part"
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            for record in make():
                file.write(record.line())
        (self.path / _SENT).unlink(missing_ok=True)
        part.replace(self.path / _REQUESTS)
        made = head()
        assert made.n == gathered.n, "what was gathered is what is written"
        self._write(made)
        return made

    def finish(self, head: Head) -> None:
        """All was sent: the requests go."""
        self._write(Head(**{**head.__dict__, "is_finished": True}))
        (self.path / _REQUESTS).unlink(missing_ok=True)

    def forget(self) -> None:
        """What was gathered is of no use: the next command gathers anew."""
        for name in (_HEAD, _REQUESTS, _SENT):
            (self.path / name).unlink(missing_ok=True)

    def records(self) -> Iterator[ReplayRecord]:
        """In their order."""
        with (self.path / _REQUESTS).open(encoding="utf-8") as file:
            for line in file:
                yield ReplayRecord.from_line(line)

    def sent(self) -> Sent:
        """As far as it is noted. A last line that a kill cut off says nothing, and what it would have said is looked up."""
        found = Sent()
        try:
            lines = (self.path / _SENT).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                note: Any = json.loads(line)
                number, what = int(note[0]), str(note[1])
            except (ValueError, TypeError, LookupError):
                continue
            found.begun.discard(number)
            if what == "begun":
                found.begun.add(number)
            elif what == "answered":
                found.answered.add(number)
            elif what != "again":
                found.refused[number] = what
        return found

    def note(self, number: int, what: str) -> None:
        """`begun`, `answered`, `again` (it was not answered), or why it was refused. The kernel has it when this returns."""
        if self._notes is None:
            self._notes = (self.path / _SENT).open("a", encoding="utf-8")
            if self._notes.tell():
                self._notes.write("\n")  # after a line that a kill cut off
        self._notes.write(json.dumps([number, what]) + "\n")
        self._notes.flush()

    def _write(self, head: Head) -> None:
        part = self.path / f"{_HEAD}.part"
        part.write_text(json.dumps(head.__dict__) + "\n", encoding="utf-8")
        part.replace(self.path / _HEAD)


def find_replay(state: Path, workflow: str, asked: str, name: str | None) -> ReplayFolder:
    """The folder of this name; without one, that of the unfinished replay asked for in the same words, else a fresh one."""
    root = state / FOLDER
    if name is not None:
        return ReplayFolder(root / name)
    number = 1
    for path in sorted(root.glob(f"{workflow}-*")) if root.exists() else ():
        ending = path.name.removeprefix(f"{workflow}-")
        if not ending.isdecimal():
            continue
        number = max(number, int(ending) + 1)
        head = ReplayFolder(path).head
        if head is not None and head.asked == asked and not head.is_finished:
            return ReplayFolder(path)
    return ReplayFolder(root / f"{workflow}-{number}")
