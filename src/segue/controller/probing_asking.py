"""The two ways to ask an incumbent whether it answers: of its provider, or through the gateway as a rollback's users would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import aiohttp

from segue.controller.grounds_workspace import CurrentWorkspace
from segue.controller.probing import Probe, Probed
from segue.controller.suites_endpoint import Endpoint
from segue.errors import SegueError
from segue.evals.connections import Connections
from segue.model import Bundle, Case, Message
from segue.providers.clock import SystemClock
from segue.providers.rendering import prompt_variables, render_request
from segue.store.base import Store
from segue.upgrade.log import Upgrade

TIMEOUT_S = 30.0
_OURS = frozenset((400, 401, 403, 404))
"""What the gateway says to a probe that is asked wrongly."""

_ASKED_WRONGLY = frozenset(("refused_request", "not_recorded"))
"""What a provider says to a question it would not take from anybody: it is there, and whether it serves is not known."""


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
