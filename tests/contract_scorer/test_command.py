"""The team's own parser, run for real: what it is given, how its failures are attributed, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from segue.errors import InputError
from segue.model import CommandCheck, Contract, Reply, Score, ToolCall
from segue.scoring.base import AsyncScorer, Scorer
from segue.scoring.command import build_command
from tests.contract_scorer.builders import a_case, a_context, a_program, a_spec, an_exchange


async def run(folder: Path, body: str, said: str | Reply = "the output", timeout_s: float = 20.0) -> Score:
    """The score of one output under a small Python program."""
    spec = a_spec("command", argv=list(a_program(folder, body)), timeout_s=timeout_s)
    (score,) = await build_command(spec, a_context(folder)).score_async(a_case(), an_exchange(said))
    return score


async def wait_until_gone(pid: int) -> bool:
    """Whether a process is gone within two seconds."""
    for _ in range(200):
        try:
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return True
        if status.rpartition(")")[2].split()[0] in "ZX":
            return True
        await asyncio.sleep(0.01)
    return False


async def test_it_gets_the_output_the_case_and_the_workflow_s_folder(tmp_path: Path) -> None:
    """Output on standard input, the case as JSON at SEGUE_CASE, run where the workflow is."""
    body = """
import json, os, sys
case = json.load(open(os.environ["SEGUE_CASE"]))
assert sys.stdin.read() == "Zoë 👍\\n", "stdin"
assert case["messages"][0]["content"] == "What is the total?", "case"
assert os.path.exists("check.py"), "cwd"
"""
    score = await run(tmp_path, body, "Zoë 👍\n")
    assert (score.value, score.reason) == (1.0, "")


async def test_it_sees_no_keys(tmp_path: Path) -> None:
    """The environment holds places and languages only, and the case's path."""
    body = "import os\nprint(sorted(os.environ), file=__import__('sys').stderr)\nraise SystemExit(1)"
    score = await run(tmp_path, body)
    assert "KEY" not in score.reason
    assert "'HOME'" in score.reason
    assert "'SEGUE_CASE'" in score.reason


async def test_tool_calls_are_given_as_json(tmp_path: Path) -> None:
    """A reply that calls tools is an object of text and calls, arguments as the model wrote them."""
    reply = Reply(text="Looking it up \ud800", tool_calls=(ToolCall(name="look_up", arguments='{"id": 7'),))
    body = """
import json, sys
said = json.load(sys.stdin)
assert said["tool_calls"] == [{"name": "look_up", "arguments": '{"id": 7'}], said
"""
    assert (await run(tmp_path, body, reply)).value == 1.0


async def test_a_rejection_carries_the_last_line_the_program_said(tmp_path: Path) -> None:
    """Exit code and last line of standard error are the reason, on one bounded line."""
    score = await run(tmp_path, "import sys\nprint('noise', file=sys.stderr)\nsys.exit('line 3: no total ' + 'x' * 9000)")
    assert score.value == 0.0
    assert score.reason.startswith("exit code 1: line 3: no total xxx")
    assert len(score.reason) <= 200
    assert (await run(tmp_path, "raise SystemExit(7)")).reason == "exit code 7, and it said nothing"
    assert (await run(tmp_path, "print('said here')\nraise SystemExit(3)")).reason == "exit code 3: said here"


