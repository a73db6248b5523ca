"""`kill -9` in the middle of real runs, against a provider in another process that counts calls and bills.

The stand-in honours idempotency keys, as some providers do: a key sent again is answered and not billed again. A provider
without them may bill twice the calls that were under way when the process died. No more than those: they are noted before
they are sent, the next run says how many there were at most, and the test holds it to that number.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from segue.evals.judge_calls import judge_behaviour
from segue.model import Parameters, digest_of
from segue.store import open_store
from tests.evals.team import suite_line
from tests.thorough import often

KILLS = often(6, thorough=20)
CASES = 150
CONCURRENCY = 12
NOISY = {
    "accuracy": 0.85,
    "flip_probability": [0.02, 0.2],
    "shared_difficulty": 0.5,
    "latency": {"median_ms": 30, "sigma": 0.3},
}
SCRIPT = {"type": "scripted", "seed": 11, "realtime": 1.0, "models": {"old-1": NOISY, "new-2": {**NOISY, "accuracy": 0.8}}}
PRICE = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 4.0}
JUDGE_BEHAVIOUR = judge_behaviour("hosted", "judge-1", Parameters())
WORKFLOW = {
    "incumbent": "now",
    "scorers": [{"name": "right", "type": "exact"}, {"name": "length", "type": "length"}],
    "gate": {"primary": ["right"], "max_repeats": 2},
}


class Provider:
    """The stand-in in its own process, and what it has seen."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._host = str(urlsplit(base_url).netloc)

    def state(self, query: str = "") -> dict[str, Any]:
        """Its ledger."""
        connection = HTTPConnection(self._host, timeout=10)
        try:
            connection.request("GET", f"/__stand-in/state{query}")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()

    def calls_by_key(self) -> Mapping[str, int]:
        """How often each idempotency key was sent."""
        found: dict[str, int] = self.state("?keys")["calls_by_key"]
        return Counter(found)


