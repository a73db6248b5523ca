"""A replay as people run it: real commands, a gateway of its own, simulated models; killed half-way, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from segue.controller.replaying_folder import ReplayFolder
from segue.exchanges import ServedExchange, Spool, SpoolSettings
from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import BodyNote
from segue.exchanges.selection import Selection
from segue.gateway.keys import hash_key
from segue.model.plan import Plan, PlanGate
from segue.model.plan_parts import StagingSpec
from segue.store import open_store
from segue.upgrade.log import Opening, UpgradeEntry
from tests.gateway.team import SEGUE
from tests.gateway.wiring import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TASKS = ("refund", "delivery", "product", "billing")
SENTENCE = " It is no trouble for us at all, and we are glad that you asked us before anybody else."
HOUR_NS = 3_600_000_000_000


class Shop:
    """A workspace whose candidate wraps what it says of products in a fence, and says more about refunds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        quick = {"latency": {"median_ms": 4, "sigma": 0.2}, "price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 4.0}}
        new = {"templates": ["{{answer}}{{metadata.more}}"], "fence_share": {"task=product": 0.9}, "fence_language": ""}
        models = {"old-1": quick, "new-1": {**quick, **new}}
        keys = {"keys": [{"name": "app", "hash": hash_key(KEY)}]}
        self.write("segue.yaml", {"version": 1, "providers": {"sim": {"type": "scripted", "models": models}}, "gateway": keys})
        home = "workflows/mail"
        scorer = {"name": "right", "type": "contains"}
        slices = {"task": {"values": list(TASKS)}}
        self.write(f"{home}/workflow.yaml", {"slices": slices, "scorers": [scorer], "gate": {"primary": ["right"]}})
        for name in ("old", "new"):
            self.write(f"{home}/bundles/{name}.yaml", {"model": {"provider": "sim", "snapshot": f"{name}-1"}})
        lines = "".join(json.dumps(self.case(number)) + "\n" for number in range(200))
        (root / home / "suites").mkdir()
        (root / home / "suites" / "main.jsonl").write_text(lines)

    def case(self, number: int) -> dict[str, Any]:
        """One of a suite, and one that a client asked."""
        task = TASKS[number % 4]
        return {
            "case_id": f"c{number}",
            "task": task,
            "messages": [{"role": "user", "content": f"Mail number {number} about my {task}: what happens next?"}],
            "reference": f"Thank you for mail {number}. We look at your {task} today and write to you by tomorrow.",
            "metadata": {"more": SENTENCE if task == "refund" else ""},
        }

    def write(self, name: str, content: Any) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content) + "\n")

    def record(self, n: int) -> None:
        """So many requests of clients in production, as a gateway kept them an hour ago."""
        spool = Spool(SpoolSettings(self.root / ".segue" / "spool", "w0", "before", segment_bytes=1 << 20, spare_bytes=0))
        begin = time.time_ns() - HOUR_NS
        for number in range(n):
            case = self.case(number)
            body = json.dumps({"model": "mail", "messages": case["messages"]}).encode()
            exchange = ServedExchange(
                id=f"x{number:06d}",
                at_ns=begin + number,
                workflow="mail",
                environment="production",
                dialect_in="openai_chat",
                attributes={"task": case["task"]},
                unit=f"u{number}",
                status=200,
                request=BodyNote("full", len(body)),
            )
            assert spool.append(exchange, body) is not None
            spool.tend()
        spool.close()

    def segue(self, *words: str) -> Any:
        """A command with `--json`."""
        done = subprocess.run([*SEGUE, *words, "--json"], cwd=self.root, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, f"{done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def log(self) -> ExchangeLog:
        return ExchangeLog(self.root / ".segue" / "spool", self.root / ".segue" / "exchanges")

    def staged(self) -> list[ServedExchange]:
        """What was asked in staging."""
        return [one.exchange for one in self.log().iterate(Selection(environment="staging"), with_bodies=False)]


def until(what: str, holds: Any, seconds: float = 60.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_replay_killed_half_way_goes_on_and_its_drift_is_named_in_the_right_slices(tmp_path: Path) -> None:
    """Two hundred requests, each answered once; a fence and a length that moved, and refusals that did not."""
    shop = Shop(tmp_path)
    shop.record(200)
    assert shop.segue("exchanges", "export", "--workflow", "mail", "--out", "week.jsonl")["exchanges"] == 200
    shop.segue("route", "set", "mail", "old", "--candidate", "new", "--shadow", "100%", "--environment", "staging")

    words = ["replay", "mail", "--from", "week.jsonl", "--rate", "60/s", "--name", "week"]
    process = subprocess.Popen([*SEGUE, *words], cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    folder = ReplayFolder(tmp_path / ".segue" / "replays" / "week")
    until("half of it is sent", lambda: len(folder.sent().answered) >= 80)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len(folder.sent().answered)
    assert before < 200
    sockets = tmp_path / ".segue" / "gateways"
    until("the gateway of the replay ended with it", lambda: not list(sockets.glob("*.sock")))

    done = shop.segue(*words[:-4], "--name", "week")
    assert (done["requests"], done["answered"], done["left"], done["failures"]) == (200, 200, 0, {})
    assert done["this_run"]["answered"] <= 200 - before
    answers = Counter(
        one.attributes["segue-replay"]
        for one in shop.staged()
        if one.arm != "shadow" and one.failure is None and one.status == 200
    )
    assert answers == {f"week:{number}": 1 for number in range(200)}
    assert sum(one.arm == "shadow" for one in shop.staged()) >= 200

    report = shop.segue("drift", "mail", "--environment", "staging", "--examples", "1")
    beyond = {(one["question"], one["where"]) for one in report["moves"] if one["is_beyond"]}
    assert {("whole_fence", "task=product"), ("characters", "task=refund")} <= beyond
    assert {where for question, where in beyond if question == "whole_fence"} == {"", "task=product"}
    assert {where for question, where in beyond if question == "characters" and where} <= {"task=refund", "task=product"}
    standing = {one["name"]: one["standing"] for one in report["dimensions"]}
    assert (standing["format"], standing["length"]) == ("moved beyond", "moved beyond")
    assert (standing["refusals"], standing["tool-calls"], standing["failures"]) == ("not moved",) * 3
    shown = [one for move in report["moves"] if move["question"] == "whole_fence" for one in move["examples"]]
    assert shown[0]["new"].startswith("```")
    assert not shown[0]["old"].startswith("```")


def test_staging_replays_what_production_recorded_and_writes_down_what_its_gate_needs(tmp_path: Path) -> None:
    """The job that a controller begins: route, replay, drift, the team's integration command, the fact."""
    shop = Shop(tmp_path)
    shop.record(120)
    (tmp_path / "workflows/mail/check.py").write_text("import sys\nsys.exit('fence' if '```' in sys.stdin.read() else 0)\n")
    digests = {one["label"]: one["digest"] for one in shop.segue("bundle", "add", "mail")}
    staging = StagingSpec(integration=(sys.executable, "check.py"))
    plan = Plan(preset="1-5-25-100", gates=(PlanGate(metric="right"),), staging=staging)
    opening = Opening(
        upgrade="mail-1",
        workflow="mail",
        incumbent=digests["old"],
        candidate=digests["new"],
        plan=plan,
        by="ada",
        at=time.time(),
    )
    at = "2026-11-21T10:00:00Z"
    store = open_store(f"sqlite:///{tmp_path / '.segue' / 'state.db'}")
    store.open_upgrade("mail-1", "mail", "production", opening.model_dump(mode="json"), author="ada", at=at)
    state = opening.state.model_copy(update={"stage": "staging", "number": 1})
    entry = UpgradeEntry(upgrade="mail-1", number=1, event="passed", at=opening.at, effects=("run_staging",), state=state)
    store.add_upgrade_entry("mail-1", 1, entry.model_dump(mode="json"), ends=False, fence=None, author="segue", at=at)
    store.close()

    found = shop.segue("replay", "mail", "--upgrade", "mail-1")
    assert (found["source"], found["n_sent"], found["n_answered"], found["passed"]) == ("production", 120, 120, False)
    assert found["integration"]["n_broken"] >= 20
    assert any("refuses the candidate's" in one for one in found["faults"])
    assert any("--accept format" in one for one in found["faults"])
    store = open_store(f"sqlite:///{tmp_path / '.segue' / 'state.db'}")
    (fact,) = store.list_facts("mail", kind="staging", subject="mail-1")
    assert fact.body["report"]["n_pairs"] == 120
    store.close()
    accepted = shop.segue("drift", "mail", "--accept", "format", "--reason", "The parser takes fences from May on.")
    assert "whole_fence" in accepted["accepted"]["format"]
