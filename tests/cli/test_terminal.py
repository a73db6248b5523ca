"""The command line as it really runs: on a terminal, in a pipe, without a reader, without room, and with Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.cli.conftest import edit

pytestmark = pytest.mark.slow
EVAL = ("eval", "support-reply", "--candidate", "candidate")
SEGUE = (sys.executable, "-c", "from segue.cli import main; main()")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|38|4[0-7]|9[0-7])[0-9;]*m")


@pytest.fixture(scope="module")
def home(evaluated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a verdict, to be looked at by all."""
    folder = tmp_path_factory.mktemp("looked-at")
    shutil.copytree(evaluated, folder, dirs_exist_ok=True)
    return folder


def environment(**more: str) -> Mapping[str, str]:
    """Nothing of the surroundings that changes how things look."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    return {**kept, "SEGUE_AUTHOR": "ada", "TERM": "xterm-256color", **more}


def started(folder: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """A command with both its streams in pipes."""
    return subprocess.Popen(
        [*SEGUE, *words], cwd=folder, env=environment(**more), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def on_terminal(folder: Path, width: int, *words: str, **more: str) -> tuple[int, str]:
    """Exit code and everything shown on a terminal of this width."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(sys.executable, [*SEGUE, *words], dict(environment(**more)))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


def plain(shown: str) -> str:
    """Without the terminal's own codes."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", shown)


LOOKS = [
    ("log",),
    ("suite", "stats", "support-reply"),
    ("show", "verdicts", "support-reply"),
    ("show", "verdict", "support-reply"),
    ("bundle", "show", "support-reply", "nope"),
]


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_nothing_is_wider_than_a_terminal_of_eighty_columns(home: Path, words: tuple[str, ...]) -> None:
    """And digests, times and names of what happened stay whole."""
    _, shown = on_terminal(home, 80, *words)
    assert max(len(line) for line in plain(shown).splitlines()) <= 80
    assert "Traceback" not in shown


@pytest.mark.parametrize("words", [("log",), ("show", "verdicts", "support-reply")], ids=" ".join)
def test_on_a_narrow_terminal_columns_wrap_and_lose_nothing(home: Path, words: tuple[str, ...]) -> None:
    """Every digit of a digest is still there."""
    _, wide = on_terminal(home, 200, *words)
    _, narrow = on_terminal(home, 50, *words)
    assert sorted(re.sub(r"\s", "", plain(wide))) == sorted(re.sub(r"\s", "", plain(narrow)))


def test_colours_are_for_terminals_that_want_them(home: Path) -> None:
    """Not for `NO_COLOR`, and not for pipes."""
    assert COLOUR.search(on_terminal(home, 80, "check")[1])
    assert not COLOUR.search(on_terminal(home, 80, "check", NO_COLOR="1")[1])
    assert "\x1b" not in started(home, "check").communicate()[0]


def test_piped_tables_have_a_line_for_each_row(home: Path) -> None:
    """For grep and awk."""
    out, _ = started(home, "log", COLUMNS="40").communicate()
    assert {len(line.split()) for line in out.splitlines()} == {6}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("check",), 0),
        (("--help",), 0),
        (("show", "verdict", "support-reply", "--json"), 0),
        (EVAL, 11),
        ((*EVAL, "--json"), 11),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_reader_that_goes_away_changes_nothing(home: Path, words: tuple[str, ...], code: int) -> None:
    """`segue … | head` is no error: the exit code is the command's own, and nothing is said."""
    running = started(home, *words)
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    said = running.stderr.read()
    running.stderr.close()
    assert (running.wait(), "Error" in said, "Traceback" in said) == (code, False, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [("log",), ("log", "--json"), ("--help",)], ids=" ".join)
