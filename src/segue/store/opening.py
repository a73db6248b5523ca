"""Opening a store by path or address. The database libraries are loaded here, and only the ones that are needed."""

from __future__ import annotations

import os

from segue.store.address import parse_address
from segue.store.base import Store
from segue.store.memory import MemoryStore


def open_store(url_or_path: str | os.PathLike[str]) -> Store:
    """Open the state store, bringing its schema up to date.

    A path or `sqlite:///path[?timeout=seconds]` opens SQLite, making the file and the one folder it lies in;
    `postgresql://user:password@host/database` opens PostgreSQL; `memory:` gives a new store that ends with the process.
    `timeout` is how long a write waits for another process's.

    Raises `InputError` for an address that cannot be read, and `StoreError` where the place cannot be used:
    it says which place, what is wrong there and what to do. Credentials never appear in either.
    """
    address = parse_address(url_or_path)
    if address.kind == "memory":
        return MemoryStore()
    from segue.store.sql import SqlStore

    return SqlStore(address)
