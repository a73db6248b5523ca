"""Claims beside a SQLite file: one small file per name, locked by the operating system.

The system lets go of the lock when the process ends, however it ends, so a claim never outlives its process. The file stays,
empty: taking it away could take it from under another process that has just opened it.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

from segue.errors import StoreError

MOST_BYTES = 1_000


class FileClaims:
    """The claims that this process holds, and the place of all of them: a folder named after the database."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(database.name + "-claims")
        self._held: dict[str, int] = {}

    def take(self, name: str, holder: str) -> str | None:
        """Hold `name`; else what its holder wrote, which may be nothing yet."""
        path = self._folder / sha256(name.encode()).hexdigest()[:16]
        try:
            self._folder.mkdir(exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(
                f"A claim cannot be noted at {path}: {error.strerror or type(error).__name__}.",
                fix=f"Make the folder writable (chmod u+w '{self._folder.parent}'), or put the store elsewhere.",
            ) from error
        if not _lock(descriptor):
            text = os.pread(descriptor, MOST_BYTES, 0).decode("utf-8", "replace")
            os.close(descriptor)
            return text
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode("utf-8", "replace"), 0)
        self._held[name] = descriptor
        return None

    def let_go(self, name: str) -> None:
        """Another process may hold it now. No error where it was not held."""
        descriptor = self._held.pop(name, None)
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def close(self) -> None:
        """Let go of all of them."""
        for name in list(self._held):
            self.let_go(name)


if sys.platform == "win32":

    def _lock(descriptor: int) -> bool:
        import msvcrt

        try:
            # A byte beyond what is written: locked bytes cannot be read by others there.
            os.lseek(descriptor, MOST_BYTES, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:

    def _lock(descriptor: int) -> bool:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