def test_output_that_finds_no_room_is_an_error(home: Path, words: tuple[str, ...]) -> None:
    """Half a result is none; it is said on standard error."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*SEGUE, *words], cwd=home, env=environment(), text=True, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, "There is no room left" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


@pytest.mark.parametrize("stream", [1, 2])
def test_a_closed_stream_is_no_reason_to_fail(home: Path, stream: int) -> None:
    """`segue log >&-`, as some schedulers start programs."""
    command = f'exec "$@" {stream}>&-'
    done = subprocess.run(["sh", "-c", command, "sh", *SEGUE, "log", "--json"], cwd=home, env=environment(), check=False)
    assert done.returncode == 0


def test_a_stream_that_cannot_spell_a_character_shows_a_sign(home: Path) -> None:
    """And JSON escapes it, so that nothing is lost."""
    out, err = started(home, "show", "verdict", "support-reply", PYTHONIOENCODING="ascii").communicate()
    assert ("HOLD" in out, "?" in out, err) == (True, True, "")
    out, _ = started(home, "show", "verdict", "support-reply", "--json", PYTHONIOENCODING="ascii").communicate()
    assert "\\u2192" in out


@pytest.fixture
def unhurried(evaluated: Path, tmp_path: Path) -> Path:
    """A workspace whose models take their time, one call after the other; nothing is asked yet."""
    shutil.copytree(evaluated, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".segue"))
    edit(tmp_path / "segue.yaml", "    seed: 7\n", "    seed: 7\n    realtime: 0.5\n    max_concurrency: 1\n")
    return tmp_path


def interrupted(folder: Path, times: int) -> tuple[int, str, str]:
    """Exit code and outputs of an eval that gets Ctrl-C once its calls are under way, and again as soon as it says so."""
    running = started(folder, *EVAL, "--repeats", "3")
    assert running.stderr is not None
    while not answered(folder):
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"It ended by itself, with {running.wait(0.02)}.")
    said = ""
    for _ in range(times - 1):
        running.send_signal(signal.SIGINT)
        while "Press Ctrl-C again" not in said:
            said += running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    return running.returncode, out, said + err


def answered(folder: Path) -> int:
    """How many answers are stored; with one call at a time the next is under way."""
    path = folder / ".segue" / "state.db"
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as raw:
        return int(raw.execute("SELECT count(*) FROM exchanges").fetchone()[0])
    return 0


def test_ctrl_c_lets_calls_under_way_finish_and_the_same_command_goes_on(unhurried: Path) -> None:
    """It judges what is there, leaves with 130, and pays for nothing twice."""
    code, out, err = interrupted(unhurried, 1)
    assert code == 130
    assert "Press Ctrl-C again to leave at once." in err
    assert err.endswith("Interrupted. What was finished is kept; run the same command to go on.\n")
    assert "HOLD" in out
    edit(unhurried / "segue.yaml", "realtime: 0.5", "realtime: 0")
    again = started(unhurried, *EVAL, "--repeats", "3")
    out, err = again.communicate()
    assert again.returncode == 11
    kept = sum(int(count) for count in re.findall(r"(\d+) answers? stored already", err))
    asked = sum(int(count) for count in re.findall(r"^(?:incumbent|candidate): (\d+) calls?", err, re.MULTILINE))
    assert (kept + asked, kept > 0) == (36, True)


def test_a_second_ctrl_c_leaves_at_once(unhurried: Path) -> None:
    """Without a verdict; the store is in order, and the command goes on from there."""
    code, out, err = interrupted(unhurried, 2)
    assert (code, out, "Traceback" in err) == (130, "", False)
    assert "run the same command again to go on" in err
    check = started(unhurried, "log", "verify")
    assert (check.communicate()[0].startswith("The chain holds"), check.returncode) == (True, 0)
    edit(unhurried / "segue.yaml", "realtime: 0.5", "realtime: 0")
    again = started(unhurried, *EVAL, "--repeats", "3")
    _, err = again.communicate()
    assert again.returncode == 11
    assert "An earlier run ended with at most " in err
