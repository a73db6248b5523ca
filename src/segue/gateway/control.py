"""Telling the gateways of this machine of a flip, and hearing from them when the last worker serves it."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

FOLDER = "gateways"
"""Beside the store: one socket for each gateway that runs."""


_LONGEST = 90
"""Bytes of a socket's folder: the kernel takes 108 for the whole path."""


def socket_folder(state: Path) -> Path:
    """Where the gateways of a store have their sockets: beside it, or, where that path is too long, among temporary files."""
    folder = state / FOLDER
    if len(os.fsencode(folder)) <= _LONGEST:
        return folder
    name = sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"segue-{os.getuid()}-{name}"


@dataclass(frozen=True)
class Confirmed:
    """What one gateway said. `ms` from asking to its answer; `fault` where it did not, or where a worker refused."""

    gateway: str
    ms: float
    revision: int | None
    workers: int
    fault: str | None


def sync_gateways(folder: Path, workflow: str, environment: str, *, timeout_s: float = 12.0) -> list[Confirmed]:
    """Ask all gateways of an environment at once to serve the routes as they are now; gives what each serves of this workflow.

    What is left of a gateway that was killed is cleared away.
    """
    sockets = sorted(folder.glob("*.sock"))
    if not sockets:
        return []
    with ThreadPoolExecutor(len(sockets)) as pool:
        found = pool.map(lambda path: _ask(path, workflow, environment, timeout_s), sockets)
        return [one for one in found if one is not None]


def _ask(path: Path, workflow: str, environment: str, timeout_s: float) -> Confirmed | None:
    began = time.perf_counter()

    def told(revision: int | None, workers: int, fault: str | None) -> Confirmed:
        return Confirmed(path.stem, (time.perf_counter() - began) * 1e3, revision, workers, fault)

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout_s)
            line.connect(str(path))
            line.sendall(b'{"do": "sync"}\n')
            found = json.loads(b"".join(_received(line)))
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        return None
    except (OSError, ValueError) as error:
        return told(None, 0, f"It does not answer ({type(error).__name__}).")
    return told(*_summed(found, workflow)) if found.get("environment", environment) == environment else None


def _received(line: socket.socket) -> Iterator[bytes]:
    while chunk := line.recv(65_536):
        yield chunk


def _summed(found: dict[str, Any], workflow: str) -> tuple[int | None, int, str | None]:
    """The oldest revision any worker serves: only when all have the new one is a flip done."""
    workers = found.get("workers", [])
    serves = [one["revisions"].get(workflow) for one in workers]
    fault = found.get("fault") or next((one["fault"] for one in workers if one["fault"]), None)
    known = [one for one in serves if one is not None]
    return (min(known) if len(known) == len(serves) and known else None), len(workers), fault
