"""The port `Notices` over webhooks: signed, retried, off the controller's way, and delivered at least once.

`send` puts a notice into a queue and returns. Each receiver has a thread and a queue of its own, so that a dead one delays
nobody. What became of a notice is a fact; `catch_up` sends anew what a process that was killed had not delivered. The form is
that of Standard Webhooks (standardwebhooks.com): its libraries verify ours. Which occasions there are: `NoticeSpec`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import Queue
from urllib.parse import urlsplit

from segue.controller.effects import AUTHOR
from segue.controller.moments import iso
from segue.controller.ports import Clock
from segue.controller.reading import read_record
from segue.errors import SegueError
from segue.model import Json
from segue.model.plan_parts import NoticeSpec, Occasion
from segue.store.upgrades import UpgradeStore
from segue.upgrade.decide import where
from segue.upgrade.log import Upgrade, UpgradeEntry

NOTICE = "notice"
"""The kind of fact that says what became of one. Its subject is the upgrade."""
PAUSES_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18000.0, 36000.0)
"""Before each further attempt: about eighteen hours altogether."""
WINDOW_S = 3 * 86_400.0
"""Older entries are not sent anew after a start."""
TIMEOUT_S = 10.0
GONE = 410
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to one receiver. `name` is the entry's, and the same at every attempt."""

    name: str
    workflow: str
    upgrade: str
    number: int
    spec: NoticeSpec
    body: bytes

    @property
    def receiver(self) -> str:
        """What tells receivers apart; an address may hold what nobody else is to know."""
        return sha256(self.spec.url.encode()).hexdigest()[:12]


Post = Callable[[str, Mapping[str, str], bytes], int]
"""`(url, headers, body)` → status. `OSError` or `HTTPException` where there was none."""


class Webhooks:
    """Make it, `begin`, `send`; `close` when the controller ends: what is under way is sent anew by the next one."""

    def __init__(
        self,
        store: UpgradeStore,
        environ: Mapping[str, str],
        *,
        clock: Clock,
        post: Post | None = None,
        pauses_s: tuple[float, ...] = PAUSES_S,
    ) -> None:
        self._store, self._environ, self._clock = store, environ, clock
        self._post = post or post_once
        self._pauses_s = pauses_s
        self._queues: dict[str, Queue[Notice | None]] = {}
        self._known: set[tuple[str, str]] = set()
        self._ending = threading.Event()
        self._lock = threading.Lock()

    def send(self, upgrade: Upgrade, entry: UpgradeEntry) -> None:
        """Tell whoever the plan names for such an occasion. Never raises, never waits."""
        found = occasions_of(upgrade, entry)
        for spec in upgrade.plan.notify:
            if not spec.on or found.intersection(spec.on):
                self._queue(notice_of(upgrade, entry, spec, found))

    def begin(self) -> None:
        """Catch up, in a thread."""
        threading.Thread(target=self.catch_up, name="segue-notices", daemon=True).start()

    def catch_up(self) -> None:
        """Send anew what no fact says was delivered or given up."""
        with suppress(SegueError):
            for record in self._store.list_upgrades():
                upgrade = read_record(record)
                recent = [one for one in upgrade.entries if self._clock() - one.at <= WINDOW_S]
                if not (upgrade.plan.notify and recent):
                    continue
                done = self._done(upgrade)
                for entry in recent:
                    if not {"notify", "ask_approval"}.intersection(entry.effects):
                        continue
                    found = occasions_of(upgrade, entry)
                    for spec in upgrade.plan.notify:
                        notice = notice_of(upgrade, entry, spec, found)
                        if (not spec.on or found.intersection(spec.on)) and (notice.receiver, notice.name) not in done:
                            self._queue(notice)

    def close(self) -> None:
        """Begin no further attempt."""
        self._ending.set()
        with self._lock:
            for queue in self._queues.values():
                queue.put(None)

    def _done(self, upgrade: Upgrade) -> set[tuple[str, str]]:
        facts = self._store.list_facts(upgrade.opening.workflow, kind=NOTICE, subject=upgrade.opening.upgrade)
        bodies = [one.body for one in facts if isinstance(one.body, dict) and one.body.get("outcome") != "failed"]
        return {(str(body.get("receiver")), str(body.get("id"))) for body in bodies}

    def _queue(self, notice: Notice) -> None:
        """Once in this process: a controller that carries an entry out again sends it again only after a restart."""
        key = (notice.receiver, notice.name)
        with self._lock:
            if key in self._known or self._ending.is_set():
                return
            self._known.add(key)
            queue = self._queues.get(notice.receiver)
            if queue is None:
                queue = self._queues[notice.receiver] = Queue()
                threading.Thread(target=self._work, args=(queue,), name="segue-notices", daemon=True).start()
        queue.put(notice)

    def _work(self, queue: Queue[Notice | None]) -> None:
        """One receiver's notices, in their order."""
        while not self._ending.is_set():
            notice = queue.get()
            if notice is None:
                return
            self._deliver(notice)

    def _deliver(self, notice: Notice) -> None:
        """Until it is taken, refused for good, or tried often enough; then what became of it is written down."""
        reason, status = "", None
        for attempt in range(1 + len(self._pauses_s)):
            if attempt and self._ending.wait(self._pauses_s[attempt - 1]):
                return
            found = self._addressed(notice)
            if isinstance(found, str):
                self._note(notice, "failed", attempt + 1, None, found)
                return
            try:
                status, reason = self._post(*found, notice.body), ""
            except (OSError, HTTPException) as error:
                status, reason = None, type(error).__name__
            if status is not None and 200 <= status < 300:
                self._note(notice, "delivered", attempt + 1, status, "")
                return
            if status == GONE:
                break
        self._note(notice, "given up", attempt + 1, status, reason)

    def _addressed(self, notice: Notice) -> tuple[str, dict[str, str]] | str:
        """Where to, with signed headers; or what is missing."""
        url, secret = self._resolved(notice.spec.url), self._resolved(notice.spec.secret)
        if not url or not secret:
            name = notice.spec.secret if url else notice.spec.url
            return f"{name} is not set where the controller runs."
        # By the attempt's own time: receivers refuse what is older than a few minutes.
        return url, signed(secret, notice.name, int(self._clock()), notice.body)

    def _resolved(self, value: str) -> str | None:
        return self._environ.get(value[1:]) if value.startswith("$") else value

    def _note(self, notice: Notice, outcome: str, attempts: int, status: int | None, reason: str) -> None:
        body: dict[str, Json] = {"id": notice.name, "number": notice.number, "receiver": notice.receiver, "outcome": outcome}
        body |= {"attempts": attempts, "status": status, "reason": reason}
        # Where it cannot be written, it is sent once more after the next start: at least once.
        with suppress(SegueError):
            self._store.add_fact(NOTICE, notice.workflow, notice.upgrade, body, author=AUTHOR, at=iso(self._clock()))


