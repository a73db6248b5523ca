"""A hosted model, asked over HTTP: one pooled session, one request per call, and every trouble told as a failure.

Retries and pacing are not its own (`segue.providers.pacing`). It sends to the one address it was given, follows no redirect,
reads no more than its bound, and never logs: neither keys nor content leave it but towards the provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import orjson
from yarl import URL

from segue.errors import InputError
from segue.model import Failure
from segue.model.exchange import FailureKind
from segue.providers.base import ModelOutcome, ModelRequest
from segue.providers.clock import Clock
from segue.providers.dialects import Dialect
from segue.providers.pricing import PriceBook
from segue.wire.base import Decoded
from segue.wire.errors import describe_error, parse_retry_after, read_error_body
from segue.wire.profiles import WireProfile

_ERROR_BYTES = 65_536
_DNS_SECONDS = 300


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where and how to ask. `secrets` are the keys among the values of `headers`. Times are in seconds.

    `idle_timeout_s` bounds the silence between two pieces of a reply, the wait for the first among them.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    profile: WireProfile
    stream: bool
    timeout_s: float
    connect_timeout_s: float
    idle_timeout_s: float
    max_reply_bytes: int
    vendor: str | None


class HttpProvider:
    """One endpoint of one dialect."""

    def __init__(self, name: str, dialect: Dialect, settings: HttpSettings, *, clock: Clock, prices: PriceBook) -> None:
        self.name = name
        self._dialect = dialect
        self._settings = settings
        self._clock = clock
        self._prices = prices
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity" if settings.stream else "gzip, deflate",
            **settings.headers,
        }

    async def ask(self, request: ModelRequest) -> ModelOutcome:
        """Send the request once. Whatever the provider does, and whatever cannot be sent, is a failure and no exception."""
        settings = self._settings
        try:
            wire = self._dialect.encode(request, profile=settings.profile, stream=settings.stream)
            body = orjson.dumps(wire.body)
        except InputError as error:
            return _failed("refused_request", " ".join(fault.sentence() for fault in error.faults))
        except orjson.JSONEncodeError:
            return _failed("refused_request", "The request holds text or numbers that JSON cannot carry.")
        headers = {**self._headers, **wire.headers, "Idempotency-Key": request.idempotency_key}
        started = self._clock.monotonic()
        try:
            async with self._open_session().post(
                self._url(wire.path), data=body, headers=headers, allow_redirects=False
            ) as response:
                return await self._read(request, response, started)
        except TimeoutError as error:
            return _failed("timeout", _timeout_detail(error, settings))
        except aiohttp.ClientPayloadError:
            return _failed("connection", "The connection broke in the middle of the reply.")
        except aiohttp.ClientResponseError:
            return _failed("bad_reply", "The server does not speak HTTP as it should.")
        except (aiohttp.ClientError, OSError) as error:
            return _failed("connection", f"The connection failed ({type(error).__name__}).")

    async def close(self) -> None:
        """Close the pooled connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        """The one session, made in the loop it is used in. The pool is unbounded, for the limiter bounds the calls."""
        if self._session is None:
            settings = self._settings
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=_DNS_SECONDS),
                timeout=aiohttp.ClientTimeout(
                    total=settings.timeout_s,
                    sock_connect=settings.connect_timeout_s,
                    sock_read=settings.idle_timeout_s,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._settings.base_url.rstrip("/") + path)
        return url

    async def _read(self, request: ModelRequest, response: aiohttp.ClientResponse, started: float) -> ModelOutcome:
        withheld = _Texts(request, self._settings.secrets)
        if response.status >= 300:
            error = read_error_body(await _read_at_most(response, _ERROR_BYTES) or b"")
            failure = describe_error(response.status, error, withheld=withheld)
            wait = parse_retry_after(response.headers, now_s=self._clock.wall())
            return ModelOutcome(failure=failure, latency_ms=self._since(started), retry_after_s=wait)
        ttft_ms = None
        if self._settings.stream and response.content_type != "application/json":
            decoder = self._dialect.stream(withheld)
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > self._settings.max_reply_bytes:
                    return self._too_large(started)
                deltas = decoder.feed(chunk)
                if ttft_ms is None and any(delta.is_visible for delta in deltas):
                    ttft_ms = self._since(started)
            decoded = decoder.finish()
        else:
            body = await _read_at_most(response, self._settings.max_reply_bytes)
            if body is None:
                return self._too_large(started)
            decoded = self._dialect.decode(body, withheld=withheld)
        return self._outcome(request, decoded, self._since(started), ttft_ms)

    def _outcome(self, request: ModelRequest, decoded: Decoded, latency_ms: float, ttft_ms: float | None) -> ModelOutcome:
        cost = self._prices.cost(self._settings.vendor, request.snapshot, decoded.usage, decoded.cache_write_tokens)
        return ModelOutcome(
            reply=decoded.reply,
            failure=decoded.failure,
            usage=decoded.usage,
            latency_ms=latency_ms,
            ttft_ms=ttft_ms,
            cost_microusd=cost.microusd,
            cost_source=cost.source,
        )

    def _since(self, started: float) -> float:
        return (self._clock.monotonic() - started) * 1000

    def _too_large(self, started: float) -> ModelOutcome:
        detail = f"The reply is larger than max_reply_bytes ({self._settings.max_reply_bytes})."
        return ModelOutcome(failure=Failure("bad_reply", detail), latency_ms=self._since(started))


class _Texts:
    """The keys and texts of a request, gone through only when an error has to be checked for quoting them."""

    def __init__(self, request: ModelRequest, secrets: tuple[str, ...]) -> None:
        self._request = request
        self._secrets = secrets

    def __iter__(self) -> Iterator[str]:
        yield from self._secrets
        yield self._request.system
        for turn in self._request.messages:
            yield turn.text
            for call in turn.tool_calls:
                yield call.arguments


async def _read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The body, or `None` if it is larger than `limit` bytes after decompression."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            return None
        pieces.append(chunk)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _failed(kind: FailureKind, detail: str) -> ModelOutcome:
    return ModelOutcome(failure=Failure(kind, detail))


def _timeout_detail(error: BaseException, settings: HttpSettings) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"No connection within connect_timeout_s ({settings.connect_timeout_s:g} s)."
    if isinstance(error, aiohttp.SocketTimeoutError):
        return f"Nothing came for idle_timeout_s ({settings.idle_timeout_s:g} s)."
    assert isinstance(error, asyncio.TimeoutError)
    return f"No whole reply within timeout_s ({settings.timeout_s:g} s)."
