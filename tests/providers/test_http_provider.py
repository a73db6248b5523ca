"""Hosted models, asked over HTTP: replies in both dialects, every trouble a failure of its kind, and nothing let out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from segue.model import Message, Parameters, ToolSpec
from segue.providers.base import ModelOutcome
from segue.providers.clock import SystemClock
from segue.providers.config import open_provider, parse_provider
from segue.providers.http import HttpProvider
from segue.providers.pacing import AdaptiveLimiter, RetryPolicy, ask_with_manners
from segue.providers.pricing import ModelPrice, PriceBook
from segue.standin import StandIn, StandInSettings, Trouble

DIALECTS = ("openai", "anthropic")
SECRET = "sk-very-secret"


@asynccontextmanager
async def provider_at(base_url: str, dialect: str = "openai", **given: Any) -> AsyncIterator[HttpProvider]:
    """A provider for an address; settings of the entry may be given."""
    config = parse_provider("main", {"type": dialect, "base_url": base_url, "api_key_env": "K", **given})
    prices = PriceBook({"some-model": ModelPrice(input_usd_per_mtok=1, output_usd_per_mtok=10)}, as_of=_today())
    provider = open_provider("main", config, environ={"K": SECRET}, clock=SystemClock(), prices=prices)
    assert isinstance(provider, HttpProvider)
    try:
        yield provider
    finally:
        await provider.close()


def _today() -> Any:
    from datetime import date

    return date(2026, 11, 20)


async def ask_stand_in(request: Any, settings: StandInSettings, **given: Any) -> ModelOutcome:
    """One call to a stand-in."""
    async with StandIn(settings) as base_url, provider_at(base_url, settings.dialect, **given) as provider:
        return await provider.ask(request)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_reply_with_all_that_it_took(a_request: Callable[..., Any], dialect: Any, stream: bool) -> None:
    """Text, tokens, cost and times; the time to first token where it is streamed."""
    settings = StandInSettings(dialect=dialect, key=SECRET, latency_ms=40, reasoning_tokens=7)
    found = await ask_stand_in(a_request(), settings, stream=stream)
    assert found.reply is not None
    assert (found.reply.text, found.reply.finish_reason) == (settings.text, "stop")
    assert (found.usage.input_tokens, found.usage.reasoning_tokens) == (4, 7)
    assert found.cost_microusd == 4 + 10 * (found.usage.output_tokens or 0)
    assert found.cost_source is not None
    assert found.cost_source.startswith("genai-prices")
    assert found.latency_ms is not None
    assert 40 <= found.latency_ms < 2000
    if stream:
        assert found.ttft_ms is not None
        assert 10 <= found.ttft_ms < found.latency_ms
    else:
        assert found.ttft_ms is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tool_calls(a_request: Callable[..., Any], dialect: Any, stream: bool) -> None:
    """The same in both dialects, streamed or not."""
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    request = a_request(
        tools=(ToolSpec(name="find", parameters=schema),), parameters=Parameters(max_output_tokens=50, tool_choice="find")
    )
    found = await ask_stand_in(request, StandInSettings(dialect=dialect), stream=stream)
    assert found.reply is not None
    assert [(call.name, call.arguments) for call in found.reply.tool_calls] == [("find", '{"id":1}')]
    assert found.reply.finish_reason == "tool_calls"


TROUBLES = [
    ("rate_limit", "rate_limit", "rate_limit"),
    ("overloaded", "overloaded", "overloaded"),
    ("server_error", "server", "server"),
    ("auth", "auth", "auth"),
    ("refused", "refused_request", "refused_request"),
    ("drop", "connection", "connection"),
    ("truncate", "bad_reply", "bad_reply"),
    ("malformed", "bad_reply", "bad_reply"),
    ("wrong_types", "bad_reply", "bad_reply"),
    ("html", "server", "server"),
    ("redirect", "refused_request", "refused_request"),
    ("huge", "bad_reply", "bad_reply"),
    ("error_in_stream", "server", None),
    ("hang", "timeout", "timeout"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("trouble", "whole", "streamed"), TROUBLES)
async def test_every_trouble_is_a_failure_of_its_kind(
    a_request: Callable[..., Any], dialect: Any, trouble: Any, whole: str, streamed: str | None
) -> None:
    """Never an exception, never a wrong answer, and with a sentence."""
    settings = StandInSettings(dialect=dialect, troubles=(Trouble(kind=trouble),))
    limits = {"idle_timeout_s": 0.15, "max_reply_bytes": 100_000} if trouble in ("hang", "huge") else {}
    for stream, kind in ((False, whole), (True, streamed)):
        found = await ask_stand_in(a_request(), settings, stream=stream, **limits)
        assert found.failure is not None
        expected = kind or ("server" if dialect == "openai" else "overloaded")
        assert (found.failure.kind, bool(found.failure.detail)) == (expected, True)


async def test_retry_after_reaches_the_caller(a_request: Callable[..., Any]) -> None:
    """It is the provider's own word on waiting."""
    trouble = Trouble(kind="rate_limit", retry_after_s=12)
    found = await ask_stand_in(a_request(), StandInSettings(troubles=(trouble,)))
    assert found.retry_after_s == 12


async def test_trouble_that_passes_is_overcome_and_billed_once(a_request: Callable[..., Any]) -> None:
    """Every attempt carries the same key, so a dropped reply is not paid for again."""
    stand_in = StandIn(StandInSettings(troubles=(Trouble(kind="drop", attempts=2),)))
    clock = SystemClock()
    async with stand_in as base_url, provider_at(base_url) as provider:
        limiter = AdaptiveLimiter(2, clock)
        policy = RetryPolicy(base_s=0.001)

        class Luck:
            def random(self) -> float:
                return 0.5

        found = await ask_with_manners(provider, a_request(), limiter, clock, Luck(), policy)
    assert found.reply is not None
    state = stand_in.ledger.as_json(with_keys=True)
    assert (state["calls"], state["billed"], state["calls_by_key"]) == (3, 1, {"0" * 64: 3})


