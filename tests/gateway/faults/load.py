"""Applications that go on asking while processes die, and write down every exchange whose answer they had to its last byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.gateway.team import HELLO, SEGUE, Team
from tests.gateway.wiring import KEY

HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


class Load:
    """Several applications at once, until left: half of their requests are streams. `port` may change when a gateway moves."""

    def __init__(self, port: int, applications: int = 4) -> None:
        self.port = port
        self.acknowledged: list[str] = []
        self.odd: list[str] = []
        """What came whole and was no answer."""
        self._ending = threading.Event()
        self._news = threading.Condition()
        self._threads = [threading.Thread(target=self._ask_on, args=(number,)) for number in range(applications)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def wait(self, more: int) -> None:
        """Until so many more were answered."""
        wanted = len(self.acknowledged) + more
        with self._news:
            assert self._news.wait_for(lambda: len(self.acknowledged) >= wanted, timeout=60), "Nobody is answered any more."

    def _ask_on(self, number: int) -> None:
        at = number
        while not self._ending.is_set():
            line = HTTPConnection("127.0.0.1", self.port, timeout=30)
            with suppress(OSError, HTTPException):
                while not self._ending.is_set():
                    at += 1
                    self._ask(line, stream=at % 2 == 0, user=f"u{at}")
            line.close()

    def _ask(self, line: HTTPConnection, *, stream: bool, user: str) -> None:
        body = json.dumps({"model": "mail", "messages": HELLO, "user": user, "stream": stream})
        line.request("POST", "/v1/chat/completions", body, HEADERS)
        answer = line.getresponse()
        content = answer.read()
        exchange = answer.headers["segue-exchange"] or ""
        is_whole = content.endswith(b"data: [DONE]\n\n") if stream else b'"choices"' in content
        with self._news:
            if answer.status == 200 and is_whole:
                self.acknowledged.append(exchange)
            else:
                self.odd.append(f"{answer.status} {content[-200:]!r}")
            self._news.notify_all()


class Bare:
    """`segue gateway` in a session of its own, which a test may kill as a whole or in part."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def kill_all(self) -> None:
        """Every process of it, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=30)


@contextmanager
def a_bare_gateway(root: Path, workers: int = 2, port: int = 0) -> Iterator[Bare]:
    """Started; what is left of it when the test is over is killed."""
    command = [*SEGUE, "gateway", "--port", str(port), "--workers", str(workers), "--json"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        said: dict[str, Any] = json.loads(process.stdout.readline())
        yield Bare(process, int(said["url"].rpartition(":")[2]))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)


def has_ended(process: subprocess.Popen[str], within_s: float = 0.05) -> bool:
    """Whether it ends within a moment: for those who wait for something else to happen."""
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def children(pid: int) -> set[int]:
    """Of a process, as they are now."""
    try:
        return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()


def shipping_of(keeper: int) -> int | None:
    """The process that ships: the one of the keeper's children that is named so."""
    for child in children(keeper):
        with suppress(OSError):
            folder = Path(f"/proc/{child}/fd")
            if any("shipper.lock" in str(link.readlink()) for link in folder.iterdir()):
                return child
    return None


def recount(team: Team, acknowledged: list[str]) -> Counter[str]:
    """The log after everything: each answered exchange once, no exchange twice, and nothing left in the spool."""
    with team.gateway(workers=1):
        pass
    found = Counter(one.id for one in team.kept())
    lost = set(acknowledged) - set(found)
    assert not lost, f"{len(lost)} of {len(acknowledged)} are lost."
    assert max(found.values()) == 1
    assert len(acknowledged) == len(set(acknowledged))
    assert not list((team.root / ".segue" / "spool").glob("*.spool")), "all of it was shipped"
    return found
