"""`segue controller` and `segue serve`: a tick after the other whatever happens, keys, and two processes under one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from segue.cli.controller_running import MOST_PAUSE_S, Running
from segue.cli.controller_screen import TextTelling
from segue.cli.process_tree import Child, ChildFailedError, ProcessTree, Words
from segue.controller.controller import Took
from segue.errors import InputError, SegueError, StoreError
from segue.model.controlling import ControllerKey
from segue.upgrade.log import UpgradeEntry
from tests.cli.conftest import Segue
from tests.controller.pretend import Stage


class Told:
    """Everything that was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def decided(self, workflow: str, entry: UpgradeEntry) -> None:
        self.said.append((workflow, entry.event))

    def faulty(self, workflow: str, error: Any) -> None:
        self.said.append((workflow, error.what))

    def mended(self, workflow: str) -> None:
        self.said.append((workflow, "mended"))

    def standing(self, what: str, text: str) -> None:
        self.said.append(("", what))


class Scripted:
    """A controller whose ticks come to what the test says; an error is raised."""

    def __init__(self, *ticks: Any) -> None:
        self._ticks: Iterator[Any] = iter(ticks)
        self.has_left = False
        self.unreadable: dict[str, SegueError] = {}

    def tick(self) -> Any:
        found = next(self._ticks)
        if isinstance(found, Exception):
            raise found
        return found

    def leave(self) -> None:
        self.has_left = True


def running(controller: Any, told: Told, every_s: float = 1.0) -> Running:
    """With this controller, once it is asked for."""
    return Running(lambda stack: controller, told, every_s)


def test_a_store_that_does_not_answer_is_said_once_and_tried_again() -> None:
    """With longer and longer pauses, and no longer once it answers."""
    told = Told()
    out = StoreError("It is locked.")
    led = running(Scripted(out, out, out, [], []), told)
    assert [led.once() for _ in range(5)] == [1, 2, 4, 1, 1]
    assert told.said == [("", "no store"), ("", "acting")]
    led = running(Scripted(*[out] * 20), told)
    assert [led.once() for _ in range(20)][-1] == MOST_PAUSE_S


def test_a_store_that_is_not_there_at_the_start_is_waited_for() -> None:
    """The controller may start before its database."""
    tries: list[ExitStack] = []

    def make(stack: ExitStack) -> Any:
        tries.append(stack)
        if len(tries) < 3:
            raise StoreError("Nobody listens there.")
        return Scripted([])

    told = Told()
    led = Running(make, told, 1.0)
    for _ in range(3):
        led.once()
    assert told.said == [("", "no store"), ("", "acting")]


def test_whoever_begins_to_act_catches_up_with_what_others_left() -> None:
    """At the start, and after another one has acted; not at every tick."""
    begun: list[Any] = []
    controller = Scripted([], [], None, [], [])
    led = Running(lambda stack: controller, Told(), 1.0, begun.append)
    for _ in range(5):
        led.once()
    assert begun == [controller, controller]


def test_a_fault_of_ours_in_one_tick_does_not_end_the_watch() -> None:
    """It is said, with where it happened, and the next tick comes."""
    told = Told()
    led = running(Scripted(KeyError("x"), []), told)
    led.once()
    led.once()
    assert told.said == [("", "broken"), ("", "acting")]


def test_decisions_are_told_and_what_is_wrong_with_an_upgrade_once() -> None:
    """Until it is mended."""
    stage = Stage()
    stage.open()
    stage.controller().tick()
    upgrade = stage.upgrade()
    faulty = Took(upgrade, fault=InputError("segue.yaml has a fault."))
    told = Told()
    led = running(Scripted([Took(upgrade, upgrade.entries[:2])], [faulty], [faulty], [Took(upgrade)], None, []), told)
    for _ in range(6):
        led.once()
    assert told.said == [
        ("", "acting"),
        ("w", "passed"),
        ("w", "passed"),
        ("w", "segue.yaml has a fault."),
        ("w", "mended"),
        ("", "standing by"),
        ("", "acting"),
    ]


