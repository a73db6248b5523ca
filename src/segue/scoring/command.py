"""The command scorer: the team's own parser or test command, run on each output of both arms.

The output is on standard input; exit code 0 means accepted. A command that rejects, crashes or hangs on an output scores 0
with the reason; one that cannot be started is an error, never a wrong answer. `segue.scoring.command_run` does the running.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import orjson
from pydantic import Field

from segue.errors import Fault, InputError
from segue.model import Case, CommandCheck, Exchange, Json, Metric, Score, ScorerSpec
from segue.scoring.answer import final_calls, final_text
from segue.scoring.base import ScorerIdentity
from segue.scoring.command_run import Ended, NotStarted, run_command
from segue.scoring.context import ScoringContext
from segue.scoring.contract_clauses import shorten
from segue.scoring.declared import command_metrics
from segue.scoring.settings import Settings, read_settings

VERSION = "1"

KEPT_ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("PYTHONPATH", "VIRTUAL_ENV", "NODE_PATH", "JAVA_HOME"),
)
"""What a command sees of the environment: places and languages, never keys. `SEGUE_CASE` is added."""

_CANNOT_RUN = (126, 127)
"""Exit codes by which `env` and shells say that they could not run the program."""


class CommandSettings(Settings):
    """Settings of `command`. Without `argv`, the contract's own command is run."""

    argv: tuple[str, ...] = ()
    """The program and its arguments; run without a shell, from the workflow's folder."""
    timeout_s: float = Field(default=10.0, gt=0, le=600)
    """Seconds one output may take."""


class CommandRunner:
    """A command ready to be run on outputs. No more than twice as many at once, over all runners, as there are processors."""

    def __init__(self, check: CommandCheck, workflow_dir: Path, environ: Mapping[str, str]) -> None:
        self.check = check
        self._cwd = workflow_dir
        self._env = {name: environ[name] for name in KEPT_ENVIRONMENT if name in environ}

    def identity(self) -> dict[str, Json]:
        """Everything that can change a verdict: the command, its time limit, and the workflow's own files named in it."""
        files = {argument: _file_digest(self._cwd, argument) for argument in self.check.argv}
        return {
            "argv": list(self.check.argv),
            "timeout_s": self.check.timeout_s,
            "files": {argument: digest for argument, digest in files.items() if digest is not None},
        }

    async def judge(self, name: str, case: Case, exchange: Exchange) -> Score:
        """Run the command on one exchange and score it as `name`. Cancelling ends the command."""
        cancelled = threading.Event()
        try:
            outcome = await asyncio.get_running_loop().run_in_executor(_pool(), self._run, case, _stdin(exchange), cancelled)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return self._as_score(name, outcome)

    def _run(self, case: Case, stdin: bytes, cancelled: threading.Event) -> Ended | NotStarted:
        try:
            with tempfile.TemporaryDirectory(prefix="segue-case-") as folder:
                path = Path(folder) / "case.json"
                path.write_text(_encodable(case.model_dump(mode="json")), encoding="utf-8")
                env = {**self._env, "SEGUE_CASE": str(path)}
                return run_command(
                    self.check.argv, stdin, cwd=self._cwd, env=env, timeout_s=self.check.timeout_s, cancelled=cancelled
                )
        except OSError as error:
            return NotStarted(f"the case could not be written for it: {error.strerror}")

    def _as_score(self, name: str, outcome: Ended | NotStarted) -> Score:
        if isinstance(outcome, NotStarted):
            return Score(name, status="error", reason=shorten(f"The command did not run: {outcome.reason}."))
        if outcome.timed_out:
            return Score(name, 0.0, reason=f"The command timed out after {self.check.timeout_s:g} s on this output.")
        said = _last_line(outcome.stderr) or _last_line(outcome.stdout)
        if outcome.stopped_from_outside:
            return Score(
                name, status="error", reason=f"The command was stopped from outside ({outcome.signal_name or 'cancelled'})."
            )
        if outcome.exit_code in _CANNOT_RUN:
            return Score(
                name, status="error", reason=shorten(f"The command did not run (exit code {outcome.exit_code}): {said}")
            )
        if outcome.exit_code == 0:
            return Score(name, 1.0)
        ending = f"exit code {outcome.exit_code}" if outcome.signal_name is None else f"crashed with {outcome.signal_name}"
        return Score(name, 0.0, reason=shorten(f"{ending}: {said}" if said else f"{ending}, and it said nothing"))


