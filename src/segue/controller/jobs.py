"""Named jobs: child processes that outlive the controller that began them, each begun once however often it is asked for.

A job holds a lock on its own file for as long as it lives, so whoever starts next knows whether it runs, whoever began it. How
it ended it leaves in a file beside; a job that was killed leaves none, and is begun again: what runs here goes on where it
stopped. Standard error goes to NAME.log, standard output to NAME.out. Knows nothing of evals; next: `suites.py`.

The lock is one machine's. Between machines what the job claims in the store keeps two from running (`Store.claim`).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from segue.errors import StoreError

JobStanding = Literal["absent", "running", "died", "ended"]
SEGUE = (sys.executable, "-c", "from segue.cli import main; main()")
"""The command line of this installation, whatever is on the path."""
_SHELL = "/bin/sh can be run where the controller runs"
_AGAIN = "It is tried again by itself."
_LONGEST = 120
_MOST_FAULTS = 3
_TAIL = 64 * 1024
_SCRIPT = (
    '( "$@" >"$SEGUE_JOB.out" 2>>"$SEGUE_JOB.log"; echo $? >"$SEGUE_JOB.part" && mv "$SEGUE_JOB.part" "$SEGUE_JOB.code" ) '
    ">/dev/null 2>&1 & echo $!"
)
"""In the background of a shell that ends at once, so that the job is nobody's to wait for, and inherits the lock. A signal that
ends job and shell leaves no code."""


class JobError(StoreError):
    """A job could not be begun, or not be looked at: nothing is wrong with what it is about."""


@dataclass(frozen=True, slots=True)
class Job:
    """How a job stands. `code` is its exit code once it ended."""

    name: str
    standing: JobStanding
    code: int | None = None


class Jobs:
    """The jobs of one folder, run in `cwd`."""

    def __init__(self, folder: Path, *, cwd: Path, environ: Mapping[str, str]) -> None:
        self._folder, self._cwd, self._environ = folder, cwd, environ

    def look(self, name: str) -> Job:
        """How it stands now. `JobError` where that cannot be seen."""
        stem = self._stem(name)
        try:
            if not _file(stem, "lock").exists():
                return Job(name, "absent")
            with _locked(stem) as lock:
                return Job(name, "running") if lock is None else _idle(name, stem)
        except OSError as error:
            raise self._trouble(f"How the job {name} stands could not be seen", error) from error

    def start(self, name: str, words: Sequence[str], **environ: str) -> int | None:
        """Begin it unless it runs, or has ended; gives its process id if it was begun now. `JobError` where it cannot be.

        `environ` is added to its environment: the place for secrets, which the arguments are not.
        """
        stem = self._stem(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _locked(stem) as lock:
                if lock is None or _idle(name, stem).standing == "ended":
                    return None
                _file(stem, "begun").touch()
                try:
                    pid = self._run(stem, lock, words, environ)
                except (OSError, subprocess.CalledProcessError):
                    # It did not die: it never was.
                    _file(stem, "begun").unlink(missing_ok=True)
                    raise
                with suppress(ProcessLookupError):
                    _file(stem, "begun").write_text(str(os.getpgid(pid)))
                return pid
        except (OSError, subprocess.CalledProcessError) as error:
            raise self._trouble(f"The job {name} could not be begun", error) from error

    def _run(self, stem: Path, lock: int, words: Sequence[str], environ: Mapping[str, str]) -> int:
        """Its process id."""
        done = subprocess.run(
            ["/bin/sh", "-c", _SCRIPT, "sh", *words],
            cwd=self._cwd,
            env={**self._environ, **environ, "SEGUE_JOB": str(stem)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,
            check=True,
        )
        return int(done.stdout)

    def _trouble(self, what: str, error: OSError | subprocess.CalledProcessError) -> JobError:
        """By its cause: another cause has another remedy."""
        if isinstance(error, subprocess.CalledProcessError):
            return JobError(f"{what}: /bin/sh ended with code {error.returncode}.", fix=f"See that {_SHELL}. {_AGAIN}")
        found, of = error.errno, Path(str(error.filename)) if error.filename is not None else None
        if found in (errno.ENOSPC, errno.EDQUOT):
            fix = f"Make room on the disk of {self._folder}."
        elif found in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
            fix = "This machine has no memory, processes or open files left: end what needs them, or allow for more."
        elif of is not None and (of.is_relative_to(self._folder) or self._folder.is_relative_to(of)):
            fix = f"Make {self._folder} a folder that can be written to."
        else:
            fix = f"See that {_SHELL}."
        return JobError(f"{what}: {error.strerror or type(error).__name__}.", fix=f"{fix} {_AGAIN}")

    def log_of(self, name: str) -> Path:
        """Where it writes what it would say to a person."""
        return _file(self._stem(name), "log")

    def moved_at(self, name: str) -> float | None:
        """When it last gave a sign, as files are dated: it was begun, or said something. `None` where it was not begun here."""
        stem, found = self._stem(name), []
        for what in ("begun", "log", "out"):
            with suppress(OSError):
                found.append(_file(stem, what).stat().st_mtime)
        return max(found, default=None)

    def group_of(self, name: str) -> int | None:
        """The process group of a job that runs, to end all of it by; `None` where that is not known."""
        try:
            return int(_file(self._stem(name), "begun").read_text())
        except (OSError, ValueError):
            return None

    def standstill_of(self, name: str) -> str:
        """What to do about one that runs and says nothing."""
        group = self.group_of(name)
        end = "End it" if group is None else f"End it (kill -- -{group} on the machine of the controller)"
        return f"see {self.log_of(name)}. {end}, and it is begun again by itself; or resume, and it is waited for another day."

    def error_of(self, name: str) -> str | None:
        """The error that a command with `--json` ended with, as `SegueError` words it: free of secrets and contents.

        `None` where there is none: what a program says as it breaks may hold anything, and is left in the log.
        """
        try:
            with _file(self._stem(name), "out").open("rb") as file:
                found: Any = json.loads(file.read(_TAIL))
            error = found["error"]
            # One fault says itself; of several the error's own words say how many.
            told = [error] if len(error["faults"]) != 1 else []
            told += error["faults"][:_MOST_FAULTS]
            return " ".join(dict.fromkeys(f"{one['what']} {one['fix']}".strip() for one in told))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _stem(self, name: str) -> Path:
        """Of its files. A name that no file could have is told from others by its digest."""
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:_LONGEST]
        return self._folder / (plain if plain == name else f"{plain}-{sha256(name.encode()).hexdigest()[:8]}")


def _idle(name: str, stem: Path) -> Job:
    try:
        return Job(name, "ended", int(_file(stem, "code").read_text()))
    except (OSError, ValueError):
        return Job(name, "died" if _file(stem, "begun").exists() else "absent")


def _file(stem: Path, what: str) -> Path:
    return stem.with_name(f"{stem.name}.{what}")


@contextmanager
def _locked(stem: Path) -> Iterator[int | None]:
    """The job's lock as a file descriptor; `None` where the job, or somebody who looks at it just now, holds it.

    It is closed and never unlocked: whoever inherited it holds it on.
    """
    descriptor = os.open(_file(stem, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)