def test_a_decision_with_many_reasons_is_a_line_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """The first of them, and where the others are."""
    stage = Stage()
    stage.open()
    stage.controller().tick()
    entry = stage.upgrade().entries[0].model_copy(update={"because": ("Too few cases.", "No route.", "No suite.")})
    TextTelling().decided("w", entry)
    told = capsys.readouterr().err
    assert told.endswith(f": Too few cases. And 2 more: segue why w {entry.number}\n")


async def test_it_ends_at_a_signal_and_leaves_the_lease_to_the_next() -> None:
    """Without waiting for the pause to be over; a bell brings the next tick forward."""
    controller = Scripted([], [], [])
    led = running(controller, Told(), 50.0)
    bells: list[asyncio.Event] = []
    done = asyncio.create_task(led.run(bells.append))
    while not bells:
        await asyncio.sleep(0)
    bells[0].set()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(done, 10)
    assert controller.has_left


def test_a_key_is_shown_once_and_its_entry_can_be_pasted(workspace: Path, segue: Segue) -> None:
    """What segue.yaml gets is the hash alone, and it is in order there."""
    made = segue("controller", "key", "ci", "--may-operate", "--for", "maria", "--workflow", "support-reply", "--json").json
    entry = ControllerKey.model_validate(made["entry"])
    assert entry.permissions == ("read", "operate", "tickets")
    assert (entry.people, entry.workflows) == (("maria",), ("support-reply",))
    assert made["key"] not in json.dumps(made["entry"])
    with Path("segue.yaml").open("a") as file:
        file.write(f"controller: {{keys: [{json.dumps(made['entry'])}]}}\n")
    assert segue("check").code == 0
    assert "no permission" not in segue("controller", "key", "reader").out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("controller", "--host", "0.0.0.0"), 1, "segue controller key NAME --may-operate"),
        (("controller", "--endpoint", "http://x"), 1, "SEGUE_ENDPOINT_KEY is not set"),
        (("controller", "--every", "0"), 2, "--every"),
        (("controller", "--port", "99999"), 2, "--port"),
        (("serve", "--workers", "0"), 2, "--workers"),
    ],
    ids=["open-to-all", "no-endpoint-key", "no-time", "no-port", "no-worker"],
)
def test_what_cannot_be_run_says_why(workspace: Path, segue: Segue, words: tuple[str, ...], code: int, told: str) -> None:
    """Before anything is begun."""
    refused = segue(*words)
    assert (refused.code, told in refused.err) == (code, True)


