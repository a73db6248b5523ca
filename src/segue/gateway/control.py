"""Telling gateways of a flip, and hearing when the last worker of the last of them serves it.

Those of this machine are asked over their sockets, and can be told to roll back there while no store answers. All others hear
of a flip from the store, or look there each second, and say in the store what they serve (`presence`). One that has been
silent is named and not waited for: it may be gone, or cut off.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from segue.errors import StoreError
from segue.model.route import RouteRevision
from segue.store.gateways import GatewaySeen, GatewayStore

FOLDER = "gateways"
"""Beside the store: one socket for each gateway that runs."""
SILENT_S = 15.0
"""A gateway says something every five seconds; silent for so long it is not waited for."""
WITHIN_S = 20.0
"""So long a gateway that lives may take to serve a flip."""
LOOK_S = 0.02


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
    """What one gateway said. `ms` from asking to its answer; `fault` where it did not, or where a worker refused.

    `name` is what it is called in the store, if it said so. `is_silent`: nothing was heard of it for long, so nobody waited.
    """

    gateway: str
    ms: float
    revision: int | None
    workers: int
    fault: str | None
    name: str | None = None
    is_silent: bool = False


def confirm_flip(store: GatewayStore, folder: Path, flipped: RouteRevision, *, timeout_s: float = 12.0) -> list[Confirmed]:
    """Wait until every gateway that lives serves a flip, wherever it runs; gives what each of them said.

    A gateway of this machine that was killed is taken out of the store.
    """
    began = time.perf_counter()
    route = flipped.route
    gone: list[int] = []
    with ThreadPoolExecutor(1) as beside:
        # While those of this machine are asked: where there are no others, nobody waits for the store once more.
        first = beside.submit(store.list_gateways, route.environment)
        here = sync_gateways(
            folder, route.workflow, route.environment, revision=flipped.revision, timeout_s=timeout_s, gone=gone
        )
    host = socket.gethostname()
    looks: list[Callable[[], Sequence[GatewaySeen]]] = [first.result]
    if gone:
        looks.clear()
        with suppress(StoreError):
            for one in first.result():
                if one.said.host == host and one.said.pid in gone:
                    store.forget_gateway(one.said.name)
    known = {one.name for one in here}
    deaf = {int(one.gateway) for one in here if one.name is None and one.gateway.isdecimal()}

    def look() -> Sequence[GatewaySeen]:
        found = looks.pop() if looks else lambda: store.list_gateways(route.environment)
        return [one for one in found() if one.said.name not in known and not (one.said.host == host and one.said.pid in deaf)]

    def clock() -> float:
        return time.perf_counter() - began

    try:
        return here + await_elsewhere(look, flipped, clock=clock, wait=lambda: time.sleep(LOOK_S))
    except StoreError as error:
        fault = f"It is in force, and what gateways elsewhere serve could not be read: {error.what}"
        return [*here, Confirmed("elsewhere", clock() * 1e3, None, 0, fault)]


def await_elsewhere(
    look: Callable[[], Sequence[GatewaySeen]],
    flipped: RouteRevision,
    *,
    clock: Callable[[], float],
    wait: Callable[[], None],
    within_s: float = WITHIN_S,
) -> list[Confirmed]:
    """Look until each of them serves the flip, refuses it, is silent, has ended, or has had its time."""
    done: dict[str, Confirmed] = {}
    while True:
        left = False
        seen = look()
        for one in seen:
            if one.said.name not in done:
                found = _judged(one, flipped, clock() * 1e3, is_late=clock() >= within_s)
                if found is None:
                    left = True
                else:
                    done[one.said.name] = found
        if not left:
            return [done[name] for name in sorted(done)]
        wait()


def _judged(one: GatewaySeen, flipped: RouteRevision, ms: float, *, is_late: bool) -> Confirmed | None:
    """What a gateway has said of a flip; `None` while it may still say something."""
    said, workflow = one.said, flipped.route.workflow
    serves = said.revisions.get(workflow)
    found = Confirmed(said.name, ms, serves, said.workers, None, said.name)
    if serves is not None and serves >= flipped.revision:
        return found
    if one.age_s > SILENT_S:
        fault = f"It has said nothing for {one.age_s:.0f} s. It may be gone, or serve the route before without the store."
        return replace(found, fault=fault, is_silent=True)
    if said.read.get(workflow, 0) >= flipped.revision and workflow in said.refused:
        return replace(found, fault=said.refused[workflow])
    if is_late:
        return replace(found, fault=f"It lives, and did not serve it within {WITHIN_S:.0f} s.")
    return None


def sync_gateways(
    folder: Path,
    workflow: str,
    environment: str,
    *,
    revision: int | None = None,
    timeout_s: float = 12.0,
    gone: list[int] | None = None,
) -> list[Confirmed]:
    """Ask all gateways of an environment on this machine to serve the routes as they are now; gives what each serves.

    One that has read `revision` already, by the bell of the flip, need not read again. What is left of a gateway that was
    killed is cleared away, and its process's number added to `gone`.
    """
    said = {"do": "sync"} if revision is None else {"do": "sync", "workflow": workflow, "revision": revision}
    question = _Question(said, environment, lambda found: _summed(found, workflow), timeout_s)
    return _ask_all(folder, question, gone)


def order_rollback(
    folder: Path, workflow: str, environment: str, *, author: str, reason: str, at: str, timeout_s: float = 12.0
) -> list[Confirmed]:
    """Tell all gateways of an environment on this machine to take everybody back at once, without asking a store.

    Each does so on the route that it knows. `revision` is that on which it was done; `fault` where it is not in force.
    """
    said = {"do": "roll_back", "workflow": workflow, "environment": environment, "author": author, "reason": reason, "at": at}
    return _ask_all(folder, _Question(said, environment, lambda found: _obeyed(found, workflow), timeout_s), None)


Summed = tuple[int | None, int, str | None]
"""Revision, workers, fault."""


@dataclass(frozen=True)
class _Question:
    said: dict[str, Any]
    environment: str
    summed: Callable[[dict[str, Any]], Summed]
    timeout_s: float


def _ask_all(folder: Path, question: _Question, gone: list[int] | None) -> list[Confirmed]:
    sockets = sorted(folder.glob("*.sock"))
    if not sockets:
        return []
    left: list[int] = [] if gone is None else gone
    if len(sockets) == 1:
        found = [_ask(sockets[0], question, left)]
        return [one for one in found if one is not None]
    with ThreadPoolExecutor(len(sockets)) as pool:
        found = list(pool.map(lambda path: _ask(path, question, left), sockets))
        return [one for one in found if one is not None]


def _ask(path: Path, question: _Question, gone: list[int]) -> Confirmed | None:
    began = time.perf_counter()

    def told(revision: int | None, workers: int, fault: str | None, name: str | None = None) -> Confirmed:
        return Confirmed(path.stem, (time.perf_counter() - began) * 1e3, revision, workers, fault, name)

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(question.timeout_s)
            line.connect(str(path))
            line.sendall(json.dumps(question.said).encode() + b"\n")
            found = json.loads(b"".join(_received(line)))
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
        if path.stem.isdecimal():
            gone.append(int(path.stem))
        return None
    except (OSError, ValueError) as error:
        return told(None, 0, f"It does not answer ({type(error).__name__}).")
    if found.get("environment", question.environment) != question.environment:
        return None
    return told(*question.summed(found), found.get("name"))


def _received(line: socket.socket) -> Iterator[bytes]:
    while chunk := line.recv(65_536):
        yield chunk


def _obeyed(found: dict[str, Any], workflow: str) -> Summed:
    """An order is in force once every worker says so, in the words of the one that the gateway has."""
    revision, workers, fault = _summed({**found, "pending": {}}, workflow)
    ident = found.get("orders", {}).get(workflow)
    late = [one for one in found.get("workers", []) if one.get("orders", {}).get(workflow) != ident]
    if fault is None and (ident is None or late or not workers):
        fault = f"{len(late)} of its workers did not confirm it in time." if late else "It did not take the order."
    return revision, workers, fault


def _summed(found: dict[str, Any], workflow: str) -> Summed:
    """The oldest revision any worker serves: only when all have the new one is a flip done."""
    workers = found.get("workers", [])
    serves = [one["revisions"].get(workflow) for one in workers]
    faults = (one["fault"] or one["refused"].get(workflow) for one in workers)
    fault = found.get("fault") or next((fault for fault in faults if fault), found.get("pending", {}).get(workflow))
    known = [one for one in serves if one is not None]
    return (min(known) if len(known) == len(serves) and known else None), len(workers), fault
