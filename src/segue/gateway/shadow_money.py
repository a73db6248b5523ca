"""Shadow's cap in money: what a shadow may cost at most is put by before it is sent, and what it did cost is counted after.

The day's amount holds for all workers of a gateway together (`spending.py`). What a provider does not tell stays put by at its
worst; a model without a price cannot be capped in money, so it is not shadowed. Off the way of users: a shadow is sent after
the user's own request, and read when it is over. Knows no connections.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date

from segue.errors import SegueError
from segue.gateway.decoded import decode_answer
from segue.gateway.last_known import LastKnown
from segue.gateway.spending import Spending
from segue.gateway.target import Target
from segue.model import Usage
from segue.providers.config import parse_provider, vendor_of_provider
from segue.providers.pricing import PriceBook

DAY_NS = 86_400 * 1_000_000_000
BYTES_PER_TOKEN = 2
"""Fewer than text has in any language or notation but rare ones: what is put by is too much rather than too little."""
LONGEST_READ = 4 << 20
"""Bytes of an answer that is read for its tokens; of a longer one all that was put by counts."""
UNBOUNDED_OUTPUT = 16_384
"""Tokens put by for an answer that the bundle sets no bound to."""

Price = Callable[[Target, Usage, int | None], float | None]
"""Millionths of a dollar; `None` where the model has no price."""


class ShadowMoney:
    """One per process. `price` may be replaced when other routes are served."""

    def __init__(self, spending: Spending, price: Price = lambda _target, _usage, _written: None) -> None:
        self._spending = spending
        self.price = price

    def put_by(self, target: Target, body: bytes, usd_per_day: float, at_ns: int) -> float | str:
        """The most this shadow may cost, in millionths of a dollar, put by for it; or why it may not be sent."""
        bound = target.applied.bundle.parameters.max_output_tokens or UNBOUNDED_OUTPUT
        most = self.price(target, Usage(input_tokens=len(body) // BYTES_PER_TOKEN, output_tokens=bound), None)
        if most is None:
            return "no price"
        workflow, day = target.applied.bundle.workflow, at_ns // DAY_NS
        try:
            if self._spending.total(workflow, day) + most > usd_per_day * 1e6:
                return "money"
            self._spending.add(workflow, day, most)
        except OSError:
            return "spending unknown"
        return most

    def settle(self, target: Target, put_by: float, answer: bytes | None, at_ns: int) -> None:
        """It is over: what it did cost takes the place of what was put by. `None`: there is no answer that anybody bills.

        An answer that breaks off, or says no tokens, may have cost all that was put by, and is counted so.
        """
        cost = 0.0 if answer is None else self._cost(target, answer) if len(answer) <= LONGEST_READ else None
        if cost is None:
            return
        try:
            self._spending.add(target.applied.bundle.workflow, at_ns // DAY_NS, cost - put_by)
        except OSError:
            return

    def _cost(self, target: Target, answer: bytes) -> float | None:
        decoded = decode_answer(target.applied.dialect, answer)
        if decoded.usage.input_tokens is None or decoded.usage.output_tokens is None:
            return None
        return self.price(target, decoded.usage, decoded.cache_write_tokens)


def has_money_cap(found: LastKnown) -> bool:
    """Whether any route needs prices."""
    return any(one.route.shadow is not None and one.route.shadow.usd_per_day is not None for one in found.revisions)


def learn_prices(found: LastKnown, today: date) -> Price:
    """Prices as the exchange log has them: by the list of whoever runs the provider, and the workspace's own.

    Takes a while: the list is loaded here, so that no shadow has to.
    """
    book = PriceBook(found.prices, as_of=today)
    vendors: dict[str, str | None] = {}
    for name, entry in found.providers.items():
        with suppress(SegueError):
            vendors[name] = vendor_of_provider(parse_provider(name, entry))
    for one in found.bundles.values():
        book.why_unknown(vendors.get(one.model.provider), one.model.snapshot)

    def price(target: Target, usage: Usage, written: int | None) -> float | None:
        model = target.applied.bundle.model
        return book.cost(vendors.get(model.provider), model.snapshot, usage, written).microusd

    return price
