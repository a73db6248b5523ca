"""Outcomes read back and put beside their exchanges. Each counts once, however often it was sent; the earliest stays.

Whether an exchange is known is asked of the log when it is read: it may come after its outcome, and it may never come. Then,
too, it shows whether the outcome may be told of it: one from a key of another workflow is shown to nobody, and counted.
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
    """Outcomes of one kind from one source, by the arm that answered. `mean` is over those with a value; `None`: none has.

    Ratings on different scales are apart; `lowest` and `highest` are the scale's ends.
    """

    arm: str
    kind: str
    source: str
    n_exchanges: int
    n_outcomes: int
    n_unknown: int
    mean: float | None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of all that was told.

    `known`: beside their exchange. `orphans`: their exchange is not in the log: not yet, not any more, or never was. `refused`:
    told with a key of another workflow. `repeated`: sent again; `conflicting` of these said something else than the first.
    """

    known: int
    orphans: int
    refused: int
    repeated: int
    conflicting: int


class Feedback:
    """Outcomes of the same log."""

    def __init__(self, log: ExchangeLog) -> None:
        self._log = log

    def count(self) -> int:
        """Different outcomes; repeats do not count."""
        found = self.standing()
        return found.known + found.orphans + found.refused

    def count_orphans(self) -> int:
        """Outcomes whose exchange is not in the log: not yet, not any more, or never was."""
        return self.standing().orphans

    def standing(self) -> Standing:
        """What became of all that was told, as of now."""
        with self._log.moment() as moment, self._log.connect() as base:
            self._log.show_exchanges(base, moment, EVERYTHING)
            self._show_outcomes(base, moment)
            row = base.execute(_STANDING).fetchone()
            known, orphans, refused = (int(one) for one in row or (0, 0, 0))
            row = base.execute(_REPEATED).fetchone()
            repeated, conflicting = (int(one) for one in row or (0, 0))
            gone = [moment.tally.get(("outcomes", what), 0) for what in ("repeated", "conflicting")]
        return Standing(known, orphans, refused, repeated + gone[0], conflicting + gone[1])

    def of(self, exchange_id: str) -> list[Told]:
        """The outcomes of one exchange, oldest first. Of one that is not in the log: all that name it, whoever told them."""
        exchange = next(self._log.iterate(Selection(id=exchange_id), with_bodies=False), None)
        with self._log.moment() as moment, self._log.connect() as base:
            found = self._of(base, moment, [exchange_id]).get(exchange_id, [])
        return found if exchange is None else _allowed(exchange, found)

    def beside(self, selection: Selection = EVERYTHING, *, with_bodies: bool = True) -> Iterator[tuple[Logged, list[Told]]]:
        """Exchanges with their outcomes, in bounded memory."""
        for part in in_parts(self._log.iterate(selection, with_bodies=with_bodies), BESIDE):
            with self._log.moment() as moment, self._log.connect() as base:
                found = self._of(base, moment, [one.exchange.id for one in part])
            for one in part:
                yield one, _allowed(one, found.get(one.exchange.id, []))

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

    def _show_outcomes(self, base: duckdb.DuckDBPyConnection, moment: Moment) -> None:
        """A view `outcomes`, each once."""
        from segue.exchanges.columns import OUTCOMES, outcome_columns

        self._log.show_files(base, "outcomes_archived", moment.files("outcomes"), OUTCOMES)
        rows = (row for row in moment.waiting(OUTCOME) if isinstance(row, Told))
        self._log.fill(base, "outcomes_waiting", OUTCOMES, (outcome_columns(part) for part in in_parts(rows)))
        base.execute(_OUTCOMES)


def _allowed(exchange: Logged, found: list[Told]) -> list[Told]:
    """Those that may be told of this exchange."""
    return [told for told in found if told.outcome.holds_of(exchange.exchange.workflow)]


_OUTCOMES = """
CREATE TEMP VIEW outcomes_told AS SELECT * FROM outcomes_archived UNION ALL BY NAME SELECT * FROM outcomes_waiting;
CREATE TEMP VIEW outcomes AS
SELECT * FROM outcomes_told QUALIFY row_number() OVER (PARTITION BY identity ORDER BY at_ns, content) = 1
"""
_HOLDS = """(coalesce(len(outcomes.scope), 0) = 0 OR list_contains(outcomes.scope, exchanges.workflow))
    AND coalesce(outcomes.workflow = exchanges.workflow, true)"""
"""As `Outcome.holds_of` has it."""
_RATES = f"""
WITH sizes AS (SELECT arm, count(*) AS n_exchanges FROM exchanges GROUP BY arm)
SELECT arm, kind, source, any_value(n_exchanges), count(*), count(*) - count(value), avg(value), lowest, highest
FROM outcomes JOIN exchanges ON outcomes.exchange = exchanges.id JOIN sizes USING (arm)
WHERE {_HOLDS}
GROUP BY arm, kind, source, lowest, highest ORDER BY arm, kind, source, lowest, highest
"""  # noqa: S608 - our own condition
_STANDING = f"""
SELECT count(*) FILTER (exchanges.id IS NOT NULL AND {_HOLDS}), count(*) FILTER (exchanges.id IS NULL),
    count(*) FILTER (exchanges.id IS NOT NULL AND NOT ({_HOLDS}))
FROM outcomes LEFT JOIN exchanges ON outcomes.exchange = exchanges.id
"""  # noqa: S608 - our own condition
_REPEATED = """
WITH told AS (
    SELECT content, row_number() OVER same AS number, first_value(content) OVER same AS first FROM outcomes_told
    WINDOW same AS (PARTITION BY identity ORDER BY at_ns, content))
SELECT count(*) FILTER (number > 1), count(*) FILTER (number > 1 AND content <> first) FROM told
"""
