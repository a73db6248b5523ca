"""Where Prometheus asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from segue.errors import InputError
from segue.gateway.keys import KeyRing, hash_key, make_key
from segue.gateway.telemetry.board import Board
from segue.gateway.telemetry.listener import MetricsListener, is_loopback
from segue.model.serving import GatewayKey, GatewaySettings, parse_address

READER, CALLER = make_key(b"r" * 32), make_key(b"c" * 32)
KEYS = KeyRing(
    [
        GatewayKey(name="prometheus", hash=hash_key(READER), permissions=("metrics",)),
        GatewayKey(name="app", hash=hash_key(CALLER)),
    ]
)


@asynccontextmanager
async def listening(host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Its address."""
    listener = MetricsListener(Board("1.2.3").snapshot, lambda: KEYS)
    port = await listener.listen(host, 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await listener.stop()


async def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Status, type and text."""
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as answer:
        return answer.status, answer.headers["content-type"], await answer.text()


async def test_metrics_are_served_on_this_machine_to_whoever_asks() -> None:
    """In Prometheus's own form, or as OpenMetrics where that is asked for."""
    async with listening() as url:
        status, kind, text = await ask(f"{url}/metrics")
        assert (status, kind.partition(";")[0]) == (200, "text/plain")
        assert 'segue_build_info{version="1.2.3"} 1.0' in text
        status, kind, text = await ask(f"{url}/metrics", accept="application/openmetrics-text; version=1.0.0")
        assert (status, kind.partition(";")[0]) == (200, "application/openmetrics-text")
        assert text.endswith("# EOF\n")


async def test_elsewhere_a_key_with_the_permission_is_wanted() -> None:
    """That of an application that may only call does not do, and nothing is told without one."""
    async with listening("0.0.0.0") as url:
        assert (await ask(f"{url}/metrics"))[0] == 401
        status, _, text = await ask(f"{url}/metrics", authorization=f"Bearer {CALLER}")
        assert (status, "segue_build" in text) == (401, False)
        status, _, text = await ask(f"{url}/metrics", authorization=f"Bearer {READER}")
        assert (status, "segue_build" in text) == (200, True)


async def test_there_is_nothing_else() -> None:
    """Neither another path nor another method."""
    async with listening() as url:
        assert [(await ask(f"{url}/{path}"))[0] for path in ("", "metrics/", "v1/models")] == [404, 404, 404]
        assert (await ask(f"{url}/metrics", "POST"))[0] == 405
        assert (await ask(f"{url}/metrics?x=1"))[0] == 200


async def test_many_may_ask_at_once() -> None:
    """Each gets a whole answer."""
    async with listening() as url:
        answers = await asyncio.gather(*(ask(f"{url}/metrics") for _ in range(20)))
        assert {(status, text) for status, _, text in answers} == {(200, answers[0][2])}


async def test_an_address_that_is_taken_is_told() -> None:
    """With the remedy, before anything is served."""
    async with listening() as url:
        second = MetricsListener(Board("1").snapshot, lambda: KEYS)
        with pytest.raises(InputError, match="Metrics cannot be served") as error:
            await second.listen("127.0.0.1", int(url.rpartition(":")[2]))
        assert "--metrics" in error.value.faults[0].fix
        await second.stop()


def test_addresses_of_this_machine_are_known() -> None:
    """All others are reached by others."""
    assert [is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org")] == [False] * 4


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:9464", ("127.0.0.1", 9464)), ("[::1]:0", ("::1", 0)), (" localhost:65535 ", ("localhost", 65535))],
    ids=["IPv4", "IPv6", "name"],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    """As it is written in segue.yaml and on the command line."""
    assert parse_address(text) == address
    assert GatewaySettings(metrics=text).metrics == text


@pytest.mark.parametrize(
    "text", ["", "9464", ":9464", "127.0.0.1", "127.0.0.1:", "::1:9464", "host:65536", "host:-1", "host:²"], ids=str
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """When segue.yaml is read."""
    with pytest.raises(ValueError, match=r"address|port"):
        GatewaySettings(metrics=text)