def test_outside_a_workspace_nothing_is_served(tmp_path: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where to begin."""
    monkeypatch.chdir(tmp_path)
    for command in ("serve", "controller", "status"):
        assert "segue init" in segue(command).err


# two processes under one

HELD = "import json, signal, sys\nprint(json.dumps({'n': sys.argv[1]}), flush=True)\nsignal.pause()\n"
FAILS = "import sys\nsys.exit(7)\n"


def child(name: str, *programs: str) -> tuple[Child, list[Any]]:
    """One whose starts run one program after the other, the last one again and again; what each start was called with."""
    starts: list[Any] = []

    def call(started: Any) -> Words:
        program = programs[min(len(starts), len(programs) - 1)]
        starts.append(started)
        return Words((sys.executable, "-c", program, str(len(starts))), os.environ)

    return Child(name, call), starts


async def until(tree: ProcessTree, running: asyncio.Task[None], is_so: Any) -> None:
    """Wait for it; what went wrong in the tree is raised."""
    async with asyncio.timeout(60):
        while not is_so():
            assert not running.done(), running.result()
            await asyncio.sleep(0.01)


async def test_one_that_dies_is_started_again_and_one_end_ends_both() -> None:
    """It is told what it said at its first start; nothing is left behind."""
    said: list[str] = []
    lines: list[tuple[str, Any]] = []
    tree = ProcessTree(said.append, lambda name, told: lines.append((name, told)), pause_s=0.01)
    (one, starts), (two, _) = child("gateway", HELD), child("controller", HELD)
    running = asyncio.create_task(tree.run((one, two)))
    await until(tree, running, lambda: len(lines) == 2)
    assert [name for name, _ in lines] == ["gateway", "controller"]
    first = tree.pid("gateway")
    os.kill(first, signal.SIGKILL)
    await until(tree, running, lambda: len(lines) == 3)
    assert said[0] == "The gateway ended (killed by SIGKILL). It is started again in 0.01 s."
    assert starts == [None, {"n": "1"}]
    pids = [tree.pid("gateway"), tree.pid("controller")]
    assert first not in pids
    tree.end()
    await asyncio.wait_for(running, 30)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_one_that_cannot_begin_ends_both_with_its_code() -> None:
    """What is wrong it has said itself."""
    lines: list[tuple[str, Any]] = []
    tree = ProcessTree(lambda _: None, lambda name, told: lines.append((name, told)))
    with pytest.raises(ChildFailedError) as failed:
        await tree.run((child("gateway", HELD)[0], child("controller", FAILS)[0]))
    assert failed.value.code == 7
    with pytest.raises(ProcessLookupError):
        os.kill(tree.pid("gateway"), 0)


REFUSED = """import json, sys
print(json.dumps({"error": {"what": "Port 8080 is taken.", "fix": "Take another."}}, indent=2))
sys.exit(1)
"""


async def test_one_that_says_an_error_in_place_of_where_it_runs_has_not_begun() -> None:
    """It is written over several lines, as every command with --json does: none of them is taken for its start."""
    lines: list[tuple[str, Any]] = []
    tree = ProcessTree(lambda _: None, lambda name, told: lines.append((name, told)))
    with pytest.raises(ChildFailedError) as failed:
        await tree.run((child("gateway", REFUSED)[0], child("controller", HELD)[0]))
    assert (failed.value.code, failed.value.why, lines) == (1, "Port 8080 is taken.", [])


async def test_one_that_fails_at_a_later_start_is_tried_on() -> None:
    """The other one goes on meanwhile."""
    said: list[str] = []
    lines: list[tuple[str, Any]] = []
    tree = ProcessTree(said.append, lambda name, told: lines.append((name, told)), pause_s=0.01)
    one, _ = child("gateway", HELD, FAILS, HELD)
    running = asyncio.create_task(tree.run((one,)))
    await until(tree, running, lambda: len(lines) == 1)
    os.kill(tree.pid("gateway"), signal.SIGKILL)
    await until(tree, running, lambda: len(lines) == 2)
    assert "The gateway could not be started again (exit code 7)." in said
    tree.end()
    await asyncio.wait_for(running, 30)


@pytest.mark.slow
def test_serve_runs_gateway_and_controller_and_one_interrupt_ends_both(workspace: Path, segue: Segue) -> None:
    """As a user does it: the API answers with the key that was shown, the controller acts, and nothing is left behind."""
    assert segue("route", "set", "support-reply", "current").code == 0
    command = [sys.executable, "-c", "from segue.cli import main; main()", "serve", "--json", "--port", "0", "--api-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told: list[dict[str, Any]] = [json.loads(process.stdout.readline())]
            assert told[0]["gateway"]["revisions"] == {"support-reply": 1}
            while told[-1].get("controller", {}).get("standing") != "acting":
                told.append(json.loads(process.stdout.readline()))
            api = told[1]["controller"]
            asked = urllib.request.Request(f"{api['url']}/v1/upgrades", headers={"authorization": f"Bearer {api['key']}"})
            with urllib.request.urlopen(asked, timeout=30) as answer:
                assert json.load(answer)["controller"]["holder"] == api["holder"]
            assert segue("status", "--json").json["controller"]["holder"] == api["holder"]
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert segue("status", "--json").json["controller"]["holder"] == ""
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(api["url"] + "/healthz", timeout=5)
