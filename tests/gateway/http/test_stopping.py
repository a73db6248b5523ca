"""An orderly end: answers finish, nobody else is let in, and what does not end in time is cut off."""

from __future__ import annotations

import asyncio
import socket

import pytest

from segue.gateway.http import HttpExchange
from tests.gateway.http.stage import Theatre, until
from tests.gateway.http.test_connection import GET
from tests.gateway.http.wire import say_ok


async def test_a_request_under_way_is_answered(stage: Theatre) -> None:
    """With `Connection: close`; unused connections are closed at once, new ones refused."""
    held: list[HttpExchange] = []
    server, port = await stage.server(
        lambda exchange: held.append(exchange) if exchange.request.target == b"/s" else say_ok(exchange)
    )
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
    idle_writer.write(GET)
    await idle_reader.readuntil(b"\r\n\r\nok")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET.replace(b"/a?b=c", b"/s"))
    await until(lambda: held)
    stopping = asyncio.create_task(server.stop(5))
    assert await idle_reader.read() == b""
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)
    held[0].respond(200, [], b"done")
    answer = await reader.read()
    assert b"connection: close" in answer
    assert answer.endswith(b"done")
    assert await stopping == 0
    assert len(server) == 0
    idle_writer.close()
    writer.close()


async def test_a_stream_under_way_may_end(stage: Theatre) -> None:
    """Its head is already sent; the connection closes behind its end."""
    held: list[HttpExchange] = []
    server, port = await stage.server(held.append)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    await until(lambda: held)
    held[0].start(200, [])
    held[0].write(b"one")
    await reader.readuntil(b"one\r\n")
    stopping = asyncio.create_task(server.stop(5))
    await asyncio.sleep(0)
    held[0].finish(b"two")
    assert await reader.read() == b"3\r\ntwo\r\n0\r\n\r\n"
    assert await stopping == 0
    writer.close()


async def test_what_does_not_end_is_cut_off_and_counted(stage: Theatre) -> None:
    """Handlers are told that their client is gone."""
    held: list[HttpExchange] = []
    gone: list[bool] = []
    server, port = await stage.server(held.append)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    await until(lambda: held)
    held[0].on_gone = lambda: gone.append(True)
    assert await server.stop(0.01) == 1
    assert gone == [True]
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()


async def test_a_connection_that_has_not_asked_yet_may_still_do_so(stage: Theatre) -> None:
    """Its request may be on the way already; then it is answered, and the connection closed."""
    server, port = await stage.server(say_ok, linger_s=5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await until(lambda: len(server))
    stopping = asyncio.create_task(server.stop(5))
    await asyncio.sleep(0)
    writer.write(GET)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
    assert await stopping == 0
    writer.close()


async def test_one_accepted_at_the_last_moment_is_answered_too(stage: Theatre) -> None:
    """The loop tells of it when the listeners are closed already, and when the last of the others has just gone."""
    server, _ = await stage.server(say_ok, linger_s=5)
    stopping = asyncio.create_task(server.stop(5))
    await asyncio.sleep(0)
    here, there = socket.socketpair()
    await asyncio.get_running_loop().connect_accepted_socket(server.connect, there)
    assert not stopping.done()
    reader, writer = await asyncio.open_connection(sock=here)
    writer.write(GET)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert await stopping == 0
    writer.close()


async def test_workers_share_a_port(stage: Theatre) -> None:
    """One ends, and the other goes on with it."""
    first, second = stage.make_server(say_ok), stage.make_server(say_ok)
    port = await first.listen(reuse_port=True)
    assert await second.listen(port=port, reuse_port=True) == port
    await first.stop(1)
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\nok")
        writer.close()


async def test_a_socket_bound_before_can_be_listened_on(stage: Theatre) -> None:
    """By a parent process, for instance."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    assert await stage.make_server(say_ok).listen(sock=bound) == bound.getsockname()[1]
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\nok")
    writer.close()
