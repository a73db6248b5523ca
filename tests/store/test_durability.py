"""What survives `kill -9`, and what two processes do to one store at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from segue.store import Claim, open_store
from tests.store.conftest import Place

WRITER = """
import sys
from segue.model import Exchange, Reply
from segue.store import open_store

store = open_store(sys.argv[1])
for number in range(100_000):
    store.begin_attempts("run", [("b", f"c{number:06}", "i", 0)])
    print(f"begun {number}", flush=True)
    store.add_exchanges([Exchange("b", f"c{number:06}", "i", 0, reply=Reply("x" * 500))])
    if number % 10 == 0:
        store.append_log("note", str(number), {"n": number}, author="ada", at="t")
    print(f"stored {number}", flush=True)
"""

LOGGER = """
import sys
from segue.model import Bundle, Exchange, ModelRef, Reply
from segue.store import open_store

store = open_store(sys.argv[1])
name = sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    store.append_log("note", f"{name}-{number}", {"n": number}, author=name, at="t")
    store.add_run(f"{name}-{number}", "refunds", {}, author=name, at="t")
    store.add_bundle(Bundle(workflow="refunds", model=ModelRef(provider="p", snapshot=str(number))), author=name, at="t")
    reply = Reply(name)
    store.add_exchanges([Exchange("b", f"c{number}", "i", 0, reply=reply), Exchange(name, "c", "i", number, reply=reply)])
store.close()
print("done", flush=True)
"""

CLAIMER = """
import sys
from segue.store import Claim, open_store

store = open_store(sys.argv[1])
print(store.claim("eval refunds", Claim("run-1", "t", "ada")), flush=True)
sys.stdin.read()
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("n_acknowledged", [1, 37, 400])
def test_everything_acknowledged_survives_kill_9(sqlite_path: Path, n_acknowledged: int) -> None:
    """Replies, attempts and log entries; the chain holds; the one call that was in flight is known."""
    with start(WRITER, str(sqlite_path)) as writer:
        assert writer.stdout is not None
        told: dict[str, int] = {}
        for line in writer.stdout:
            what, number = line.split()
            told[what] = int(number)
            if told.get("stored", -1) + 1 >= n_acknowledged:
                break
        writer.kill()
        for line in writer.stdout:
            if not line.endswith("\n"):
                break  # killed while it said so: nothing was acknowledged by it
            what, number = line.split()
            told[what] = int(number)
    store = open_store(sqlite_path)
    stored = {case_id for case_id, _, _ in store.finished("b")}
    assert stored >= {f"c{number:06}" for number in range(told["stored"] + 1)}
    assert len(stored) <= told["stored"] + 2
    begun = stored | {case_id for _, case_id, _, _ in store.open_attempts("run")}
    assert begun >= {f"c{number:06}" for number in range(told["begun"] + 1)}
    assert len(store.open_attempts("run")) <= 1
    assert sum(1 for _ in store.iter_exchanges("b")) == len(stored)
    check = store.verify_log()
    assert check.holds
    assert check.n_entries >= told["stored"] // 10 + 1
    store.close()


def test_two_processes_keep_one_chain(database: Place) -> None:
    """On both databases: no fork, no gap, nothing lost, nothing stored twice."""
    writers = [start(LOGGER, database.address, name) for name in ("ada", "bob")]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    outputs = [writer.communicate("go\n")[0] for writer in writers]
    assert outputs == ["done\n", "done\n"]
    store = database.open()
    check = store.verify_log()
    assert check.faults == ()
    assert check.n_entries == 2 * 40 + 2 * 40 + 40
    assert [entry.seq for entry in store.iter_log()] == list(range(1, check.n_entries + 1))
    assert len(store.finished("b")) == 40
    assert len(store.finished("ada")) == len(store.finished("bob")) == 40
    store.close()


def test_two_processes_may_open_a_new_store_at_once(sqlite_path: Path) -> None:
    """One of them makes the schema; the other waits for it."""
    writers = [start(LOGGER, str(sqlite_path), name) for name in ("ada", "bob")]
    outputs = [writer.communicate("go\n")[0] for writer in writers]
    assert outputs == ["ready\ndone\n"] * 2
    store = open_store(sqlite_path)
    assert store.verify_log().holds
    store.close()


def test_a_claim_does_not_outlive_a_process_that_is_killed(database: Place) -> None:
    """Nobody has to tidy up after `kill -9`."""
    store, mine = database.open(), Claim("run-2", "t", "bob")
    with start(CLAIMER, database.address) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "None\n"
        assert store.claim("eval refunds", mine) == Claim("run-1", "t", "ada")
        holder.kill()
    # A server notices in its own time that a connection has ended.
    assert any(store.claim("eval refunds", mine) is None for _ in range(5_000))
