"""Segue's state behind one port: `open_store` gives the memory fake, SQLite or PostgreSQL.

Importing this package loads no database library; `open_store` does, once it knows which one is needed.
"""

from segue.store.base import (
    ArmRow,
    ArmStatus,
    BundleRecord,
    CaseRow,
    Claim,
    LogCheck,
    LogEntry,
    RecordedLabel,
    Store,
    SuiteRecord,
)
from segue.store.memory import MemoryStore
from segue.store.opening import open_store

__all__ = [
    "ArmRow",
    "ArmStatus",
    "BundleRecord",
    "CaseRow",
    "Claim",
    "LogCheck",
    "LogEntry",
    "MemoryStore",
    "RecordedLabel",
    "Store",
    "SuiteRecord",
    "open_store",
]
