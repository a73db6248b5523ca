"""The port `Incumbent`: whether the bundle to go back to still answers. Asked every few minutes, off the controller's way.

`answers` says what the last probe found and begins the next one where it is due; it never waits. What is older than three
periods is unknown, and one probe that fails is asked again before anybody is told. Only a change is written down.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import aiohttp

from segue.controller.effects import AUTHOR
from segue.controller.grounds_workspace import CurrentWorkspace
from segue.controller.moments import iso
from segue.controller.ports import Unheard
from segue.controller.suites_endpoint import Endpoint
from segue.errors import SegueError
from segue.evals.connections import Connections
from segue.model import Bundle, Case, Message
from segue.providers.clock import SystemClock
from segue.providers.rendering import prompt_variables, render_request
from segue.store.base import Store
from segue.upgrade.log import Upgrade

KIND = "probe"
EVERY_S = 300.0
STALE = 3
"""An answer older than so many periods says nothing any more."""
FAILURES = 2
"""So many probes in a row have to fail before the incumbent counts as silent."""
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Probed:
    """What one probe found; `None` where it could not be asked at all, which says nothing of the bundle.

    `reason` says in a few words why there was no answer; it holds no secret and no content.
    """

    answers: bool | None
    reason: str = ""


_OURS = frozenset((400, 401, 403, 404))
"""What the gateway says to a probe that is asked wrongly."""

_ASKED_WRONGLY = frozenset(("refused_request", "not_recorded"))
"""What a provider says to a question it would not take from anybody: it is there, and whether it serves is not known."""

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


def probe_provider(workspace: CurrentWorkspace, store: Store) -> Probe:
    """Asks the bundle's own provider one short question, with the bundle's own prompt and parameters."""

    def probe(upgrade: Upgrade, bundle: Bundle) -> Probed:  # noqa: ARG001  the signature is the port's
        try:
            return asyncio.run(_ask_provider(workspace, store, bundle))
        except SegueError as error:
            return Probed(None, error.what)

    return probe


async def _ask_provider(workspace: CurrentWorkspace, store: Store, bundle: Bundle) -> Probed:
    import numpy as np

    connections = Connections(workspace.read(), store, clock=SystemClock(), rng=np.random.default_rng())
    name = bundle.model.provider
    try:
        connections.open([name])
        request = replace(render_request(bundle, _question(bundle), 0), idempotency_key="")
        async with asyncio.timeout(TIMEOUT_S):
            outcome = await connections.ask_provider(name, request)
    except TimeoutError:
        return Probed(False, f"no answer within {TIMEOUT_S:.0f} s")
    finally:
        await connections.close()
    if outcome.failure is None:
        return Probed(True)
    return Probed(None if outcome.failure.kind in _ASKED_WRONGLY else False, outcome.failure.kind)


def probe_endpoint(endpoint: Callable[[], Endpoint | None]) -> Probe:
    """Asks through the gateway, the bundle pinned and the request marked `probe`: the way a rollback's users would go."""

    def probe(upgrade: Upgrade, bundle: Bundle) -> Probed:
        place = endpoint()
        if place is None:
            return Probed(None, "it is not known where production is reached")
        return asyncio.run(_ask_endpoint(place, upgrade.opening.workflow, bundle))

    return probe


async def _ask_endpoint(place: Endpoint, workflow: str, bundle: Bundle) -> Probed:
    case = _question(bundle)
    body = {
        "model": workflow,
        "messages": [{"role": "user", "content": case.messages[0].text}],
        "segue": {"variables": dict(case.variables)},
    }
    headers = {"authorization": f"Bearer {place.key}", "segue-pin": bundle.digest, "segue-tag": "probe"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{place.origin}/v1/chat/completions", json=body, headers=headers, allow_redirects=False) as response,
        ):
            await response.read()
            if response.status in _OURS:
                return Probed(None, f"status {response.status}: the key may not pin, or the route does not hold the bundle")
            if response.status >= 300:
                return Probed(False, f"status {response.status}")
            if response.headers.get("segue-bundle") != bundle.digest:
                return Probed(False, "another bundle answered")
    except aiohttp.ClientConnectionError as error:
        return Probed(None, f"the gateway cannot be reached ({type(error).__name__})")
    except (aiohttp.ClientError, TimeoutError) as error:
        return Probed(False, type(error).__name__)
    return Probed(True)


def _question(bundle: Bundle) -> Case:
    """The least that can be asked; the prompt's variables are filled in. A simulated model answers with the reference."""
    names = prompt_variables(bundle.prompt.system) | prompt_variables(bundle.prompt.template)
    return Case(
        case_id="probe",
        messages=(Message(role="user", content="Hello"),),
        variables=dict.fromkeys(sorted(names), "probe"),
        reference="Hello",
    )
