"""Named jobs: once under a name, outliving whoever began them, and begun again where they were killed."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.controller.jobs import Jobs
from segue.errors import Fault, InputError, NotFoundError, StoreError

WAITS = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)\n"


def jobs(folder: Path, **environ: str) -> Jobs:
    """As another controller on this machine would open them."""
    return Jobs(folder / "jobs", cwd=folder, environ={**os.environ, **environ})


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.005)


def ended(job: Jobs, name: str) -> None:
    """Wait for its end."""
    until(lambda: job.look(name).standing == "ended")


def test_a_job_that_ended_leaves_its_code_and_is_not_begun_again(tmp_path: Path) -> None:
    """Whoever asks, and however often."""
    once = python("open('runs', 'a').write('x'); raise SystemExit(11)")
    assert jobs(tmp_path).look("eval").standing == "absent"
    assert jobs(tmp_path).start("eval", once) is not None
    until(lambda: jobs(tmp_path).look("eval").standing == "ended")
    assert jobs(tmp_path).look("eval").code == 11
    assert jobs(tmp_path).start("eval", once) is None
    assert (tmp_path / "runs").read_text() == "x"


def test_a_job_that_runs_is_not_begun_twice(tmp_path: Path) -> None:
    """Also by a controller that knows nothing of the one that began it."""
    go = tmp_path / "go"
    waits = python(WAITS, str(go))
    assert jobs(tmp_path).start("eval", waits) is not None
    assert jobs(tmp_path).look("eval").standing == "running"
    assert jobs(tmp_path).start("eval", waits) is None
    assert jobs(tmp_path).look("another").standing == "absent"
    go.touch()
    until(lambda: jobs(tmp_path).look("eval").standing == "ended")
    assert jobs(tmp_path).look("eval").code == 0


def test_a_job_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    """With all its processes at once, as a machine that fails: nobody is left to say how it ended."""
    go = tmp_path / "go"
    pid = jobs(tmp_path).start("eval", python(WAITS, str(go)))
    assert pid is not None
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    until(lambda: jobs(tmp_path).look("eval").standing == "died")
    go.touch()
    assert jobs(tmp_path).start("eval", python(WAITS, str(go))) is not None
    until(lambda: jobs(tmp_path).look("eval").standing == "ended")


def test_its_error_is_read_from_what_it_says_as_json_and_nothing_else(tmp_path: Path) -> None:
    """What a program says as it breaks may hold a secret, and stays in the log."""
    said = json.dumps(NotFoundError("There is no such thing.", fix="Make one.").as_json())
    faults = [Fault(f"Fault {one}.", "Mend it.") for one in range(5)]
    many = json.dumps(InputError.from_faults(faults, subject="segue.yaml").as_json())
    job = jobs(tmp_path)
    job.start("told", python(f"import sys; print({said!r}); sys.exit(1)"))
    job.start("many", python(f"import sys; print({many!r}); sys.exit(1)"))
    job.start("broke", python("raise RuntimeError('key sk-12345')"))
    for name in ("told", "many", "broke"):
        ended(job, name)
    assert job.error_of("told") == "There is no such thing. Make one."
    assert job.error_of("many") == "5 faults in segue.yaml. Fault 0. Mend it. Fault 1. Mend it. Fault 2. Mend it."
    assert job.error_of("broke") is None
    assert "sk-12345" in job.log_of("broke").read_text()
    assert job.error_of("never") is None


def test_a_secret_goes_by_the_environment(tmp_path: Path) -> None:
    """Arguments are for everyone on the machine to see."""
    job = jobs(tmp_path, GIVEN="a")
    job.start("eval", python("import os; open('seen', 'w').write(os.environ['GIVEN'] + os.environ['KEY'])"), KEY="b")
    until(lambda: job.look("eval").standing == "ended")
    assert (tmp_path / "seen").read_text() == "ab"


@pytest.mark.parametrize("name", ["../../x", "a/b", ".hidden", "é" * 300], ids=["up", "slash", "dot", "long"])
def test_any_name_is_a_file_of_the_folder(tmp_path: Path, name: str) -> None:
    """And two names are two jobs."""
    job = jobs(tmp_path)
    assert job.log_of(name).parent == tmp_path / "jobs"
    assert job.log_of(name) != job.log_of(name + "-")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Not a crash of the controller."""
    (tmp_path / "jobs").write_text("in the way")
    with pytest.raises(StoreError, match="could not be begun"):
        jobs(tmp_path).start("eval", python("pass"))


def test_one_that_runs_says_when_it_last_moved_and_how_to_end_all_of_it(tmp_path: Path) -> None:
    """By what it says; and ended so, it has died, and is begun again."""
    job, go = jobs(tmp_path), tmp_path / "go"
    assert job.moved_at("eval") is None
    job.start("eval", python(WAITS, str(go)))
    until(lambda: job.log_of("eval").exists())
    for file in (tmp_path / "jobs").iterdir():
        os.utime(file, (1_000, 1_000))
    assert job.moved_at("eval") == 1_000
    os.utime(job.log_of("eval"), (2_000, 2_000))
    assert job.moved_at("eval") == 2_000
    group = job.group_of("eval")
    assert group is not None
    assert f"kill -- -{group} " in job.standstill_of("eval")
    os.killpg(group, signal.SIGKILL)
    until(lambda: job.look("eval").standing == "died")


def test_a_job_that_could_not_be_begun_has_not_died(tmp_path: Path) -> None:
    """Begun later, it is begun for the first time; and what is wrong is told by its own remedy."""
    gone = Jobs(tmp_path / "jobs", cwd=tmp_path / "gone", environ=os.environ)
    with pytest.raises(StoreError, match="could not be begun: No such file") as refused:
        gone.start("eval", python("pass"))
    assert "can be run where" in refused.value.fix
    assert "written to" not in refused.value.fix
    assert jobs(tmp_path).look("eval").standing == "absent"


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "Make room"), (errno.EAGAIN, "no memory, processes"), (errno.EACCES, "can be written to")],
    ids=["disk", "processes", "folder"],
)
def test_what_keeps_a_job_from_being_begun_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    """Another cause, another remedy."""

    def refuse(*_given: object, **_named: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "jobs" / "eval.begun"))

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(StoreError, match=os.strerror(number)) as refused:
        jobs(tmp_path).start("eval", ["true"])
    assert told in refused.value.fix
