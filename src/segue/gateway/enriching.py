"""What an exchange says beyond its bytes: tokens, cost, finish reason, and cheap scores. Off the way of any request.

Applied when exchanges are shipped, to served and shadowed ones alike: the same decoders and scorers as in an eval, so live and
offline numbers mean the same. What cannot be read stays unknown. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from segue.drift.fingerprint import quick_traits
from segue.exchanges.record import Logged, ServedExchange
from segue.gateway.decoded import decode_answer
from segue.gateway.live_scorers import live_scorers, score_live
from segue.model import Bundle, Case, Exchange, Reply, ScorerSpec, SliceSpec
from segue.providers.dialects import DIALECTS
from segue.providers.pricing import PriceBook
from segue.scoring.contract import ContractScorer, ContractSettings
from segue.wire.base import Decoded

_FORMAT = {name: name if name == "refusal" else f"format.{name}" for name in quick_traits(Reply())}
"""How a trait is called as a score; refusing is more than a matter of form."""
_NO_TRAITS: Mapping[str, float | None] = dict.fromkeys(_FORMAT.values(), 0.0)
_NO_CASE = Case(case_id="served", messages=())


class _Known:
    """What is asked of a bundle for each of its exchanges, worked out once."""

    __slots__ = ("contract", "scorers", "snapshot", "vendor")

    def __init__(self, bundle: Bundle, vendors: Mapping[str, str | None], specs: Sequence[ScorerSpec]) -> None:
        self.vendor = vendors.get(bundle.model.provider)
        self.snapshot = bundle.model.snapshot
        self.contract = contract_of(bundle)
        self.scorers = live_scorers(specs, bundle)


class Enricher:
    """`find` gives a bundle by digest, `None` where it is not known; `vendors` whose price list holds, by provider; `scorers`
    and `slices` what each workflow declares. An attribute that bears the name of a declared slice, or `task`, says which slice
    an exchange is of; a value that the workflow does not list says nothing.
    """

    def __init__(
        self,
        find: Callable[[str], Bundle | None],
        vendors: Mapping[str, str | None],
        prices: PriceBook,
        scorers: Mapping[str, Sequence[ScorerSpec]] | None = None,
        slices: Mapping[str, Mapping[str, SliceSpec]] | None = None,
    ) -> None:
        self._specs, self._slices = scorers or {}, slices or {}
        self._find = find
        self._vendors = vendors
        self._prices = prices
        self._bundles: dict[str, _Known] = {}

    def __call__(self, logged: Logged) -> Logged:
        """The same exchange with what its answer says. One whose body was not kept whole says nothing more."""
        exchange = self._sliced(logged.exchange)
        if exchange is not logged.exchange:
            logged = Logged(exchange, logged.request, logged.response, logged.kept_share)
        dialect = exchange.dialect_out
        is_readable = exchange.response.kept == "full" and (exchange.status or 999) < 300
        if not is_readable or dialect is None or dialect not in DIALECTS:
            return logged
        decoded = decode_answer(dialect, logged.response)
        enriched = self._enriched(exchange, decoded, self._known(exchange.answered_by or exchange.bundle))
        return Logged(enriched, logged.request, logged.response, logged.kept_share)

    def _sliced(self, exchange: ServedExchange) -> ServedExchange:
        declared = self._slices.get(exchange.workflow)
        if not exchange.attributes or declared is None:
            return exchange
        found = {
            name: value
            for name, value in exchange.attributes.items()
            if name == "task" or (name in declared and value in (declared[name].values or (value,)))
        }
        return msgspec.structs.replace(exchange, slices={**found, **exchange.slices}) if found else exchange

    def _enriched(self, exchange: ServedExchange, decoded: Decoded, known: _Known | None) -> ServedExchange:
        usage, reply = decoded.usage, decoded.reply
        cost = None
        if known is not None:
            cost = self._prices.cost(known.vendor, known.snapshot, usage, decoded.cache_write_tokens).microusd
        failure = exchange.failure
        if failure is None and decoded.failure is not None:
            failure = decoded.failure.kind
        scores = exchange.scores
        if reply is not None:
            found = score_reply(reply, None if known is None else known.contract)
            if known is not None and known.scorers:
                found |= score_live(known.scorers, exchange, reply)
            scores = {**scores, **found} if scores else found
        return msgspec.structs.replace(
            exchange,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cached_tokens=usage.cached_tokens,
            cost_microusd=cost,
            finish_reason=None if reply is None else reply.finish_reason,
            failure=failure,
            scores=scores,
        )

    def _known(self, digest: str) -> _Known | None:
        known = self._bundles.get(digest)
        if known is None and (bundle := self._find(digest)) is not None:
            known = self._bundles[digest] = _Known(bundle, self._vendors, self._specs.get(bundle.workflow, ()))
        return known


def score_reply(reply: Reply, contract: ContractScorer | None) -> dict[str, float | None]:
    """The scores that cost little, by name."""
    found = dict(_NO_TRAITS)
    for name, is_there in quick_traits(reply).items():
        if is_there:
            found[_FORMAT[name]] = 1.0
    found["characters"] = float(len(reply.text))
    if contract is not None:
        exchange = Exchange(behaviour="", case_id="served", input_digest="", reply=reply)
        for score in contract.score(_NO_CASE, exchange):
            found[score.name] = score.value
    return found


def contract_of(bundle: Bundle) -> ContractScorer | None:
    """The clauses of a bundle's contract; the team's own command is run where a suite is, not on every user's answer."""
    if bundle.contract is None:
        return None
    clauses = bundle.contract.model_copy(update={"command": None})
    if clauses == type(clauses)():
        return None
    return ContractScorer(ScorerSpec(name="contract", type="contract"), ContractSettings(), clauses)
