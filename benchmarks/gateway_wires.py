"""What the clients of the gateway's benchmarks send, as bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

ASKED = "Where is my order? It was due on Monday. " * 42


def write_asks(folder: Path, headers: Mapping[str, str]) -> None:
    """`ask_plain` and `ask_stream`: a body of 2 KB with these headers."""
    for name, is_stream in (("ask_plain", False), ("ask_stream", True)):
        asked = {"model": "bench", "messages": [{"role": "user", "content": ASKED}], "user": "user-0123456789"}
        body = json.dumps({**asked, "stream": True} if is_stream else asked).encode()
        lines = [
            "POST /v1/chat/completions HTTP/1.1",
            "host: bench",
            "accept: text/event-stream" if is_stream else "accept: application/json",
            "content-type: application/json",
            "user-agent: OpenAI/Python 2.1",
            *(f"{key}: {value}" for key, value in headers.items()),
            f"content-length: {len(body)}",
        ]
        (folder / name).write_bytes("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
