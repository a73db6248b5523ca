"""Where a store is: parsed once from a path or URL, with a `place` that is safe to show.

Knows no database library, and never puts credentials into a message.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from segue.errors import InputError

StoreKind = Literal["memory", "sqlite", "postgresql"]

BUSY_TIMEOUT_S = 30.0
"""How long a write waits for another process's before it gives up."""

_FIX = "Give a path, sqlite:///path, postgresql://user:password@host/database, or memory:."


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A parsed address. `place` names it to people; `url` may hold a password and is never shown."""

    kind: StoreKind
    place: str
    path: Path | None = None
    url: str = field(default="", repr=False)
    timeout_s: float = BUSY_TIMEOUT_S


def parse_address(url_or_path: str | os.PathLike[str]) -> StoreAddress:
    """Read a path or URL. `InputError` for what is neither; it never repeats what may hold a password."""
    text = os.fspath(url_or_path).strip()
    if not text or "\0" in text:
        raise InputError("The address of the state store is empty or holds a NUL character.", fix=_FIX)
    if text == "memory:":
        return StoreAddress("memory", "memory")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _at_path(text, BUSY_TIMEOUT_S)
    if scheme == "sqlite":
        return _sqlite(rest)
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgresql(text)
    known = scheme if scheme.replace("+", "").isalnum() else "this kind"
    raise InputError(f"There is no state store of the kind '{known}'.", fix=_FIX)


def _at_path(text: str, timeout_s: float) -> StoreAddress:
    path = Path(text).expanduser()
    return StoreAddress("sqlite", str(path), path=path, timeout_s=timeout_s)


def _sqlite(rest: str) -> StoreAddress:
    located, _, query = rest.partition("?")
    if not located.startswith("/") or located in ("/", "/:memory:"):
        raise InputError(
            "A SQLite address needs a file: sqlite:///relative/path or sqlite:////absolute/path.",
            fix="For a store that ends with the process, give memory:.",
        )
    settings = parse_qs(query, keep_blank_values=True)
    timeout_s = BUSY_TIMEOUT_S
    if "timeout" in settings:
        timeout_s = _seconds(settings.pop("timeout")[-1])
    if settings:
        names = ", ".join(sorted(settings))
        raise InputError(f"A SQLite address does not know: {names}.", fix="The only setting is timeout, in seconds.")
    return _at_path(unquote(located[1:]), timeout_s)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise InputError("The timeout of a SQLite address is a number of seconds from 0 to 3600.", fix="Say ?timeout=30.")
    return value


def _postgresql(text: str) -> StoreAddress:
    unreadable = InputError(
        "The address of the PostgreSQL store cannot be read (it is not repeated here, it may hold a password).",
        fix="Write postgresql://user:password@host:port/database, special characters percent-encoded.",
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise unreadable from None
    database = unquote(parts.path.lstrip("/"))
    # An unescaped character of a password cuts the address at the wrong place: what follows must not be shown.
    if "@" in database or "/" in database or ("@" in parts.query + parts.fragment and "@" not in parts.netloc):
        raise unreadable
    host = _host(parts)
    where = f"{host}:{port}" if port else host
    name = f"'{database}'" if database else "(default)"
    return StoreAddress("postgresql", f"PostgreSQL database {name} at {where}", url=text)


def _host(parts: SplitResult) -> str:
    if parts.hostname:
        return parts.hostname
    return parse_qs(parts.query).get("host", ["the local socket"])[-1]
