"""What serving would cost in a month, per bundle, from what requests have cost so far. Pure.

A projection is a mean times a rate, and says on how many requests it rests and what it does not know. No price, no projection:
unknown is never zero. The figures come from `segue.exchanges.measures`; who shows them is `segue status`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segue.exchanges.measures import Measures

DAYS = 30.4375
"""Of a month: a twelfth of 365.25."""
DAY_S = 86_400.0
COVERED = 0.95
"""Below this share of priced requests the projection says how few it rests on."""
Z = 1.96


@dataclass(frozen=True, slots=True)
class BundleCost:
    """What one bundle would cost if it served all requests of the workflow. US dollars a month; `None` is unknown.

    `low` and `high`: 95 % for the mean cost of a request; that traffic goes on as it was is assumed. `so_far_usd` was spent on
    live traffic, as far as prices are known.
    """

    bundle: str
    n: int
    n_priced: int
    usd_per_request: float | None
    usd_per_month: float | None
    low: float | None
    high: float | None
    so_far_usd: float | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Projection:
    """All bundles, and how many requests a day they were worked out for."""

    requests_per_day: float | None
    bundles: tuple[BundleCost, ...]
    unknown: tuple[str, ...] = ()

    def of(self, bundle: str) -> BundleCost | None:
        """One of them."""
        return next((one for one in self.bundles if one.bundle == bundle), None)


def project_month(measures: Iterable[Measures], span_s: float, *, bundles: Sequence[str] = ()) -> Projection:
    """From the measures of a stretch of `span_s` seconds. `bundles` are named also where they had no request at all.

    Shadow is a cost of the bundle that was asked, and no request of the workflow. Only the whole (`slice == ""`) is looked at.
    """
    whole = [one for one in measures if not one.slice]
    served = sum(one.stands_for for one in whole if one.arm != "shadow")
    unknown: list[str] = []
    rate: float | None = None
    if span_s <= 0:
        unknown.append("No time has passed yet, so requests a day are not known.")
    elif not served:
        unknown.append("Nothing was served, so requests a day are not known.")
    else:
        rate = served / span_s * DAY_S
        if span_s < DAY_S:
            unknown.append(f"Requests a day are projected from {span_s / 3600:.1f} hours, less than a day.")
    found = dict.fromkeys((*bundles, *(one.bundle for one in whole)))
    return Projection(rate, tuple(_cost_of(name, whole, rate) for name in found), tuple(unknown))


def _cost_of(bundle: str, whole: Sequence[Measures], rate: float | None) -> BundleCost:
    own = [one for one in whole if one.bundle == bundle]
    n, priced = sum(one.n for one in own), sum(one.cost_microusd.n for one in own)
    if not priced:
        why = "It has answered nothing yet." if not n else f"The cost of none of its {n:,} requests is known."
        return BundleCost(bundle, n, 0, None, None, None, None, None, (why,))
    total = sum(one.cost_microusd.total for one in own) / 1e6
    squares = sum(one.cost_microusd.squares for one in own) / 1e12
    mean = total / priced
    unknown = []
    if priced < COVERED * n:
        unknown.append(
            f"The cost of {n - priced:,} of its {n:,} requests is not known; those are taken to cost like the others."
        )
    if priced < 2:
        half = None
        unknown.append("One request says nothing of how costs spread.")
    else:
        half = Z * math.sqrt(max(0.0, squares - priced * mean * mean) / (priced - 1) / priced)
    month = None if rate is None else rate * DAYS
    return BundleCost(
        bundle=bundle,
        n=n,
        n_priced=priced,
        usd_per_request=mean,
        usd_per_month=None if month is None else mean * month,
        low=None if month is None or half is None else max(0.0, mean - half) * month,
        high=None if month is None or half is None else (mean + half) * month,
        so_far_usd=total,
        unknown=tuple(unknown),
    )
