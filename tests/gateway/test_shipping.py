"""Shipping inside the gateway: what routes ask of the log holds from the moment they do, and how often it goes to work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.exchanges.batch import PIECE_FRAMES
from segue.exchanges.record import BodyNote, Logged, ServedExchange
from segue.exchanges.shipper import Shipped, Shipper, ShipSettings
from segue.gateway.last_known import KnownRevision, LastKnown, save_last_known
from segue.gateway.shipping import WORTH_BYTES, Known, Pace, ShippingSettings, _ship
from segue.gateway.telemetry.lines import LineWriter
from segue.gateway.telemetry.observer import Observer
from segue.model import Bundle, ModelRef
from segue.model.route import Route
from segue.model.serving import Serving
from segue.providers.pricing import ModelPrice
from tests.exchanges.builders import DAY, Clock, a_log, a_spool, drain, fill
from tests.gateway.wiring import a_bundle


def write_routes(folder: Path, clock: Clock, **serving: Any) -> Path:
    """The last known route of `reply`, which asks this of the log."""
    bundle = Bundle(workflow="reply", model=ModelRef(provider="here", snapshot="m-1"))
    revision = KnownRevision(
        revision=1, route=Route(workflow="reply", incumbent=bundle.digest), author="ada", reason="r", at="t"
    )
    known = LastKnown(
        environment="production",
        revisions=(revision,),
        bundles={bundle.digest: bundle},
        servings={"reply": Serving(**serving)},
    )
    path = folder / "last-known.json"
    save_last_known(path, known)
    return path


def test_what_a_later_route_asks_of_the_log_holds_too(tmp_path: Path) -> None:
    """A share and days that were written into a workflow while the gateway ran: no restart, and no record kept too long."""
    clock = Clock()
    path = tmp_path / "last-known.json"
    known = Known(path, clock)
    spool = a_spool(tmp_path, total_bytes=1 << 30)
    shipper = Shipper(tmp_path / "spool", tmp_path / "archive", clock=clock, settings=ShipSettings(known.rules))
    fill(spool, range(100))
    drain(shipper)
    assert a_log(tmp_path).recount().archived == 100, "nothing is known of any route: all is kept"
    write_routes(tmp_path, clock, keep_share=0.5, keep_bodies_share=0.0, keep_days=2)
    fill(spool, range(100, 300))
    drain(shipper)
    recount = a_log(tmp_path).recount()
    assert 60 < recount.sampled_out < 140
    assert recount.appended == 300
    later = [row for row in a_log(tmp_path).iterate() if row.exchange.id >= "x000100"]
    assert {(row.kept_share, row.exchange.request.kept, row.request) for row in later} == {(0.5, "sampled_out", b"")}
    clock.now += 3 * DAY
    shipper.tidy()
    recount = a_log(tmp_path).recount()
    assert (recount.readable, recount.appended) == (0, 300)
    shipper.close()
    spool.close()


def test_what_another_environment_serves_is_known_to_whoever_ships_for_both(tmp_path: Path) -> None:
    """Staging's candidate is in no route of production; its exchanges have tokens, prices and scores all the same."""
    old, new = a_bundle("old"), a_bundle("new")
    price = ModelPrice(input_usd_per_mtok=1.0, output_usd_per_mtok=1.0)
    entry = {"type": "openai", "base_url": "http://127.0.0.1:1/v1"}
    prices = {"old-1": price, "new-1": price}
    for environment, bundle in (("production", old), ("staging", new)):
        providers = {bundle.model.provider: entry}
        found = LastKnown(environment=environment, bundles={bundle.digest: bundle}, providers=providers, prices=prices)
        save_last_known(tmp_path / f"last-known-{environment}.json", found)
    (tmp_path / "last-known-broken.json").write_text("{")
    known = Known(tmp_path / "last-known-production.json", Clock())
    body = b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 2, "completion_tokens": 3}}'
    for bundle in (old, new):
        served = ServedExchange(
            "x", 1, "mail", bundle=bundle.digest, dialect_out="openai", status=200, response=BodyNote("full", len(body))
        )
        assert known.enrich(Logged(served, b"", body)).exchange.cost_microusd == 5.0


@pytest.mark.parametrize(
    ("n_bytes", "seconds"),
    [(0, 4.0), (1, 4.0), (WORTH_BYTES // 2, 2.0), (WORTH_BYTES, 1.0), (WORTH_BYTES * 100, 1.0)],
)
def test_the_less_there_is_the_longer_it_waits(n_bytes: int, seconds: float) -> None:
    """A round writes files and commits: it should find something to do."""
    pace = Pace(4.0)
    pace.told(Shipped(n_bytes=n_bytes))
    assert pace.next_s() == pytest.approx(seconds)
    pace.told(OSError("no space"))
    assert pace.next_s() == 4.0, "a failure carried nothing"


@pytest.mark.parametrize("n_bytes", [0, 1, WORTH_BYTES * 100])
def test_no_round_waits_longer_than_asked(n_bytes: int) -> None:
    """`gateway.ship_within_s` holds whatever comes, also where it is less than a round would usually wait."""
    pace = Pace(0.5)
    pace.told(Shipped(n_bytes=n_bytes))
    assert pace.next_s() == 0.5


def test_shipping_lets_others_run_while_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process as the gateway runs it, told to end at once: it ships what there is, and yields over that."""
    n_let = 0

    def let() -> None:
        nonlocal n_let
        n_let += 1

    monkeypatch.setattr("segue.gateway.shipping.let_others_run", let)
    monkeypatch.setattr("segue.gateway.shipping.keep_memory", lambda _: None)  # of a process of its own, not of this one
    clock = Clock()
    spool = a_spool(tmp_path, total_bytes=1 << 30)
    fill(spool, range(80))
    spool.close()
    settings = ShippingSettings(tmp_path / "last-known.json", tmp_path / "spool", tmp_path / "archive")
    write_routes(tmp_path, clock)
    observer = Observer(settings.telemetry, version="0", say=lambda _: None, lines=LineWriter(2, clock), wall_ns=clock)
    _ship(settings, observer, lambda _: None, lambda _seconds: False)
    observer.close()
    assert a_log(tmp_path).recount().archived == 80
    assert n_let >= 80 // PIECE_FRAMES
