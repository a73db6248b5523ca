"""The port `Notices` over webhooks: signed, retried, off the controller's way, and delivered at least once.

`send` puts a notice into a queue and returns. Each receiver has a thread and a queue of its own, so that a dead one delays
nobody. What became of a notice is a fact (`notices_seen`), from its first failed attempt on; `catch_up` sends anew what a
process that was killed had not delivered. The form is that of Standard Webhooks (`notices_posting`): its libraries verify ours.
What there is to send: `notices_made`. Which occasions there are: `NoticeSpec`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http.client import HTTPException
from queue import Queue

from segue.controller.effects import AUTHOR
from segue.controller.moments import iso
from segue.controller.notices_made import Notice, Trouble, notices_of, trouble_notices, unset_notices, unset_words
from segue.controller.notices_posting import Post, post_once, signed
from segue.controller.notices_seen import Fate, due_anew, note_fate
from segue.controller.ports import Clock
from segue.controller.reading import read_record
from segue.errors import SegueError
from segue.store.upgrades import UpgradeStore
from segue.upgrade.log import Upgrade, UpgradeEntry

PAUSES_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18000.0, 36000.0)
"""Before each further attempt: about eighteen hours altogether."""
GONE = 410


class Webhooks:
    """Make it, `begin` where one begins to act, `send`; `close` at its end: what is under way is sent anew by the next one."""

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
        self._queue(notices_of(upgrade, entry))

    def tell(self, upgrade: Upgrade, trouble: Trouble) -> None:
        """The same of a trouble that was written down."""
        self._queue(trouble_notices(upgrade, trouble))

    def begin(self) -> None:
        """Catch up, in a thread: for whoever acts by now. One that stands by would send what another is about to."""
        threading.Thread(target=self.catch_up, name="segue-notices", daemon=True).start()

    def catch_up(self) -> None:
        """Send anew what no fact says was delivered or given up."""
        with suppress(SegueError):
            for record in self._store.list_upgrades():
                # One that cannot be read keeps no notice of another from being sent.
                with suppress(SegueError):
                    self._queue(due_anew(self._store, read_record(record), self._clock()))

    def unset(self, upgrade: Upgrade) -> tuple[str, ...]:
        """What its notices need and is not set here, in sentences."""
        return unset_notices(upgrade.plan.notify, self._environ)

    def close(self) -> None:
        """Begin no further attempt."""
        self._ending.set()
        with self._lock:
            for queue in self._queues.values():
                queue.put(None)

    def _queue(self, notices: Iterable[Notice]) -> None:
        """Once in this process: a controller that carries an entry out again sends it again only after a restart."""
        for notice in notices:
            key = (notice.receiver, notice.name)
            with self._lock:
                if key in self._known or self._ending.is_set():
                    continue
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
        """Until it is taken, refused for good, or tried often enough; what becomes of it is written down on the way."""
        for attempt in range(1 + len(self._pauses_s)):
            if attempt and self._ending.wait(self._pauses_s[attempt - 1]):
                return
            status, reason, is_unset = self._attempt(notice)
            if status is not None and 200 <= status < 300:
                self._note(notice, "delivered", attempt, status, "")
                return
            if status == GONE or attempt == len(self._pauses_s):
                # Whoever starts anew with all that is needed sends what was never tried.
                self._note(notice, "failed" if is_unset else "given up", attempt, status, reason)
                return
            self._note(notice, "waiting", attempt, status, reason, self._pauses_s[attempt])

    def _attempt(self, notice: Notice) -> tuple[int | None, str, bool]:
        """The answer's status, or none; what was wrong; and whether something was missing to try it at all."""
        url, secret = self._resolved(notice.spec.url), self._resolved(notice.spec.secret)
        if not url or not secret:
            return None, unset_words(notice.spec.secret if url else notice.spec.url), True
        try:
            # By the attempt's own time: receivers refuse what is older than a few minutes.
            headers = signed(secret, notice.name, int(self._clock()), notice.body)
            status = self._post(url, headers, notice.body)
        except (OSError, HTTPException, ValueError) as error:
            # A ValueError is an address, or a key, that is none. Its words may have it in them.
            return None, type(error).__name__, False
        return status, f"HTTP {status}", False

    def _resolved(self, value: str) -> str | None:
        return self._environ.get(value[1:]) if value.startswith("$") else value

    def _note(
        self, notice: Notice, fate: Fate, attempt: int, status: int | None, reason: str, pause_s: float | None = None
    ) -> None:
        now = self._clock()
        said = {"attempts": attempt + 1, "status": status, "reason": reason}
        if pause_s is not None:
            said["next_at"] = iso(now + pause_s)
        # Where it cannot be written, it is sent once more after the next start: at least once.
        with suppress(SegueError):
            note_fate(self._store, notice, fate, said, author=AUTHOR, at=now)
