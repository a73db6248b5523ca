"""The memory store's gateways."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from segue.store.encoding import check_texts
from segue.store.gateways import FORGET_S, GatewaySaid, GatewaySeen, said_as_json, said_from_json


class MemoryGateways:
    """What each said last, and when. The store that this is a part of has the lock; the clock is handed in."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[str, tuple[GatewaySaid, float]] = {}

    @abstractmethod
    def _open(self) -> AbstractContextManager[Any]: ...

    def tell_gateway(self, said: GatewaySaid) -> None:
        check_texts(name=said.name, environment=said.environment)
        with self._open():
            now = self._clock()
            self._told[said.name] = said_from_json(said_as_json(said)), now
            self._told = {name: one for name, one in self._told.items() if now - one[1] <= FORGET_S}

    def list_gateways(self, environment: str | None = None) -> list[GatewaySeen]:
        with self._open():
            now = self._clock()
            return [
                GatewaySeen(said, now - at)
                for _, (said, at) in sorted(self._told.items())
                if environment in (None, said.environment) and now - at <= FORGET_S
            ]

    def forget_gateway(self, name: str) -> None:
        with self._open():
            self._told.pop(name, None)