async def test_a_hang_is_the_output_s_fault_and_ends_with_its_children(tmp_path: Path) -> None:
    """The parser hangs on this output: 0, with the time; the whole process group is gone."""
    body = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("pids", "w").write(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""
    start = time.perf_counter()
    score = await run(tmp_path, body, timeout_s=1.0)
    assert time.perf_counter() - start < 10
    assert (score.value, score.reason) == (0.0, "The command timed out after 1 s on this output.")
    for pid in (tmp_path / "pids").read_text(encoding="utf-8").split():
        assert await wait_until_gone(int(pid))


async def test_children_that_outlive_the_program_neither_delay_nor_survive(tmp_path: Path) -> None:
    """A program that leaves sleepers holding its pipes has answered when it exits."""
    body = """
import subprocess, sys
children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) for _ in range(5)]
open("pids", "w").write(" ".join(str(child.pid) for child in children))
"""
    start = time.perf_counter()
    score = await run(tmp_path, body, timeout_s=30.0)
    assert time.perf_counter() - start < 15
    assert score.value == 1.0
    for pid in (tmp_path / "pids").read_text(encoding="utf-8").split():
        assert await wait_until_gone(int(pid))


async def test_a_child_that_floods_the_pipe_after_the_program_s_end_is_ended(tmp_path: Path) -> None:
    """Reading what is left never runs on for ever."""
    body = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "while True: print('y' * 4000)"], start_new_session=False)
"""
    assert (await run(tmp_path, body, timeout_s=30.0)).value == 1.0


async def test_much_output_is_read_and_bounded(tmp_path: Path) -> None:
    """Megabytes on both streams neither block the program nor are kept."""
    body = """
import sys
for _ in range(400):
    print("o" * 20000)
    print("e" * 20000, file=sys.stderr)
sys.exit("the last word")
"""
    assert (await run(tmp_path, body)).reason == "exit code 1: the last word"


async def test_a_program_that_reads_nothing_accepts_a_large_output(tmp_path: Path) -> None:
    """A closed or unread pipe is the program's right, not a failure."""
    assert (await run(tmp_path, "pass", "x" * 5_000_000)).value == 1.0
    assert (await run(tmp_path, "import sys\nsys.stdin.close()", "x" * 5_000_000)).value == 1.0


async def test_a_large_output_arrives_whole(tmp_path: Path) -> None:
    """Every byte is fed, while the program talks."""
    body = "import sys\nn = len(sys.stdin.buffer.read())\nprint('e' * 200000, file=sys.stderr)\nsys.exit(str(n))"
    assert (await run(tmp_path, body, "x" * 3_000_000)).reason == "exit code 1: 3000000"


async def test_a_crash_is_the_output_s_fault_and_a_kill_from_outside_is_not(tmp_path: Path) -> None:
    """A segmentation fault on this output is a 0; a program that somebody killed said nothing about it."""
    crash = await run(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert (crash.value, crash.reason) == (0.0, "crashed with SIGSEGV, and it said nothing")
    killed = await run(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert (killed.value, killed.status) == (None, "error")
    assert "SIGKILL" in killed.reason


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["./missing"], "'./missing' was not found"),
        (["no-such-program-anywhere"], "'no-such-program-anywhere' was not found"),
        (["./plain.txt"], "'./plain.txt' may not be executed"),
        (["./headless"], "'./headless' cannot be started"),
        (["/usr/bin/env", "no-such-program-anywhere"], "exit code 127"),
        (["."], "may not be executed"),
    ],
)
async def test_a_program_that_cannot_be_started_is_an_error_never_a_wrong_answer(
    tmp_path: Path, argv: list[str], reason: str
) -> None:
    """Missing, not executable or not a program: nothing was learned about the output."""
    (tmp_path / "plain.txt").write_text("text", encoding="utf-8")
    (tmp_path / "headless").write_bytes(b"\x00\x01not a program")
    (tmp_path / "headless").chmod(0o755)
    scorer = build_command(a_spec("command", argv=argv), a_context(tmp_path))
    (score,) = await scorer.score_async(a_case(), an_exchange("x"))
    assert (score.value, score.status) == (None, "error")
    assert reason in score.reason


async def test_cancelling_a_run_ends_its_commands(tmp_path: Path) -> None:
    """Ctrl-C does not leave parsers behind."""
    body = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    task = asyncio.create_task(run(tmp_path, body, timeout_s=300))
    written = tmp_path / "pid"
    for _ in range(1000):
        if written.exists() and written.read_text(encoding="utf-8"):
            break
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await wait_until_gone(int(written.read_text(encoding="utf-8")))