async def test_what_cannot_be_said_is_refused_before_it_is_sent(a_request: Callable[..., Any]) -> None:
    """Naming every parameter; the provider is not asked at all."""
    stand_in = StandIn(StandInSettings(dialect="anthropic"))
    async with stand_in as base_url, provider_at(base_url, "anthropic") as provider:
        found = await provider.ask(a_request(parameters=Parameters(seed=1, logprobs=True)))
        unsendable = await provider.ask(a_request(messages=(Message(role="user", content="\ud800"),)))
    assert found.failure is not None
    assert found.failure.kind == "refused_request"
    for name in ("parameters.seed", "parameters.logprobs", "parameters.max_output_tokens"):
        assert name in found.failure.detail
    assert unsendable.failure is not None
    assert unsendable.failure.kind == "refused_request"
    assert stand_in.ledger.calls == 0


async def test_nobody_at_the_address_is_a_connection_failure(a_request: Callable[..., Any]) -> None:
    """Not an exception, and soon."""
    async with StandIn() as base_url:
        pass
    async with provider_at(base_url) as provider:
        found = await provider.ask(a_request())
    assert found.failure is not None
    assert found.failure.kind == "connection"


async def test_time_outs_say_which_one(a_request: Callable[..., Any]) -> None:
    """A whole reply that takes too long, or a silence."""
    hang = StandInSettings(troubles=(Trouble(kind="hang"),))
    total = await ask_stand_in(a_request(), hang, timeout_s=0.15)
    idle = await ask_stand_in(a_request(), hang, idle_timeout_s=0.15)
    assert total.failure is not None
    assert idle.failure is not None
    assert "timeout_s (0.15 s)" in total.failure.detail
    assert "idle_timeout_s (0.15 s)" in idle.failure.detail


async def test_a_redirect_is_not_followed(a_request: Callable[..., Any]) -> None:
    """A key goes only where the configuration says."""
    stand_in = StandIn(StandInSettings(troubles=(Trouble(kind="redirect"),)))
    async with stand_in as base_url, provider_at(base_url) as provider:
        found = await provider.ask(a_request())
    assert found.failure is not None
    assert "base_url" in found.failure.detail
    assert stand_in.ledger.calls == 1


@asynccontextmanager
async def server_that(handler: Callable[[web.BaseRequest], Any]) -> AsyncIterator[str]:
    """A server with one handler."""
    runner = web.ServerRunner(web.Server(handler, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}/v1".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


async def test_neither_key_nor_content_come_out(a_request: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """A server that echoes everything into its error message gets nothing of it shown or logged."""
    caplog.set_level(logging.DEBUG)

    async def echo(request: web.BaseRequest) -> web.Response:
        body = await request.text()
        return web.json_response({"error": {"message": f"{request.headers['Authorization']} {body}", "type": "x"}}, status=400)

    async with server_that(echo) as base_url, provider_at(base_url) as provider:
        found = await provider.ask(a_request(system="The customer is Ann Smith, born 1970."))
    shown = f"{found} {caplog.text}"
    assert SECRET not in shown
    for content in ("Ann Smith", "Where is my order"):
        assert content not in shown


async def test_a_key_quoted_in_an_error_is_not_shown(a_request: Callable[..., Any]) -> None:
    """Not even where the server calls it a bad request."""

    async def quote(request: web.BaseRequest) -> web.Response:
        return web.json_response({"error": {"message": f"Bad key {SECRET} here"}}, status=400)

    async with server_that(quote) as base_url, provider_at(base_url) as provider:
        found = await provider.ask(a_request())
    assert SECRET not in str(found)


async def test_a_server_that_does_not_stream_is_understood(a_request: Callable[..., Any]) -> None:
    """It was asked to, and answered at once with JSON; the time to first token is unknown."""

    async def whole(request: web.BaseRequest) -> web.Response:
        return web.json_response({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]})

    async with server_that(whole) as base_url, provider_at(base_url, stream=True) as provider:
        found = await provider.ask(a_request())
    assert found.reply is not None
    assert (found.reply.text, found.ttft_ms) == ("Hi", None)
    assert found.cost_microusd is None
    assert found.cost_source == "unknown: the provider reported no token usage"


async def test_what_is_no_http_is_a_failure(a_request: Callable[..., Any]) -> None:
    """Another program listens on the port."""

    async def gibberish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(gibberish, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, provider_at(f"http://{host}:{port}/v1") as provider:
        found = await provider.ask(a_request())
    assert found.failure is not None
    assert found.failure.kind in ("bad_reply", "connection")


async def test_two_hundred_at_once_share_one_session(a_request: Callable[..., Any]) -> None:
    """And all of them come through."""
    stand_in = StandIn(StandInSettings(latency_ms=100))
    async with stand_in as base_url, provider_at(base_url) as provider:
        found = await asyncio.gather(*(provider.ask(a_request(idempotency_key=f"{at:064x}")) for at in range(200)))
    assert all(outcome.reply is not None for outcome in found)
    assert stand_in.ledger.most_in_flight > 150


async def test_closing_twice_and_asking_again_is_no_harm(a_request: Callable[..., Any]) -> None:
    """A closed provider opens a new session."""
    async with StandIn() as base_url, provider_at(base_url) as provider:
        await provider.close()
        await provider.close()
        assert (await provider.ask(a_request())).reply is not None
