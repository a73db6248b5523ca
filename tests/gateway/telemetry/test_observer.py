"""Exchanges on their way to the archive, told of once they are there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.errors import StoreError
from segue.exchanges.record import Logged
from segue.exchanges.shipper import Shipped, Shipper, ShipSettings, ship_forever
from segue.gateway.telemetry import observer as module
from segue.gateway.telemetry.lines import Happened, LineWriter
from segue.gateway.telemetry.observer import Observer
from segue.gateway.telemetry.settings import TelemetrySettings
from segue.gateway.telemetry.sums import Sums
from tests.exchanges.builders import NOON, Clock, a_spool
from tests.exchanges.builders import an_exchange as a_spooled
from tests.gateway.telemetry.builders import a_log

METRICS = TelemetrySettings(("127.0.0.1", 0))


class Heard(list[Sums | Happened]):
    """What came to the keeper."""

    @property
    def n(self) -> float:
        """Exchanges counted in all."""
        sums = [one for one in self if isinstance(one, Sums)]
        return sum(n for one in sums for (name, _), n in one.counts.items() if name == "segue_exchanges_total")

    @property
    def events(self) -> list[str]:
        """What happened, in order."""
        return [one.event for one in self if isinstance(one, Happened)]


def an_observer(heard: Heard, settings: TelemetrySettings = METRICS, descriptor: int = -1) -> Observer:
    """One that counts."""
    return Observer(settings, version="1", say=heard.append, lines=LineWriter(descriptor, lambda: NOON), wall_ns=lambda: NOON)


def as_it_is(logged: Logged) -> Logged:
    """Nothing more to say."""
    return logged


def test_what_was_shipped_is_counted_once_it_is_committed() -> None:
    """A step that fails is made again, and counts once."""
    heard = Heard()
    observer = an_observer(heard)
    enrich = observer.noting(as_it_is)
    enrich(a_log())
    observer.told(OSError("no room"))
    assert heard.n == 0
    enrich(a_log())
    enrich(a_log(id="x2"))
    observer.told(Shipped())
    observer.told(Shipped())
    assert heard.n == 2
    assert heard.events == ["shipping_fails", "shipping_works"]


def test_an_exchange_that_cannot_be_read_is_counted_all_the_same() -> None:
    """As it is; and the shipper hears that it could not be read."""

    def fails(_logged: Logged) -> Logged:
        raise ValueError("no sense in it")

    heard = Heard()
    observer = an_observer(heard)
    with pytest.raises(ValueError, match="no sense"):
        observer.noting(fails)(a_log())
    observer.told(Shipped())
    assert heard.n == 1


def test_a_whole_spool_is_counted_however_often_shipping_fails(tmp_path: Path) -> None:
    """With the shipper itself: killed after each of its moments once, then let through."""
    spool = a_spool(tmp_path)
    for number in range(40):
        spool.append(a_spooled(number), b"ask", b"say")
    spool.close()
    heard = Heard()
    observer = an_observer(heard)
    enrich = observer.noting(as_it_is)
    left = ["read", "written", "renamed"]

    def reached(point: str) -> None:
        if point in left:
            left.remove(point)
            raise StoreError("Killed here.", fix="Try again.")

    shipper = Shipper(
        tmp_path / "spool", tmp_path / "archive", clock=Clock(), settings=ShipSettings(enrich=enrich), reached=reached
    )
    rounds = iter(range(6))
    ship_forever(shipper, wait=lambda: next(rounds, None) is not None, told=observer.told)
    shipper.close()
    assert not left
    assert heard.n == 40


def test_the_access_log_has_a_line_for_each(capfd: pytest.CaptureFixture[str]) -> None:
    """And none without being asked for."""
    ours, theirs = os.pipe()
    for settings in (TelemetrySettings(log="access"), TelemetrySettings(("127.0.0.1", 0), log="json")):
        observer = an_observer(Heard(), settings, theirs)
        enrich = observer.noting(as_it_is)
        for number in range(3):
            enrich(a_log(id=f"x{number}"))
        observer.told(Shipped())
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        assert [json.loads(line)["id"] for line in pipe] == ["x0", "x1", "x2"]
    assert capfd.readouterr() == ("", "")


def test_with_nothing_asked_for_nothing_is_noted() -> None:
    """The shipper's own function is used as it is."""
    assert an_observer(Heard(), TelemetrySettings(log="json")).noting(as_it_is) is as_it_is


def test_whatever_goes_wrong_here_shipping_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is told by its type: its message may hold what the exchange held. The next batch is told as ever."""

    def fails(*_: object) -> Sums:
        raise KeyError("SECRET")

    heard = Heard()
    observer = an_observer(heard)
    enrich: Callable[[Logged], Logged] = observer.noting(as_it_is)
    with monkeypatch.context() as patched:
        patched.setattr(module, "tally", fails)
        enrich(a_log())
        observer.told(Shipped())
    assert heard.events == ["telemetry_fails"]
    assert "SECRET" not in str(heard)
    enrich(a_log())
    observer.told(Shipped())
    assert heard.n == 1
