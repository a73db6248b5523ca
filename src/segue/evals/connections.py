"""Provider connections of one run: opened from `segue.yaml`, asked with manners, each within its own bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from segue.errors import Fault, NotFoundError, ProviderError
from segue.evals.arms import vendor_of_entry
from segue.evals.plan import Call
from segue.model import Bundle, Exchange, Usage
from segue.providers.base import ModelOutcome, ModelRequest, Provider
from segue.providers.clock import Clock
from segue.providers.config import ProviderConfig, open_provider, parse_provider
from segue.providers.pacing import AdaptiveLimiter, Rng, ask_with_manners
from segue.providers.pricing import PriceBook
from segue.providers.scripted_config import ScriptedConfig
from segue.store.base import Store
from segue.workspace import Workspace

RECORDED = "recorded"
"""The provider of imported bundles; it needs no entry in `segue.yaml`."""


@dataclass(frozen=True)
class Connection:
    """One provider with its pace."""

    provider: Provider
    config: ProviderConfig
    limiter: AdaptiveLimiter


class Connections:
    """The providers that a run needs, by name. `prices` are of the day the clock shows, and the same for both arms."""

    def __init__(self, workspace: Workspace, store: Store, *, clock: Clock, rng: Rng) -> None:
        self._workspace, self._store, self._clock, self._rng = workspace, store, clock, rng
        today = datetime.fromtimestamp(clock.wall(), tz=UTC).date()
        self.prices = PriceBook(workspace.config.prices, as_of=today)
        self._open: dict[str, Connection] = {}

    def open(self, names: Iterable[str]) -> None:
        """Open what is not open yet; every missing entry and key is named at once, before anything is asked."""
        faults: list[Fault] = []
        for name in dict.fromkeys(names):
            if name in self._open:
                continue
            try:
                self._open[name] = self._connect(name)
            except (ProviderError, NotFoundError) as error:
                faults.extend(error.faults)
        if faults:
            raise ProviderError("A provider cannot be asked.", faults=faults)

    def _connect(self, name: str) -> Connection:
        entries = self._workspace.config.providers
        if name in entries:
            config = parse_provider(name, entries[name])
        elif name == RECORDED:
            config = parse_provider(name, {"type": RECORDED})
        else:
            raise NotFoundError.naming("provider", name, entries, fix="Add it under providers: in segue.yaml.")
        provider = open_provider(
            name,
            config,
            environ=self._workspace.environ,
            clock=self._clock,
            prices=self.prices,
            recordings=self._recorded,
        )
        return Connection(provider, config, AdaptiveLimiter(config.max_concurrency, self._clock))

    def concurrency(self) -> int:
        """How many calls may be under way at most, all providers together."""
        return sum(connection.config.max_concurrency for connection in self._open.values())

    def concurrency_of(self, name: str) -> int:
        """How many calls to one provider may be under way; a few where it is not open and will not be asked."""
        return self._open[name].config.max_concurrency if name in self._open else 8

    async def ask(self, call: Call, request: ModelRequest) -> ModelOutcome:
        """Ask the call's provider: retried, paced, and never an exception for what the provider does."""
        return await self.ask_provider(call.bundle.model.provider, request)

    async def ask_provider(self, name: str, request: ModelRequest) -> ModelOutcome:
        """The same of a provider by name."""
        connection = self._open[name]
        return await ask_with_manners(
            connection.provider, request, connection.limiter, self._clock, self._rng, connection.config.retries
        )

    def price(self, bundle: Bundle, usage: Usage) -> float | None:
        """What a call of this usage costs, in millionths of a dollar; `None` where the price is unknown."""
        return self.price_of(bundle.model.provider, bundle.model.snapshot, usage)

    def price_of(self, provider: str, snapshot: str, usage: Usage) -> float | None:
        """The same of any model of an open provider."""
        config = self._open[provider].config
        if isinstance(config, ScriptedConfig):
            model = config.models.get(snapshot)
            if model is None or model.price is None:
                return None
            price = model.price
            return (usage.input_tokens or 0) * price.input_usd_per_mtok + (usage.output_tokens or 0) * price.output_usd_per_mtok
        if config.type == RECORDED:
            return 0.0
        vendor = vendor_of_entry(self._workspace.config.providers[provider])
        return self.prices.cost(vendor, snapshot, usage).microusd

    def list_price(self, bundle: Bundle, usage: Usage) -> float | None:
        """The same for a bundle whose provider need not be reachable, such as an imported one."""
        entry = self._workspace.config.providers.get(bundle.model.provider, {})
        if entry.get("type") == "scripted":
            self.open([bundle.model.provider])
            return self.price(bundle, usage)
        return self.prices.cost(vendor_of_entry(entry), bundle.model.snapshot, usage).microusd

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._open.values():
            await connection.provider.close()
        self._open.clear()

    def _recorded(self, recording: str, case_id: str, repeat: int) -> Exchange | None:
        """An imported exchange by its bundle's label or digest."""
        for workflow in self._workspace.workflows:
            digest = self._store.labels(workflow).get(recording)
            if digest is None:
                continue
            behaviour = self._store.get_bundle(digest).bundle.behaviour
            for exchange in self._store.iter_exchanges(behaviour, case_ids=[case_id]):
                if exchange.repeat == repeat:
                    return exchange
        return None
