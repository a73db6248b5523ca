"""What an exchange says beyond its bytes: tokens, cost, finish reason, and cheap scores. Off the way of any request.

Applied when exchanges are shipped, to served and shadowed ones alike: the same decoders and scorers as in an eval, so live and
offline numbers mean the same. What cannot be read stays unknown. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import msgspec

from segue.drift.fingerprint import quick_traits
from segue.exchanges.record import Logged, ServedExchange
from segue.model import Bundle, Case, Exchange, Reply, ScorerSpec
from segue.providers.dialects import DIALECTS
from segue.providers.pricing import PriceBook
from segue.scoring.contract import ContractScorer, ContractSettings
from segue.wire.base import Decoded

_FORMAT = {name: name if name == "refusal" else f"format.{name}" for name in quick_traits(Reply())}
"""How a trait is called as a score; refusing is more than a matter of form."""
_NO_CASE = Case(case_id="served", messages=())


class Enricher:
    """`find` gives a bundle by digest, `None` where it is not known; `vendors` whose price list holds, by provider."""

    def __init__(self, find: Callable[[str], Bundle | None], vendors: Mapping[str, str | None], prices: PriceBook) -> None:
        self._find = find
        self._vendors = vendors
        self._prices = prices
        self._contract = lru_cache(maxsize=256)(self._contract_of)

    def __call__(self, logged: Logged) -> Logged:
        """The same exchange with what its answer says. One whose body was not kept whole says nothing more."""
        exchange, dialect = logged.exchange, logged.exchange.dialect_out
        is_readable = exchange.response.kept == "full" and (exchange.status or 999) < 300
        if not is_readable or dialect is None or dialect not in DIALECTS:
            return logged
        decoded = decode_answer(dialect, logged.response)
        bundle = self._find(exchange.answered_by or exchange.bundle)
        return msgspec.structs.replace(logged, exchange=self._enriched(exchange, decoded, bundle))

    def _enriched(self, exchange: ServedExchange, decoded: Decoded, bundle: Bundle | None) -> ServedExchange:
        usage, reply = decoded.usage, decoded.reply
        cost = None
        if bundle is not None:
            vendor = self._vendors.get(bundle.model.provider)
            cost = self._prices.cost(vendor, bundle.model.snapshot, usage, decoded.cache_write_tokens).microusd
        failure = exchange.failure
        if failure is None and decoded.failure is not None:
            failure = decoded.failure.kind
        return msgspec.structs.replace(
            exchange,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cached_tokens=usage.cached_tokens,
            cost_microusd=cost,
            finish_reason=None if reply is None else reply.finish_reason,
            failure=failure,
            scores={**exchange.scores, **({} if reply is None else self._scores(reply, bundle))},
        )

    def _scores(self, reply: Reply, bundle: Bundle | None) -> dict[str, float | None]:
        found: dict[str, float | None] = {_FORMAT[name]: float(value) for name, value in quick_traits(reply).items()}
        found["characters"] = float(len(reply.text))
        scorer = None if bundle is None else self._contract(bundle.digest)
        if scorer is not None:
            exchange = Exchange(behaviour="", case_id="served", input_digest="", reply=reply)
            found |= {score.name: score.value for score in scorer.score(_NO_CASE, exchange)}
        return found

    def _contract_of(self, digest: str) -> ContractScorer | None:
        """The clauses of a bundle's contract; the team's own command is run where a suite is, not on every user's answer."""
        bundle = self._find(digest)
        contract = None if bundle is None else bundle.contract
        if contract is None:
            return None
        clauses = contract.model_copy(update={"command": None})
        if clauses == type(contract)():
            return None
        return ContractScorer(ScorerSpec(name="contract", type="contract"), ContractSettings(), clauses)


def decode_answer(dialect: str, body: bytes) -> Decoded:
    """An answer as it passed, whole or streamed."""
    if body.lstrip()[:1] == b"{":
        return DIALECTS[dialect].decode(body, withheld=())
    stream = DIALECTS[dialect].stream(())
    stream.feed(body)
    return stream.finish()
