"""`SqlStore`: the parts put together."""

from __future__ import annotations

from segue.store.address import StoreAddress
from segue.store.sql.bundles import BundleTables
from segue.store.sql.claims import Claims
from segue.store.sql.exchanges import ExchangeTables
from segue.store.sql.facts import FactTable
from segue.store.sql.gateways import GatewayTables
from segue.store.sql.leases import LeaseTable
from segue.store.sql.log import LogTable
from segue.store.sql.opening import open_database
from segue.store.sql.routes import RouteTables
from segue.store.sql.runs import RunTables
from segue.store.sql.scores import ScoreTables
from segue.store.sql.suites import SuiteTables
from segue.store.sql.upgrades import UpgradeTables


class SqlStore(
    BundleTables,
    SuiteTables,
    ExchangeTables,
    ScoreTables,
    RunTables,
    RouteTables,
    UpgradeTables,
    LeaseTable,
    FactTable,
    GatewayTables,
    Claims,
    LogTable,
):
    """`Store` on SQLite or PostgreSQL.

    Thread-safe: writes take turns on one connection, each reader has its own and sees one snapshot. An iterator holds its
    connection until it ends or is closed. What an iterable given to a write does must not write to the same store.
    """

    def __init__(self, address: StoreAddress) -> None:
        self._db = open_database(address)

    @property
    def place(self) -> str:
        """Where the store is, safe to show."""
        return self._db.place

    def close(self) -> None:
        self._db.close()
