"""Outcomes read back and put beside their exchanges. Each counts once, however often it was sent; the earliest stays.

Whether an exchange is known is asked of the log when it is read: it may come after its outcome, and it may never come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.exchanges.frame import OUTCOME
from segue.exchanges.outcome import Told
from segue.exchanges.query import EVERYTHING, ExchangeLog, Moment, in_parts
from segue.exchanges.record import Logged
from segue.exchanges.selection import Selection

if TYPE_CHECKING:
    import duckdb

BESIDE = 1_000
"""Exchanges in hand at once while their outcomes are looked up."""


@dataclass(frozen=True, slots=True)
class OutcomeRate:
    """Outcomes of one kind from one source, by the arm that answered. `mean` is over those with a value; `None`: none has."""

    arm: str
    kind: str
    source: str
    n_exchanges: int
    n_outcomes: int
    n_unknown: int
    mean: float | None


class Feedback:
    """Outcomes of the same log."""

    def __init__(self, log: ExchangeLog) -> None:
        self._log = log

    def count(self) -> int:
        """Different outcomes; repeats do not count."""
        return self._number("SELECT count(*) FROM outcomes")

    def count_orphans(self) -> int:
        """Outcomes whose exchange is not in the log: not yet, not any more, or never was."""
        return self._number(
            "SELECT count(*) FROM outcomes WHERE exchange NOT IN (SELECT id FROM exchanges WHERE id IS NOT NULL)"
        )

    def of(self, exchange_id: str) -> list[Told]:
        """The outcomes of one exchange, oldest first."""
        with self._log.moment() as moment, self._log.connect() as base:
            return self._of(base, moment, [exchange_id]).get(exchange_id, [])

    def beside(self, selection: Selection = EVERYTHING, *, with_bodies: bool = True) -> Iterator[tuple[Logged, list[Told]]]:
        """Exchanges with their outcomes, in bounded memory."""
        for part in in_parts(self._log.iterate(selection, with_bodies=with_bodies), BESIDE):
            with self._log.moment() as moment, self._log.connect() as base:
                found = self._of(base, moment, [one.exchange.id for one in part])
            for one in part:
                yield one, found.get(one.exchange.id, [])

    def rates(self, selection: Selection = EVERYTHING) -> list[OutcomeRate]:
        """How many outcomes of each kind the exchanges of each arm got, and their mean."""
        with self._log.moment() as moment, self._log.connect() as base:
            self._log.show_exchanges(base, moment, selection)
            self._show_outcomes(base, moment)
            return [OutcomeRate(*row) for row in base.execute(_RATES).fetchall()]

    def _of(self, base: duckdb.DuckDBPyConnection, moment: Moment, ids: Sequence[str]) -> dict[str, list[Told]]:
        from segue.exchanges.columns import read_outcomes

        self._show_outcomes(base, moment)
        found: dict[str, list[Told]] = defaultdict(list)
        query = "SELECT * FROM outcomes WHERE exchange IN (SELECT unnest(?)) ORDER BY at_ns, identity"
        for batch in base.sql(query, params=[list(ids)]).to_arrow_reader(BESIDE):
            for told in read_outcomes(batch):
                found[told.outcome.exchange].append(told)
        return found

    def _number(self, query: str) -> int:
        with self._log.moment() as moment, self._log.connect() as base:
            self._log.show_exchanges(base, moment, EVERYTHING)
            self._show_outcomes(base, moment)
            row = base.execute(query).fetchone()
            return int(row[0]) if row else 0

    def _show_outcomes(self, base: duckdb.DuckDBPyConnection, moment: Moment) -> None:
        """A view `outcomes`, each once."""
        from segue.exchanges.columns import OUTCOMES, outcome_columns

        self._log.show_files(base, "outcomes_archived", moment.files("outcomes"), OUTCOMES)
        rows = (row for row in moment.waiting(OUTCOME) if isinstance(row, Told))
        self._log.fill(base, "outcomes_waiting", OUTCOMES, (outcome_columns(part) for part in in_parts(rows)))
        base.execute(_OUTCOMES)


_OUTCOMES = """
CREATE TEMP VIEW outcomes AS
SELECT * FROM (SELECT * FROM outcomes_archived UNION ALL BY NAME SELECT * FROM outcomes_waiting)
QUALIFY row_number() OVER (PARTITION BY identity ORDER BY at_ns) = 1
"""
_RATES = """
WITH sizes AS (SELECT arm, count(*) AS n_exchanges FROM exchanges GROUP BY arm)
SELECT arm, kind, source, any_value(n_exchanges), count(*), count(*) - count(value), avg(value)
FROM outcomes JOIN exchanges ON outcomes.exchange = exchanges.id JOIN sizes USING (arm)
GROUP BY arm, kind, source ORDER BY arm, kind, source
"""
