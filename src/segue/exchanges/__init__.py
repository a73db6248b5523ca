"""The exchange log: what was served and shadowed, and what came of it. Knows nothing of HTTP.

A worker of the gateway appends to a `Spool`; one `Shipper` carries them to Parquet; `ExchangeLog` and `Feedback` read both.
What a worker imports stays light: `segue.exchanges.shipper`, `.query` and `.feedback` are imported by those who ship and ask.
Format and guarantees: `docs/exchange-log.md`.
"""

from segue.exchanges.outcome import Outcome as Outcome
from segue.exchanges.outcome import Told as Told
from segue.exchanges.record import BodyNote as BodyNote
from segue.exchanges.record import Keep as Keep
from segue.exchanges.record import Logged as Logged
from segue.exchanges.record import ServedExchange as ServedExchange
from segue.exchanges.record import keep_body as keep_body
from segue.exchanges.spool import Spool as Spool
from segue.exchanges.spool import SpoolSettings as SpoolSettings
from segue.exchanges.spool import SpoolState as SpoolState
from segue.exchanges.spool import SpoolThread as SpoolThread