class CommandScorer:
    """1 where the command accepts the output. One metric, `<name>`."""

    def __init__(self, spec: ScorerSpec, runner: CommandRunner) -> None:
        self._runner = runner
        self.identity = ScorerIdentity(name=spec.name, type="command", version=VERSION, settings=runner.identity())
        self.metrics: Sequence[Metric] = command_metrics(spec, CommandSettings())

    async def score_async(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        """Run the command on one exchange."""
        return (await self._runner.judge(self.identity.name, case, exchange),)


def build_command(spec: ScorerSpec, context: ScoringContext) -> CommandScorer:
    """Build from a declaration; raises `InputError` with all faults."""
    settings, faults = read_settings(CommandSettings, spec)
    check = None
    if settings is not None and settings.argv:
        check = CommandCheck(argv=settings.argv, timeout_s=settings.timeout_s)
    elif context.contract is not None:
        check = context.contract.command
    if settings is not None and check is None:
        faults.append(
            Fault(
                what=f"The scorer '{spec.name}' has no command to run.",
                fix="Add argv, such as [python, check.py], or a command to the bundle's contract.",
                path="argv",
            )
        )
    runner, more = build_runner(spec, check, context) if check is not None else (None, [])
    faults.extend(more)
    if faults or runner is None:
        raise InputError.from_faults(faults, subject=f"the scorer '{spec.name}'")
    return CommandScorer(spec, runner)


def build_runner(spec: ScorerSpec, check: CommandCheck, context: ScoringContext) -> tuple[CommandRunner | None, list[Fault]]:
    """A runner for `check`, or what is missing for one."""
    faults: list[Fault] = []
    if any("\0" in argument for argument in check.argv) or not check.argv[0].strip():
        faults.append(
            Fault(what="The command names no program.", fix="Put the program first: [python, check.py].", path="argv")
        )
    if context.workflow_dir is None or not context.workflow_dir.is_dir():
        faults.append(
            Fault(
                what=f"The scorer '{spec.name}' runs a command from the workflow's folder, and there is none here.",
                fix="Run it in a workspace that has the workflow's folder, or leave this scorer out.",
            )
        )
    if faults:
        return None, faults
    assert context.workflow_dir is not None
    return CommandRunner(check, context.workflow_dir, context.environ or os.environ), []


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2 * (os.cpu_count() or 1), thread_name_prefix="segue-command")


def _stdin(exchange: Exchange) -> bytes:
    """The output's text; where it calls tools, a JSON object of `text` and `tool_calls`."""
    text, calls = final_text(exchange), final_calls(exchange)
    if calls:
        body = {"text": text, "tool_calls": [{"name": call.name, "arguments": call.arguments} for call in calls]}
        text = _encodable(body)
    return text.encode("utf-8", errors="replace")


def _encodable(body: Json) -> str:
    try:
        return orjson.dumps(body).decode()
    except orjson.JSONEncodeError:  # half of a surrogate pair, or a number beyond 64 bits
        return json.dumps(body)


def _file_digest(folder: Path, argument: str) -> str | None:
    """SHA-256 of the file `argument` names inside `folder`; None where it names none."""
    try:
        path = (folder / argument).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return None
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None


def _last_line(output: bytes) -> str:
    lines = [line for line in output.decode("utf-8", errors="replace").splitlines() if line.strip()]
    return shorten(lines[-1]) if lines else ""
