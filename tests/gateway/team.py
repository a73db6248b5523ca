"""A team's workspace, its commands and its gateway as processes: what the tests of whole gateways share."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import openai
import pytest

from segue.cli import main
from segue.exchanges import ServedExchange
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from segue.gateway.control import socket_folder
from segue.gateway.keys import hash_key
from tests.gateway.wiring import KEY

HELLO: Any = [{"role": "user", "content": "Hello"}]
SEGUE = [sys.executable, "-c", "from segue.cli import main; main()"]


@contextmanager
def a_stand_in(text: str) -> Iterator[str]:
    """A provider, as a process."""
    command = [sys.executable, "-m", "segue.standin", "--text", text]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=10)


class Team:
    """A workspace with two bundles of two providers, and the commands typed in it."""

    def __init__(self, root: Path, providers: dict[str, str], *, state: str | None = None) -> None:
        self.root = root
        entries = {name: {"type": "openai", "base_url": url} for name, url in providers.items()}
        keys = {"keys": [{"name": "app", "hash": hash_key(KEY)}]}
        self.settings: dict[str, Any] = {"version": 1, "providers": entries, "gateway": keys}
        if state is not None:
            self.settings["state"] = state
        self.configure()
        self.add_workflow("mail")

    def configure(self) -> None:
        """Write `segue.yaml` as `settings` are now."""
        self.write("segue.yaml", self.settings)

    def add_workflow(self, workflow: str) -> None:
        """A workflow with a bundle of each provider."""
        home = f"workflows/{workflow}"
        scorer = {"name": "right", "type": "contains"}
        self.write(f"{home}/workflow.yaml", {"scorers": [scorer], "gate": {"primary": ["right"]}})
        for name in self.settings["providers"]:
            self.write(f"{home}/bundles/{name}.yaml", {"model": {"provider": name, "snapshot": f"{name}-1"}})
        case = {"case_id": "c1", "messages": HELLO, "reference": "Hello"}
        self.write(f"{home}/suites/main.jsonl", case)

    def write(self, name: str, content: Any) -> None:
        """A file of the workspace."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content) + "\n")

    def segue(self, *words: str, code: int = 0) -> Any:
        """A command with `--json`, typed here: in this process, for to start one costs a second of work.

        How commands behave as processes is shown in `tests/cli`; a gateway is one here too.
        """
        left, said, told = self.typed(*words, "--json")
        assert left == code, f"{told}{said}"
        return json.loads(said)

    def typed(self, *words: str) -> tuple[int, str, str]:
        """A command's exit code and both its outputs."""
        said, told = StringIO(), StringIO()
        with chdir(self.root), redirect_stdout(said), redirect_stderr(told), pytest.raises(SystemExit) as left:
            main(words)
        assert isinstance(left.value.code, int)
        return left.value.code, said.getvalue(), told.getvalue()

    def process(self, *words: str, code: int = 0) -> Any:
        """The same as a process of its own: for what starts processes itself, or leaves work to a thread that ends with it."""
        done = subprocess.run([*SEGUE, *words, "--json"], cwd=self.root, capture_output=True, text=True, timeout=90)
        assert done.returncode == code, f"{done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that runs on, as the head of a group of its own."""
        return subprocess.Popen([*SEGUE, *words], cwd=self.root, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def served(self, process: subprocess.Popen[str]) -> str:
        """Where a gateway that was started serves, once it does."""
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("OpenAI clients"):
                return next(word for word in line.split() if word.startswith("http://")).removesuffix("/v1.")
        raise AssertionError("".join(said))

    @contextmanager
    def gateway(self, workers: int = 2) -> Iterator[Running]:
        """`segue gateway`, until left."""
        command = [*SEGUE, "gateway", "--port", "0", "--workers", str(workers)]
        process = subprocess.Popen(command, cwd=self.root, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("OpenAI clients"):
                break
        rest = threading.Thread(target=lambda: said.extend(process.stderr or []))
        rest.start()
        try:
            assert process.poll() is None, "".join(said)
            origin = next(word for line in said for word in line.split() if word.startswith("http://"))
            yield Running(process, origin, said)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
            rest.join()
            process.stderr.close()

    def kept(self) -> list[ServedExchange]:
        """The exchanges that are in the log, shipped or not."""
        log = ExchangeLog(self.root / ".segue" / "spool", self.root / ".segue" / "exchanges")
        return [one.exchange for one in log.iterate(Selection())]


class Running:
    """A gateway that runs."""

    def __init__(self, process: subprocess.Popen[str], origin: str, said: list[str]) -> None:
        self.process, self.origin, self.said = process, origin, said

    def ask(self, user: str = "ada", workflow: str = "mail") -> tuple[str, str]:
        """An answer and its exchange, on a connection of its own, so that any worker may get it."""
        with openai.OpenAI(base_url=f"{self.origin}/v1", api_key=KEY, max_retries=0, timeout=30) as client:
            raw = client.chat.completions.with_raw_response.create(model=workflow, messages=HELLO, user=user)
            return raw.parse().choices[0].message.content or "", raw.headers["segue-exchange"]

    def ready(self) -> dict[str, Any]:
        """What readiness says."""
        with urlopen(f"{self.origin}/readyz", timeout=30) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def workers(self, folder: Path) -> list[dict[str, Any]]:
        """What the keeper says of its workers."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(socket_folder(folder) / f"{self.process.pid}.sock"))
            line.sendall(b'{"do": "sync"}\n')
            found: dict[str, Any] = json.loads(b"".join(iter(lambda: line.recv(65_536), b"")))
        return list(found["workers"])