@contextmanager
def a_provider(folder: Path, script: Mapping[str, Any] = SCRIPT, suite: str | None = None) -> Iterator[Provider]:
    """A stand-in that answers like the scripted models."""
    folder.mkdir(parents=True)
    (folder / "script.json").write_text(json.dumps(script))
    (folder / "suite.jsonl").write_text(suite or SUITE)
    command = [sys.executable, "-m", "segue.standin", "--script", "script.json", "--suite", "suite.jsonl"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Provider(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.communicate(timeout=10)


def a_suite(cases: int) -> str:
    """So many cases, as a file."""
    return "".join(json.dumps(suite_line(f"c{number:03}")) + "\n" for number in range(cases))


SUITE = a_suite(CASES)


class Workspace:
    """A team's workspace in a folder of its own, and `segue eval` in it as a process of its own."""

    def __init__(
        self, root: Path, provider: Provider, workflow: Mapping[str, Any] = WORKFLOW, suite: str | None = None
    ) -> None:
        self.root = root
        entry = {"type": "openai", "base_url": provider.base_url, "max_concurrency": CONCURRENCY}
        prices = dict.fromkeys(("old-1", "new-2", "judge-1"), PRICE)
        config = {"version": 1, "providers": {"hosted": entry}, "prices": prices}
        self.write("segue.yaml", json.dumps(config))
        self.write("workflows/mail/workflow.yaml", json.dumps(workflow))
        for label, snapshot in (("now", "old-1"), ("next", "new-2")):
            model = {"model": {"provider": "hosted", "snapshot": snapshot}}
            self.write(f"workflows/mail/bundles/{label}.yaml", json.dumps(model))
        self.write("workflows/mail/suites/main.jsonl", suite or SUITE)

    def write(self, name: str, text: str) -> None:
        """Write a file of the workspace."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(self) -> subprocess.Popen[str]:
        """Begin `segue eval mail --candidate next --json`."""
        return subprocess.Popen(
            [sys.executable, "-c", "from segue.cli import main; main()", "eval", "mail", "--candidate", "next", "--json"],
            cwd=self.root,
            env={**os.environ, "SEGUE_AUTHOR": "ada"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stored_keys(self) -> set[str]:
        """The idempotency keys of every reply in the store, read as the next run would read it."""
        path = self.root / ".segue" / "state.db"
        if not path.exists():
            return set()
        store = open_store(path)
        try:
            assert store.verify_log().holds
            behaviours = [record.bundle.behaviour for record in store.list_bundles("mail")]
            calls = {digest_of([one, *key]) for one in behaviours for key in store.finished(one)}
            # A question to a judge is stored under its key itself.
            return calls | {question for _, question, _ in store.finished(JUDGE_BEHAVIOUR)}
        finally:
            store.close()


def judged(output: str) -> dict[str, Any]:
    """A report without what differs between any two runs: when it was, its name, how long calls took, what it paid."""
    report: dict[str, Any] = json.loads(output)
    for name in ("at", "run", "verdict", "spent", "spent_before"):
        del report[name]
    report["operations"] = [one for one in report["operations"] if one["name"] not in ("latency", "ttft")]
    return report


def kill_somewhere(process: subprocess.Popen[str], provider: Provider, rng: np.random.Generator) -> bool:
    """SIGKILL at a random point: while it starts, while it asks, or afterwards. False if it was done before that."""
    before = provider.state()["calls"]
    until_first_call = rng.random() < 0.8
    delay = rng.uniform(0.0, 1.2)
    while until_first_call and not ends_within(process, 0.01) and provider.state()["calls"] == before:
        pass
    if ends_within(process, delay):
        return False
    process.send_signal(signal.SIGKILL)
    return process.wait(timeout=10) == -signal.SIGKILL


def ends_within(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether the process ends by itself in that time."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def said_to_be_lost(errors: str) -> int:
    """How many calls the run said an earlier one may have lost."""
    match = re.search(r"at most\s+([\d,]+)\s+calls?\s+under way", errors)
    return int(match.group(1).replace(",", "")) if match else 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_run_killed_again_and_again_keeps_every_answer_pays_for_none_twice_and_says_the_same(tmp_path: Path) -> None:
    """Every answer that was stored is there afterwards and never asked for again; the verdict is that of a quiet run."""
    with a_provider(tmp_path / "quiet-provider") as provider:
        process = Workspace(tmp_path / "quiet", provider).start()
        output, errors = process.communicate(timeout=120)
        assert process.returncode in (0, 10, 11, 12), errors
        undisturbed, asked = judged(output), provider.state()
    assert asked["repeated_keys"] == 0
    assert undisturbed["coverage"]["repeats"] == 2

    rng = np.random.default_rng(20)
    kills = completed = 0
    points: list[int] = []
    while kills < KILLS or not completed:
        with a_provider(tmp_path / f"provider-{completed}") as provider:
            workspace = Workspace(tmp_path / f"killed-{completed}", provider)
            kept: dict[str, int] = {}
            lost = dead = 0
            while True:
                process = workspace.start()
                killed = kills < KILLS and kill_somewhere(process, provider, rng)
                output, errors = process.communicate(timeout=120)
                told = said_to_be_lost(errors)
                if told:
                    # What was sent and not stored is no more than what the run says may be lost: calls under way, half as many
                    # that wait for the disk, and two batches of half as many that were noted ahead.
                    assert lost <= told <= dead * (CONCURRENCY + 3 * (CONCURRENCY // 2))
                calls, stored = provider.calls_by_key(), workspace.stored_keys()
                assert kept.keys() <= stored, "an answer that was stored is gone"
                assert {key: calls[key] for key in kept} == kept, "a stored answer was asked for again"
                if not killed:
                    break
                kills += 1
                dead += 1
                points.append(len(stored))
                kept = {key: calls[key] for key in stored}
                lost = len(calls.keys() - stored)
            assert process.returncode in (0, 10, 11, 12), errors
            assert judged(output) == undisturbed
            ledger = provider.state()
            # Every key was billed once, and what was asked is what a quiet run asks.
            assert stored == calls.keys()
            assert ledger["billed"] == ledger["keys"] == len(stored) == asked["keys"]
            completed += 1
    assert kills == KILLS
    # The kills fell on many points of the runs, and not only before the first answer or after the last.
    assert len({count for count in points if 0 < count < asked["keys"]}) >= often(2, thorough=8)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "cancelled-by-ci"])
def test_an_interrupted_eval_lets_calls_under_way_finish_and_leaves_with_130(tmp_path: Path, sent: signal.Signals) -> None:
    """Whatever was sent is stored, nothing is lost, and the same command goes on where it stopped."""
    with a_provider(tmp_path / "provider") as provider:
        workspace = Workspace(tmp_path / "team", provider)
        process = workspace.start()
        while provider.state()["calls"] < 100 and not ends_within(process, 0.01):
            pass
        process.send_signal(sent)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "may finish" in errors
        assert any("interrupted" in note for note in json.loads(output)["notes"])
        assert workspace.stored_keys() == provider.calls_by_key().keys()
        process = workspace.start()
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (0, 10, 11, 12), errors
        assert said_to_be_lost(errors) == 0
        assert provider.state()["repeated_keys"] == 0
