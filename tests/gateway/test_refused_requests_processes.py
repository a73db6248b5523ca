"""A real worker refuses by the head, and in the client's dialect."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.gateway.team import Team
from tests.gateway.wiring import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def told(port: int, path: str, size: int) -> tuple[int, str]:
    """Status and message of what a head alone is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY if size > 33_554_432 else 'sg-wrong'}\r\n"
        line.sendall(f"{head}expect: 100-continue\r\ncontent-length: {size}\r\n\r\n".encode())
        answer = b""
        while part := line.recv(65_536):
            answer += part
    head, _, body = answer.decode().partition("\r\n\r\n")
    said = json.loads(body)
    assert said["type"] == "error"
    return int(head.split(" ")[1]), said["error"]["message"]


def test_a_worker_answers_heads_and_words_its_limits(tmp_path: Path) -> None:
    """Whoever has no key is told before the body comes, and who sends too much hears how much is taken."""
    team = Team(tmp_path, {"old": "http://127.0.0.1:9/v1"})
    team.segue("route", "set", "mail", "old")
    with team.gateway(workers=1) as running:
        port = int(running.origin.rpartition(":")[2])
        status, message = told(port, "/v1/messages", 33_000_000)
        assert (status, "No valid gateway key" in message) == (401, True)
        status, message = told(port, "/v1/messages", 33_600_000)
        assert (status, "33554432 bytes" in message, "Send less" in message) == (413, True, True)
