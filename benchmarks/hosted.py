"""The local stand-in for a hosted model, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen


@dataclass(frozen=True)
class Hosted:
    """Where it listens, and what it has seen."""

    base_url: str

    def state(self) -> dict[str, Any]:
        """Its ledger."""
        origin = self.base_url.removesuffix("/v1")
        with urlopen(f"{origin}/__stand-in/state", timeout=30) as response:
            found: dict[str, Any] = json.load(response)
        return found


@contextmanager
def hosted(*, latency_ms: float, text: str = "yes") -> Iterator[Hosted]:
    """A stand-in that answers every call with `text` after `latency_ms`."""
    command = [sys.executable, "-m", "segue.standin", "--latency-ms", str(latency_ms), "--text", text]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Hosted(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.communicate(timeout=30)
