"""The stand-in's HTTP server. One handler without routing, middleware or logging: it shares its cores with what it measures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType, TracebackType
from typing import Any

import orjson
from aiohttp import web

from segue.model import Json
from segue.providers.draws import uniform
from segue.standin import anthropic_count_front, anthropic_front, openai_front, responses_count_front, responses_front
from segue.standin.ledger import Ledger
from segue.standin.said import HUGE_CHARACTERS, Asked, Refused, Said, named_calls, say
from segue.standin.script import Script
from segue.standin.seals import Scope
from segue.standin.settings import StandInSettings, Trouble

STATE_PATH = "/__stand-in/state"
_FRONTS: Mapping[str, tuple[ModuleType, ...]] = {
    "openai": (openai_front, responses_front, responses_count_front),
    "anthropic": (anthropic_front, anthropic_count_front),
}
"""The APIs of each provider, the one it is asked at most first."""
_SLOW_FACTOR = 10
_HANG_S = 3600.0


class StandIn:
    """`async with StandIn(settings) as base_url`: serves on a loopback port until left. `ledger` holds what it has seen.

    With a `script` it answers as the script's models do, each with its own latency. `on_body` is shown every request it reads.
    """

    def __init__(
        self,
        settings: StandInSettings | None = None,
        *,
        script: Script | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        on_body: Callable[[dict[str, Json]], None] | None = None,
    ) -> None:
        self.settings = settings or StandInSettings()
        self._script = script
        self.ledger = Ledger()
        self.origin = ""
        self._host = host
        self._port = port
        self._fronts: dict[str, Any] = {front.PATH: front for front in _FRONTS[self.settings.dialect]}
        self._front: Any = next(iter(self._fronts.values()))
        self.on_body = on_body
        self._runner: web.ServerRunner | None = None

    @property
    def base_url(self) -> str:
        """What a client is given: with `/v1` for OpenAI's SDK, without for Anthropic's."""
        return f"{self.origin}{self._front.BASE}"

    async def __aenter__(self) -> str:
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port, backlog=1024)
        await site.start()
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self.origin = f"http://{host}:{port}"
        return self.base_url

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None, "left without being entered"
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == STATE_PATH:
            return _json(200, self.ledger.as_json(with_keys="keys" in request.query))
        front = self._fronts.get(request.path)
        if front is None or request.method != "POST":
            return _json(404, self._front.error_body(Refused(404, "not_found_error", "Not found")))
        key = request.headers.get("Idempotency-Key", "")
        attempt = self.ledger.begin(key)
        try:
            response = await self._answer(request, front, key, attempt)
        finally:
            self.ledger.in_flight -= 1
        self.ledger.by_status[response.status] += 1
        return response

    async def _answer(self, request: web.BaseRequest, front: Any, key: str, attempt: int) -> web.StreamResponse:
        settings = self.settings
        if settings.key is not None:
            refused = front.check_key(request.headers, settings.key)
            if refused is not None:
                return _error(front, refused)
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            return _error(front, Refused(400, "invalid_request_error", "The body is not JSON."))
        if self.on_body is not None and isinstance(body, dict):
            self.on_body(body)
        asked = self._read(front, body, request.headers)
        if isinstance(asked, Refused):
            return _error(front, asked)
        if settings.rate_limit_above is not None and self.ledger.in_flight > settings.rate_limit_above:
            return _error(front, front.trouble(429))
        trouble = self._trouble(key, attempt)
        if trouble is not None:
            self.ledger.by_trouble[trouble.kind] += 1
            early = self._early_trouble(front, trouble)
            if early is not None:
                return early
        kind = None if trouble is None else trouble.kind
        latency_s = settings.latency_ms / 1000
        if self._script is None:
            said = say(settings, asked)
        else:
            answer = self._script.say(asked, key)
            if isinstance(answer, Refused):
                return _error(front, answer)
            said, latency_s = answer
        if kind == "huge":
            said = Said("x" * HUGE_CHARACTERS, input_tokens=said.input_tokens, output_tokens=HUGE_CHARACTERS // 4)
        elif kind == "slow":
            latency_s *= _SLOW_FACTOR
        if not getattr(front, "IS_FREE", False):
            self.ledger.bill(key)
        if said.calls:
            said = named_calls(said, asked.scope.seal(str(self.ledger.calls)))
        if asked.stream:
            return await self._stream(request, front, asked, said, kind, latency_s)
        if latency_s or kind == "hang":
            await asyncio.sleep(_HANG_S if kind == "hang" else latency_s)
        return await self._whole(request, front, front.reply_body(settings, asked, said, str(self.ledger.calls)), kind)

    def _read(self, front: Any, body: Json, headers: Mapping[str, str]) -> Asked | Refused:
        """What is asked. Parts of another shape than the API's end like any request it does not take."""
        refused: Refused = front.trouble(400)
        if not isinstance(body, dict):
            return refused
        try:
            asked: Asked | Refused = front.read(body, headers)
            if isinstance(asked, Asked):
                scope = Scope.of(front.PROVIDER, self.origin, headers, asked.model)
                asked = front.refuse_turns(body, scope) or replace(asked, scope=scope)
        except (KeyError, TypeError, AttributeError, ValueError):
            return refused
        return asked

    def _trouble(self, key: str, attempt: int) -> Trouble | None:
        """The first trouble in the list that holds for this call."""
        for at, trouble in enumerate(self.settings.troubles):
            luck = uniform(at, trouble.kind, key or self.ledger.calls)
            if luck < trouble.share and (trouble.attempts == 0 or attempt <= trouble.attempts):
                return trouble
        return None

    def _early_trouble(self, front: Any, trouble: Trouble) -> web.StreamResponse | None:
        """Trouble that comes instead of an answer."""
        statuses = {
            "rate_limit": 429,
            "overloaded": front.OVERLOADED_STATUS,
            "server_error": 500,
            "auth": 401,
            "refused": 400,
            "too_long": 413,
        }
        if trouble.kind in statuses:
            headers = {} if trouble.retry_after_s is None else {"Retry-After": f"{trouble.retry_after_s:g}"}
            told = front.trouble(statuses[trouble.kind])
            return _error(front, told, told.status, headers)
        if trouble.kind == "html":
            return web.Response(status=502, text="<html><body><h1>502 Bad Gateway</h1></body></html>", content_type="text/html")
        if trouble.kind == "redirect":
            return web.Response(status=307, headers={"Location": f"{self.origin}/elsewhere"})
        return None

    async def _whole(self, request: web.BaseRequest, front: Any, body: dict[str, Json], kind: str | None) -> web.StreamResponse:
        if kind == "wrong_types":
            body = front.wrong_types()
        if kind == "error_in_stream":
            return _error(front, front.trouble(500), 500)
        data = orjson.dumps(body)
        if kind in ("malformed", "truncate"):
            return web.Response(body=data[: len(data) // 2], content_type="application/json")
        if kind == "drop":
            response = web.StreamResponse(headers={"Content-Length": str(len(data)), "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(data[: len(data) // 2])
            return _cut(request, response)
        return web.Response(body=data, content_type="application/json")

    async def _stream(
        self, request: web.BaseRequest, front: Any, asked: Asked, said: Said, kind: str | None, latency_s: float
    ) -> web.StreamResponse:
        pieces = list(front.stream_pieces(self.settings, asked, said, str(self.ledger.calls)))
        first_s = latency_s * self.settings.ttft_share
        between_s = (latency_s - first_s) / len(pieces)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        if kind == "malformed":
            pieces[len(pieces) // 2] = b'data: {"id": "x", "choices": [\n\n'
        elif kind == "wrong_types":
            pieces[len(pieces) // 2] = front.wrong_event()
        elif kind in ("error_in_stream", "truncate", "drop", "hang"):
            pieces = pieces[: len(pieces) // 2]
        if first_s:
            await asyncio.sleep(first_s)
        for piece in pieces if between_s else [b"".join(pieces)]:
            await response.write(piece)
            if between_s:
                await asyncio.sleep(between_s)
        if kind == "error_in_stream":
            await response.write(front.stream_error())
        elif kind == "drop":
            return _cut(request, response)
        elif kind == "hang":
            await asyncio.sleep(_HANG_S)
        await response.write_eof()
        return response


def _error(front: Any, refused: Refused, status: int | None = None, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json(status or refused.status, front.error_body(refused), headers)


def _json(status: int, body: Json, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", headers=headers)


def _cut(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """End the connection in the middle of things."""
    if request.transport is not None:
        request.transport.abort()
    return response
