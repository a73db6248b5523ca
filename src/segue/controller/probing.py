"""The port `Incumbent`: whether the bundle to go back to still answers. Asked every few minutes, off the controller's way.

`answers` says what the last probe found and begins the next one where it is due; it never waits. What is older than three
periods is unknown, and one probe that fails is asked again before anybody is told. Only a change is written down.
How a bundle is asked: `probing_asking.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from segue.controller.effects import AUTHOR
from segue.controller.moments import iso
from segue.controller.ports import Unheard
from segue.model import Bundle
from segue.store.base import Store
from segue.upgrade.log import Upgrade

KIND = "probe"
EVERY_S = 300.0
STALE = 3
"""An answer older than so many periods says nothing any more."""
SOONER = 30
"""While nothing is known, for it could not even be asked, it is asked so many times as often."""
FAILURES = 2
"""So many probes in a row have to fail before the incumbent counts as silent."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What one probe found; `None` where it could not be asked at all, which says nothing of the bundle.

    `reason` says in a few words why there was no answer; it holds no secret and no content.
    """

    answers: bool | None
    reason: str = ""


Probe = Callable[[Upgrade, Bundle], Probed]
"""Asks a bundle the least that can be asked. May take its time, and never raises for what a provider does."""


@dataclass(frozen=True, slots=True)
class ProbeSeen:
    """The last probe and its age; `answers` is `None` where it is too old, or none was made."""

    answers: bool | None
    age_s: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of one upgrade: what was found when, how many failed in a row, what was written down last, and since when it is asked."""

    at: float | None = None
    probed: Probed | None = None
    failed: int = 0
    answers: bool | None = None
    told: bool | None = None
    since: float | None = None
    running: Future[Probed] | None = None
    begun: float | None = None


class Prober:
    """Probes the incumbents of all upgrades, each on its own beat. Close it when the controller ends."""

    def __init__(self, store: Store, probe: Probe, *, every_s: float = EVERY_S, executor: Executor | None = None) -> None:
        self._store, self._probe, self._every_s = store, probe, every_s
        self._executor = executor or ThreadPoolExecutor(max_workers=4, thread_name_prefix="probe")
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def answers(self, upgrade: Upgrade, now: float) -> bool | None:
        """What the last probe of the incumbent said."""
        return self.seen(upgrade, now).answers

    def unheard(self, upgrade: Upgrade, now: float) -> Unheard | None:
        """How long nothing has been known of it, as far as this controller can say: it has not heard those before it."""
        seen = self.seen(upgrade, now)
        if seen.answers is not None:
            return None
        with self._lock:
            since = self._kept[upgrade.opening.upgrade].since
        waited = 0.0 if since is None else max(0.0, now - since)
        return Unheard(waited if seen.age_s is None else seen.age_s, seen.reason)

    def seen(self, upgrade: Upgrade, now: float) -> ProbeSeen:
        """The same with its age; begins the next probe where one is due."""
        name = upgrade.opening.upgrade
        with self._lock:
            kept = self._collected(upgrade, self._kept.get(name, _Kept(since=now)), now)
            if kept.running is None and self._is_due(kept, now):
                bundle = self._store.get_bundle(upgrade.state.incumbent).bundle
                kept = replace(kept, running=self._executor.submit(self._probe, upgrade, bundle), begun=now)
                kept = self._collected(upgrade, kept, now)
            self._kept[name] = kept
        reason = "" if kept.probed is None else kept.probed.reason
        if kept.at is None:
            return ProbeSeen(None, None, reason)
        age = max(0.0, now - kept.at)
        return ProbeSeen(kept.answers if age <= STALE * self._every_s else None, age, reason)

    def close(self) -> None:
        """Wait for probes under way; begin none any more."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _is_due(self, kept: _Kept, now: float) -> bool:
        if kept.begun is None or now < kept.begun:
            return True
        if kept.answers is None and kept.failed == 0:
            return now - kept.begun >= self._every_s / SOONER
        # After a failure the next look asks again, until it is sure.
        return now - kept.begun >= self._every_s or 0 < kept.failed < FAILURES

    def _collected(self, upgrade: Upgrade, kept: _Kept, now: float) -> _Kept:
        """What a probe that has ended found. It is as old as its question."""
        if kept.running is None or not kept.running.done():
            return kept
        error = kept.running.exception()
        probed = Probed(None, type(error).__name__) if error is not None else kept.running.result()
        if probed.answers is None:
            return replace(kept, probed=probed, running=None)
        failed = 0 if probed.answers else kept.failed + 1
        answers = True if probed.answers else False if failed >= FAILURES else kept.answers
        found = replace(kept, at=kept.begun, probed=probed, failed=failed, answers=answers, running=None)
        if answers is not None and answers != found.told:
            body = {"bundle": upgrade.state.incumbent, "answers": answers, "reason": probed.reason}
            opening = upgrade.opening
            self._store.add_fact(KIND, opening.workflow, opening.upgrade, body, author=AUTHOR, at=iso(now))
            found = replace(found, told=answers)
        return found