def occasions_of(upgrade: Upgrade, entry: UpgradeEntry) -> frozenset[Occasion]:
    """What an entry is, to those who want to hear of some things only."""
    before = upgrade.entries[entry.number - 2].state if entry.number > 1 else upgrade.opening.state
    after = entry.state
    found: set[Occasion] = set()
    if (before.stage, before.step) != (after.stage, after.step):
        found.add("stage")
    if after.standing == "holding" and (before.standing != "holding" or after.is_ended):
        found.add("hold")
    if "ask_approval" in entry.effects:
        found.add("approval")
    if after.stage == "rolled_back" or "incident" in entry.effects:
        found.add("rollback")
    if after.is_ended:
        found.add("end")
    if entry.by:
        found.add("action")
    return frozenset(found)


def notice_of(upgrade: Upgrade, entry: UpgradeEntry, spec: NoticeSpec, occasions: frozenset[Occasion]) -> Notice:
    """What is sent: what happened, where it stands now, and why. No content of any exchange."""
    opening, name = upgrade.opening, f"{entry.upgrade}-{entry.number}"
    data: dict[str, Json] = {
        "upgrade": entry.upgrade,
        "number": entry.number,
        "workflow": opening.workflow,
        "environment": opening.environment,
        "incumbent": entry.state.incumbent,
        "candidate": entry.state.candidate,
        "event": entry.event,
        "occasions": [str(one) for one in sorted(occasions)],
        "by": entry.by,
        "because": list(entry.because),
        "stage": entry.state.stage,
        "step": entry.state.step,
        "standing": entry.state.standing,
        "where": where(entry.state),
    }
    body: dict[str, Json] = {"type": f"upgrade.{entry.event}", "timestamp": iso(entry.at), "data": data}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return Notice(name, opening.workflow, entry.upgrade, entry.number, spec, text)


def signed(secret: str, name: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: HMAC-SHA256 over id, time and body. After `whsec_` a secret is base64."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        with suppress(binascii.Error, ValueError):
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    mark = base64.b64encode(hmac.new(key, f"{name}.{at}.".encode() + body, sha256).digest()).decode()
    headers = {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": f"v1,{mark}"}
    return {"content-type": "application/json", "user-agent": "segue", **headers}


def post_once(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Follows no redirect, and reads no more of the answer than its status."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OSError("not an address")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
