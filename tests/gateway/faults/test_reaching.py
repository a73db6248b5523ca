"""Providers that cannot be reached, or are left in the middle of a request: connections, TLS, bodies that nobody reads."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from segue.standin.settings import StandInSettings
from tests.gateway.faults import heads
from tests.gateway.faults.provider import Line, Provider
from tests.gateway.faults.stage import OLD_TEXT, PAIRS, ClientDialect, Got, ask, before
from tests.gateway.faults.words import TEXT, WORDS, ProviderDialect, to_json, whole
from tests.gateway.http.test_upstream_tls import serving

BIG = "x" * 8_000_000
WHOLE = whole(WORDS["openai"].answer)


@contextmanager
def a_place(*, listens: bool) -> Iterator[str]:
    """An address of this machine where nobody answers: nobody listens, or nobody accepts and no more may wait."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        if not listens:
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
            return
        place.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(place.getsockname())
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
        finally:
            for one in waiting:
                one.close()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("listens", [False, True], ids=["refused", "black_hole"])
async def test_nobody_is_there(listens: bool, stream: bool) -> None:
    """Refused at once, or swallowed until the time for a connection is over."""
    with a_place(listens=listens) as place:
        async with before(None, base_url=place, connect_timeout_s=0.3) as wired:
            assert await ask(wired, "chat", stream=stream) == Got(OLD_TEXT, is_whole=True)
            reason = (await wired.kept(1))[0].record.fallback_reason
            assert reason == ("connect_timeout" if listens else "refused")


@pytest.mark.parametrize("speaks", [False, True], ids=["plain", "unknown_authority"])
async def test_tls_that_does_not_hold(speaks: bool) -> None:
    """A provider that speaks none, and one whose certificate nobody vouches for: its key is not sent, the incumbent answers."""
    provider = Provider(heads.says(WHOLE), greets=not speaks, tls=serving() if speaks else None)
    async with before(None, base_url="https://localhost:{port}", provider=provider, timeout_s=5) as wired:
        assert await ask(wired, "chat", stream=False) == Got(OLD_TEXT, is_whole=True)
        assert (await wired.kept(1))[0].record.fallback_reason == "tls"
        assert provider.asked == (not speaks), "a plain one is greeted, and told nothing"


@pytest.mark.parametrize("alone", [False, True], ids=["with_incumbent", "alone"])
@pytest.mark.parametrize("by_reset", [False, True], ids=["closed", "reset"])
async def test_a_kept_connection_that_closes_as_it_is_used_costs_nobody_an_answer(by_reset: bool, alone: bool) -> None:
    """The provider closed what it took for unused: the request goes out again on a fresh one, and the candidate answers."""

    async def act(line: Line) -> bool:
        if line.number == 1:
            await line.send(WHOLE)
            return True
        if by_reset:
            line.reset()
        return False

    provider = Provider(act)
    async with before(None, provider=provider, alone=alone) as wired:
        for _ in range(3):
            assert await ask(wired, "chat", stream=False) == Got(TEXT, is_whole=True)
        assert provider.connections == 3
        assert not [one for one in await wired.kept(3) if one.record.fallback_reason or one.record.failure]


async def test_a_fresh_connection_that_closes_is_not_asked_again() -> None:
    """That is no accident of keeping connections: the provider may have begun to work on it."""
    provider = Provider(heads.says())
    async with before(None, provider=provider) as wired:
        assert await ask(wired, "chat", stream=False) == Got(OLD_TEXT, is_whole=True)
        assert provider.asked == 1


@pytest.mark.parametrize(("status", "text"), [("200 OK", TEXT), ("503 Full", OLD_TEXT), ("413 Too Large", OLD_TEXT)])
@pytest.mark.parametrize("by_reset", [False, True], ids=["closed", "reset"])
async def test_an_answer_before_the_request_was_read(status: str, text: str, by_reset: bool) -> None:
    """Eight megabytes of which the provider reads nothing before it answers: what it says holds, or the incumbent answers."""
    answer = whole(WORDS["openai"].answer, status=status)
    provider = Provider(heads.resets_after(answer) if by_reset else heads.says(answer), greets=True)
    old = heads.says(whole(WORDS["openai"].answer.replace(TEXT.encode(), OLD_TEXT.encode())))
    async with before(None, provider=provider, old_act=old) as wired:
        got = await ask(wired, "chat", stream=False, messages=[{"role": "user", "content": BIG}])
        assert got in (Got(text, is_whole=True), Got(OLD_TEXT, is_whole=True))


@pytest.mark.parametrize(("client", "provider"), PAIRS, ids=[f"{client}-{provider}" for client, provider in PAIRS])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("trouble", "status"), [(b"503 Full", 503), (b"429 Slowly", 429), (b"401 Who", 502), (b"", 502)])
async def test_where_the_incumbent_fails_too_the_error_is_clean(
    client: ClientDialect, provider: ProviderDialect, stream: bool, trouble: bytes, status: int
) -> None:
    """In the client's dialect, with a status its SDK has a class for, and nothing of a provider's words."""
    secret = to_json({"error": {"message": "Key sk-very-secret is no good", "type": "x"}})
    act = heads.says(whole(secret, status=trouble.decode()) if trouble else b"")
    settings = StandInSettings(troubles=({"kind": "server_error"},))
    async with before(act, provider, alone=True, old=settings) as wired:
        got = await ask(wired, client, stream=stream)
        assert not got.text
        assert not got.is_whole
        assert getattr(got.error, "status_code", None) == status
        assert type(got.error).__name__ in (
            "RateLimitError",
            "InternalServerError",
            "OverloadedError",
            "ServiceUnavailableError",
        )
        assert "sk-very-secret" not in str(got.error)
        (kept,) = await wired.kept(1)
        assert kept.record.failure
        assert kept.record.status == status
