"""The drift report of live traffic: shadow pairs of the exchange log, read one after the other and judged by `segue.drift`.

Two passes: the first finds beyond which latency an answer is slow, the second looks at the answers. Memory does not grow with
the number of pairs. Both arms are held to one contract, the one downstream relies on: the incumbent's.
Examples: `drift_report_examples.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from segue.drift.drift_report import DriftReport
from segue.drift.gathering import Gathering
from segue.drift.live_pair import LivePair, Side
from segue.drift.moves import About, judge_drift
from segue.drift.questions import TAIL
from segue.evidence.quantiles import Spread
from segue.exchanges.measures import Pair, iterate_pairs
from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import Logged, ServedExchange
from segue.exchanges.selection import Selection
from segue.gateway.decoded import decode_answer
from segue.model import Bundle, Case, Contract, Exchange, Reply, ScorerSpec
from segue.providers.dialects import DIALECTS
from segue.scoring.contract import ContractScorer, ContractSettings

NS = 1_000_000_000
NO_EVIDENCE = ("probe", "eval")
"""Tags of traffic that nobody asked for."""
REPLAYED = "segue-replay"
"""The attribute that says of which replay a request is, and of which record of it."""
_NO_CASE = Case(case_id="served", messages=())
_KEEPS = {
    "digest": "the workflow keeps digests of bodies only (serving: keep)",
    "none": "the workflow keeps no bodies (serving: keep)",
    "sampled_out": "the workflow keeps the bodies of a share of its exchanges (serving: keep_bodies_share)",
    "cut": "the answers were too long to be kept whole",
}


@dataclass(frozen=True)
class DriftScope:
    """Whose pairs, since when. `slices` are those that the workflow declares; `incumbent` and `candidate` are digests."""

    workflow: str
    environment: str
    incumbent: str
    candidate: str
    since_ns: int | None = None
    until_ns: int | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    slices: frozenset[str] = frozenset()
    replay: str | None = None
    """The pairs of this replay alone."""


@dataclass(frozen=True)
class DriftReader:
    """Reads pairs of one log. `enrich` works out what a record that was not shipped yet does not say; `find` gives bundles."""

    log: ExchangeLog
    find: Callable[[str], Bundle | None] = lambda _digest: None
    enrich: Callable[[Logged], Logged] = lambda logged: logged
    progress: Callable[[int], None] = lambda _n: None

    def report(self, scope: DriftScope) -> DriftReport:
        """What moved between the two bundles, without examples."""
        return judge_drift(*self.gathered(scope))

    def gathered(self, scope: DriftScope, watch: Callable[[LivePair], None] = lambda _pair: None) -> tuple[Gathering, About]:
        """All pairs added up; `watch` sees each of them pass."""
        slow_ms = self._slow_ms(scope)
        contract = self._contract(scope)
        gathering, times, keeps = Gathering(slow_ms), [0, 0], ""
        for pair in self.pairs(scope):
            served = pair.served.exchange
            times = [min(times[0] or served.at_ns, served.at_ns), max(times[1], served.at_ns)]
            keeps = keeps or _why_without(pair)
            live = self.live_pair(pair, scope, contract)
            gathering.add(live)
            watch(live)
            if gathering.n_pairs % 500 == 0:
                self.progress(gathering.n_pairs)
        about = About(
            workflow=scope.workflow,
            environment=scope.environment,
            incumbent=scope.incumbent,
            candidate=scope.candidate,
            begins_at=times[0] / NS if times[0] else None,
            ends_at=times[1] / NS if times[1] else None,
            without_body=keeps,
        )
        return gathering, about

    def pairs(self, scope: DriftScope, *, with_bodies: bool = True) -> Iterator[Pair]:
        """Pairs of these two bundles that somebody waited for to the end."""
        selection = Selection(
            workflow=scope.workflow,
            environment=scope.environment,
            since_ns=scope.since_ns,
            until_ns=scope.until_ns,
            without_tags=NO_EVIDENCE,
        )
        for pair in iterate_pairs(self.log, selection, with_bodies=with_bodies):
            served, shadow = pair.served.exchange, pair.shadow.exchange
            if (served.bundle, shadow.bundle) != (scope.incumbent, scope.candidate) or served.failure == "client gone":
                continue
            if scope.replay is not None and not served.attributes.get(REPLAYED, "").startswith(f"{scope.replay}:"):
                continue
            slices = slices_of(served, scope.slices)
            if all(slices.get(name) == value for name, value in scope.where.items()):
                yield pair

    def live_pair(self, pair: Pair, scope: DriftScope, contract: ContractScorer | None) -> LivePair:
        """A pair as it is looked at."""
        served = pair.served.exchange
        return LivePair(
            pair=served.pair or served.id,
            old=self._side(pair.served, contract),
            new=self._side(pair.shadow, contract),
            slices=slices_of(served, scope.slices),
            unit=served.unit,
        )

    def _side(self, logged: Logged, contract: ContractScorer | None) -> Side:
        if logged.exchange.response.kept == "full" and (not logged.exchange.scores or logged.exchange.cost_microusd is None):
            # Not shipped yet, or by the gateway of another environment, which does not know this bundle.
            logged = self.enrich(logged)
        exchange = logged.exchange
        failed = has_failed(exchange)
        reply = None if failed else reply_of(logged)
        held = exchange.scores.get("contract")
        if reply is not None and contract is not None:
            held = contract.score(_NO_CASE, Exchange(behaviour="", case_id="served", input_digest="", reply=reply))[0].value
        return Side(
            reply=reply,
            failed=failed,
            contract=held,
            latency_ms=None if exchange.latency_ns is None else exchange.latency_ns / 1e6,
            ttft_ms=None if exchange.ttft_ns is None else exchange.ttft_ns / 1e6,
            cost_microusd=exchange.cost_microusd,
            output_tokens=exchange.output_tokens,
            scores=exchange.scores,
        )

    def _slow_ms(self, scope: DriftScope) -> float | None:
        """The quantile of both arms together: where nothing changed, either one is as likely beyond it."""
        spread = Spread()
        for pair in self.pairs(scope, with_bodies=False):
            both = pair.served.exchange.latency_ns, pair.shadow.exchange.latency_ns
            if both[0] is not None and both[1] is not None:
                spread.extend((max(0, both[0]) / 1e6, max(0, both[1]) / 1e6))
        found = spread.quantile(TAIL)
        return None if found is None else found.value

    def _contract(self, scope: DriftScope) -> ContractScorer | None:
        """Of the incumbent; of the candidate where that has none. The team's own command is the integration's."""
        for digest in (scope.incumbent, scope.candidate):
            bundle = self.find(digest)
            if bundle is not None and bundle.contract is not None:
                clauses = bundle.contract.model_copy(update={"command": None})
                if clauses != Contract():
                    return ContractScorer(ScorerSpec(name="contract", type="contract"), ContractSettings(), clauses)
        return None


def slices_of(exchange: ServedExchange, declared: frozenset[str]) -> dict[str, str]:
    """What the application says of a request, as far as the workflow declares it a slice; and what the log knows itself."""
    said = {name: value for name, value in exchange.attributes.items() if name in declared}
    return {**said, **exchange.slices}


def has_failed(exchange: ServedExchange) -> bool | None:
    """Whether the bundle gave no answer. One that another bundle answered for has failed; `None`: it is not known."""
    if exchange.failure is not None or (exchange.status is not None and exchange.status >= 400):
        return True
    if exchange.answered_by is not None and exchange.answered_by != exchange.bundle:
        return True
    return None if exchange.status is None else False


def reply_of(logged: Logged) -> Reply | None:
    """What an exchange says, where its body was kept whole and can be read."""
    dialect = logged.exchange.dialect_out
    if logged.exchange.response.kept != "full" or dialect is None or dialect not in DIALECTS:
        return None
    return decode_answer(dialect, logged.response).reply


def newest_scope(log: ExchangeLog, scope: DriftScope) -> DriftScope | None:
    """The same of the two bundles that were shadowed last; `None` where nothing was."""
    selection = Selection(workflow=scope.workflow, environment=scope.environment, arm="shadow", since_ns=scope.since_ns)
    for shadow in log.newest(selection, 50):
        served = log.find(shadow.exchange.pair or "")
        if served is not None:
            return replace(scope, incumbent=served.exchange.bundle, candidate=shadow.exchange.bundle)
    return None


def _why_without(pair: Pair) -> str:
    for logged in (pair.served, pair.shadow):
        if not has_failed(logged.exchange) and (why := _KEEPS.get(logged.exchange.response.kept)):
            return why
    return ""
