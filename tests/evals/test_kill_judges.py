"""`kill -9` while judges are asked: no verdict is lost, no question is paid for twice, and the report is the same."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.cli import main
from tests.evals.test_kill import CONCURRENCY, NOISY, Provider, Workspace, a_provider, a_suite, ends_within, judged

KILLS = 3
SUITE = a_suite(30)
JUDGE = {"likes": "(?m)^yes$", "latency": {"median_ms": 60, "sigma": 0.3}}
SCRIPT = {
    "type": "scripted",
    "seed": 11,
    "realtime": 1.0,
    "models": {
        "old-1": {**NOISY, "accuracy": 0.5, "flip_probability": 0.0},
        "new-2": {**NOISY, "accuracy": 0.8, "flip_probability": 0.0},
        "judge-1": JUDGE,
    },
}
ASKED = {"provider": "hosted", "snapshot": "judge-1", "rubric": "Says whether it is here."}
WORKFLOW = {
    "incumbent": "now",
    "scorers": [
        {"name": "right", "type": "exact"},
        {"name": "helpful", "type": "judge", **ASKED},
        {"name": "liked", "type": "pairwise", **ASKED},
    ],
    "gate": {"primary": ["right"], "repeats": 1},
}


def kill_while_judging(process: subprocess.Popen[str], provider: Provider, calls: int, delay: float) -> bool:
    """SIGKILL some time after the models have answered; false if it was done before that."""
    while not ends_within(process, 0.01) and provider.state()["calls"] < calls:
        pass
    if ends_within(process, delay):
        return False
    process.send_signal(signal.SIGKILL)
    return process.wait(timeout=10) == -signal.SIGKILL


@pytest.fixture
def run_to_the_end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Workspace], Any]:
    """`segue eval` in this process, which saves the start of another; its report."""
    monkeypatch.setenv("SEGUE_AUTHOR", "ada")

    def run(workspace: Workspace) -> Any:
        monkeypatch.chdir(workspace.root)
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(("eval", "mail", "--candidate", "next", "--json"))
        shown = capsys.readouterr()
        assert left.value.code in (0, 10, 11, 12), shown.err
        return judged(shown.out)

    return run


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_judges_that_were_killed_are_not_paid_twice_and_say_the_same(
    tmp_path: Path, run_to_the_end: Callable[[Workspace], Any]
) -> None:
    """What is stored is never asked again; what was under way is sent with the same key, and billed once."""
    with a_provider(tmp_path / "quiet-provider", SCRIPT, SUITE) as provider:
        undisturbed = run_to_the_end(Workspace(tmp_path / "quiet", provider, WORKFLOW, SUITE))
        asked = provider.state()
    n_judged = asked["keys"] - 60
    assert n_judged > 40
    assert {one["metric"]: one["verdicts"] for one in undisturbed["judging"]} == {"helpful": 60, "liked": 30}

    rng = np.random.default_rng(7)
    with a_provider(tmp_path / "provider", SCRIPT, SUITE) as provider:
        workspace = Workspace(tmp_path / "killed", provider, WORKFLOW, SUITE)
        kept: dict[str, int] = {}
        points: list[int] = []
        for _ in range(KILLS):
            process = workspace.start()
            calls_before_the_end = max(60, provider.state()["calls"]) + int(rng.integers(1, 20))
            killed = kill_while_judging(process, provider, calls_before_the_end, rng.uniform(0.0, 0.08))
            _, errors = process.communicate(timeout=60)
            assert killed or process.returncode in (0, 10, 11, 12), errors
            calls, stored = provider.calls_by_key(), workspace.stored_keys()
            assert kept.keys() <= stored, "a verdict that was stored is gone"
            assert {key: calls[key] for key in kept} == kept, "a stored answer was asked for again"
            points.append(len(stored))
            assert len(calls.keys() - stored) <= CONCURRENCY + CONCURRENCY // 2
            kept = {key: calls[key] for key in stored}
        assert run_to_the_end(workspace) == undisturbed
        ledger, calls = provider.state(), provider.calls_by_key()
        assert {key: calls[key] for key in kept} == kept, "a stored answer was asked for again"
        assert workspace.stored_keys() == calls.keys()
        assert ledger["billed"] == ledger["keys"] == asked["keys"]
    assert len([point for point in points if 60 <= point < asked["keys"]]) >= 2, points
