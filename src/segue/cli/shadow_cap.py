"""`--shadow-usd-per-day`: shadow's cap in money, and the check that what it caps has a price."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from segue.cli.desk import Desk

shadow_cap_option = click.option(
    "--shadow-usd-per-day",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="What shadow may cost a day (UTC); beyond it, requests are not mirrored.",
)


def shadow_rule(desk: Desk, share: float | None, usd_per_day: float | None, candidate: str | None) -> dict[str, Any] | None:
    """The route's `shadow`, if any. `InputError` where the candidate's model has no price: such a cap would stop all of it."""
    if not share:
        if usd_per_day is not None:
            raise click.UsageError("--shadow-usd-per-day caps a shadow, and there is none. Add --shadow 100%.")
        return None
    if usd_per_day is None:
        return {"share": share}
    if candidate is not None:
        _check_price(desk, candidate)
    return {"share": share, "usd_per_day": usd_per_day}


def _check_price(desk: Desk, digest: str) -> None:
    from segue.errors import Fault, InputError
    from segue.providers.config import parse_provider, vendor_of_provider
    from segue.providers.pricing import PriceBook

    bundle = desk.store.get_bundle(digest).bundle
    config = desk.workspace.config
    entry = config.providers.get(bundle.model.provider)
    vendor = None if entry is None else vendor_of_provider(parse_provider(bundle.model.provider, entry))
    book = PriceBook(config.prices, as_of=date.fromisoformat(desk.now()[:10]))
    why = book.why_unknown(vendor, bundle.model.snapshot)
    if why is not None:
        what = f"Shadow cannot be capped in money: the price of {bundle.model.snapshot} is {why.partition(';')[0]}."
        fix = f"Name it in segue.yaml: prices: {{{bundle.model.snapshot}: {{input_usd_per_mtok: …, output_usd_per_mtok: …}}}}."
        fault = Fault(what=what, fix=fix, file="segue.yaml", path=f"prices.{bundle.model.snapshot}")
        raise InputError.from_faults([fault], subject="the route")
