"""TLS to upstreams: the name is sent and checked, the certificate verified. The one here is made for `localhost` alone."""

from __future__ import annotations

import ssl
from pathlib import Path

from segue.gateway.http import FailureKind, Origin
from tests.gateway.http.stage import Theatre, always

HERE = Path(__file__).parent / "tls"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def serving(names: list[str | None] | None = None) -> ssl.SSLContext:
    """The upstream's side; notes the names it is asked for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(HERE / "localhost.pem", HERE / "localhost.key")
    if names is not None:
        context.sni_callback = lambda _socket, name, _context: names.append(name)
    return context


def trusting() -> ssl.SSLContext:
    """This side, with the certificate's own authority."""
    return ssl.create_default_context(cafile=str(HERE / "localhost.pem"))


async def test_calls_are_made_over_tls(stage: Theatre) -> None:
    """Many on one connection, with the name of the host in the greeting and without a port only where it is the usual one."""
    names: list[str | None] = []
    upstream = await stage.upstream(always(OK), tls=serving(names), trusted=trusting(), host="localhost")
    for _ in range(5):
        assert (await stage.ask(upstream)).body == b"ok"
    assert names == ["localhost"]
    assert upstream.opened_in_all == 1


async def test_another_name_is_refused(stage: Theatre) -> None:
    """The certificate is not for this address."""
    upstream = await stage.upstream(always(OK), tls=serving(), trusted=trusting(), host="127.0.0.1")
    heard = await stage.ask(upstream)
    assert heard.failure is not None
    assert heard.failure.kind is FailureKind.TLS


async def test_an_unknown_authority_is_refused(stage: Theatre) -> None:
    """Without being told otherwise, only the system's are trusted."""
    upstream = await stage.upstream(always(OK), tls=serving(), host="localhost")
    heard = await stage.ask(upstream)
    assert heard.failure is not None
    assert heard.failure.kind is FailureKind.TLS


def test_the_host_field_names_the_port_where_it_is_not_the_usual_one() -> None:
    """Addresses of version 6 are in brackets."""
    assert Origin("api.example", 443, True).host_field == b"api.example"
    assert Origin("api.example", 443).host_field == b"api.example:443"
    assert Origin("api.example", 80).host_field == b"api.example"
    assert Origin("::1", 8080).host_field == b"[::1]:8080"