async def test_many_outputs_run_side_by_side_but_not_all_at_once(tmp_path: Path) -> None:
    """Twice as many as there are processors, so that a large suite does not flood the machine."""
    body = """
import os, pathlib, sys, time
place = pathlib.Path("running"); place.mkdir(exist_ok=True)
mine = place / str(os.getpid()); mine.touch()
count = len(list(place.iterdir()))
time.sleep(0.1)
mine.unlink()
sys.exit(str(count))
"""
    scorer = build_command(a_spec("command", argv=list(a_program(tmp_path, body))), a_context(tmp_path))
    scores = await asyncio.gather(*(scorer.score_async(a_case(), an_exchange("x")) for _ in range(16)))
    at_once = [int(score[0].reason.rpartition(" ")[2]) for score in scores]
    assert max(at_once) <= 2 * (os.cpu_count() or 1)


async def test_the_loop_goes_on_while_a_command_runs(tmp_path: Path) -> None:
    """Other work of the run is not held up."""
    task = asyncio.create_task(run(tmp_path, "import time\ntime.sleep(0.3)"))
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert (await task).value == 1.0
    assert ticks > 5


async def test_no_temporary_case_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The case's file lives as long as the command."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    body = "import os, sys\nsys.exit(os.environ['SEGUE_CASE'])"
    path = Path((await run(tmp_path, body)).reason.removeprefix("exit code 1: "))
    assert path.is_relative_to(tmp_path)
    assert not path.exists()


def test_the_contract_s_own_command_is_run_where_none_is_given(tmp_path: Path) -> None:
    """`type: command` without `argv` means the bundle's contract."""
    contract = Contract(command=CommandCheck(argv=("check",), timeout_s=3))
    scorer = build_command(a_spec("command"), a_context(tmp_path, contract))
    assert scorer.identity.settings["argv"] == ["check"]
    assert isinstance(scorer, AsyncScorer)
    assert not isinstance(scorer, Scorer)


def test_a_changed_parser_is_another_ruler(tmp_path: Path) -> None:
    """The digest of the workflow's own files named in the command is part of the identity."""
    spec = a_spec("command", argv=list(a_program(tmp_path, "pass")))
    before = build_command(spec, a_context(tmp_path)).identity.digest
    assert build_command(spec, a_context(tmp_path)).identity.digest == before
    a_program(tmp_path, "raise SystemExit(1)")
    assert build_command(spec, a_context(tmp_path)).identity.digest != before


def test_faults_name_what_is_missing(tmp_path: Path) -> None:
    """No command, no folder, no program, a wrong time: each is said before anything runs."""
    for spec, folder, words in (
        (a_spec("command"), tmp_path, "no command to run"),
        (a_spec("command", argv=["x"]), None, "folder"),
        (a_spec("command", argv=[" "]), tmp_path, "names no program"),
        (a_spec("command", argv=["x\0y"]), tmp_path, "names no program"),
        (a_spec("command", argv=["x"], timeout_s=0), tmp_path, "greater than 0"),
        (a_spec("command", argvs=["x"]), tmp_path, "no setting 'argvs'"),
    ):
        with pytest.raises(InputError) as raised:
            build_command(spec, a_context(folder))
        assert words in " ".join(fault.sentence() for fault in raised.value.faults)


async def test_a_case_with_numbers_and_text_beyond_the_usual_is_written(tmp_path: Path) -> None:
    """Half a surrogate pair and a number beyond 64 bits do not keep the parser from running."""
    body = "import json, os\nassert json.load(open(os.environ['SEGUE_CASE']))['reference']['n'] == 10**30"
    spec = a_spec("command", argv=list(a_program(tmp_path, body)))
    case = a_case(reference={"n": 10**30, "half": "\ud800"})
    (score,) = await build_command(spec, a_context(tmp_path)).score_async(case, an_exchange("x"))
    assert score.value == 1.0
