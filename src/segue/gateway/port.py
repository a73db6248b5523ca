"""The port of one gateway: its workers share it, and no other gateway does.

Workers share a port by `SO_REUSEPORT`, and by itself that lets a second gateway of the same user in, which would get every
other connection and tell nobody. So the keeper first binds without it, which the kernel refuses where anybody has the port,
and then holds the port by a socket that never listens, until its workers are there.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from segue.errors import InputError


@contextmanager
def hold_port(host: str, port: int) -> Iterator[int]:
    """Hold a port (0: a free one) while the context lasts, and give it. `InputError` where it cannot be had."""
    held: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            try:
                if port:
                    with _socket(family) as probe:
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        probe.bind((address, port))
                holding = _socket(family)
                held.append(holding)
                holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                # Where connections of another program that had the port linger, it cannot be held, yet be listened on.
                with suppress(OSError) if port else nullcontext():
                    holding.bind((address, port))
                port = port or int(holding.getsockname()[1])
            except OSError as error:
                raise port_error(host, port, error) from None
        yield port
    finally:
        for one in held:
            one.close()


def port_error(host: str, port: int, error: OSError) -> InputError:
    """Why it cannot be listened on, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return InputError(
            f"Port {port} on {host} is taken: another gateway or program listens there.",
            fix=f"End that one (ss -ltnp 'sport = :{port}' names it), or choose another port: --port 0 takes a free one.",
        )
    if error.errno == errno.EACCES:
        return InputError(f"Port {port} on {host} may not be used by this user.", fix="Choose one from 1024 up: --port 8080.")
    if error.errno == errno.EADDRNOTAVAIL:
        return InputError(f"{host} is no address of this machine.", fix="Choose one that is: --host 127.0.0.1.")
    what = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else type(error).__name__
    return InputError(f"Nothing can listen on {host}, port {port}: {what}.", fix="Choose another: --host, --port.")


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise InputError(f"{host!r} is no address, and no name of one.", fix="Give one: --host 127.0.0.1.") from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _socket(family: socket.AddressFamily) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made
