"""The monthly projection: a mean times a rate, and what is not known said."""

from __future__ import annotations

from typing import Any

import pytest

from segue.controller.projection import DAYS, project_month
from segue.exchanges.measures import Measures, Quantiles, Sum

NONE = Sum(0, 0.0, 0.0)
QUICK = Quantiles(0, None, None, None)


def measures(bundle: str, costs: list[float], *, n: int | None = None, arm: str = "incumbent", **given: Any) -> Measures:
    """So many requests, each with its cost; `n` says how many more there were without one."""
    count = len(costs) if n is None else n
    values: dict[str, Any] = {
        "arm": arm,
        "bundle": bundle,
        "slice": "",
        "value": "",
        "n": count,
        "stands_for": float(count),
        "n_units": count,
        "n_failed": 0,
        "n_unended": 0,
        "n_fallbacks": 0,
        **dict.fromkeys(("refusals", "contract_broken", "input_tokens", "output_tokens", "reasoning_tokens"), NONE),
        "latency_ns": QUICK,
        "ttft_ns": QUICK,
        "cost_microusd": Sum(len(costs), sum(costs), sum(one * one for one in costs)),
    }
    return Measures(**{**values, **given})


def test_each_bundle_is_projected_to_all_requests() -> None:
    """Whatever share it serves now."""
    found = project_month([measures("old", [100.0] * 90), measures("new", [300.0] * 10, arm="candidate")], 86_400.0)
    old, new = found.of("old"), found.of("new")
    assert old is not None
    assert new is not None
    assert found.requests_per_day == 100
    assert old.usd_per_month == pytest.approx(100 * DAYS * 100e-6)
    assert new.usd_per_month == pytest.approx(100 * DAYS * 300e-6)
    assert new.low == pytest.approx(new.high)


def test_the_interval_widens_with_the_spread_of_costs() -> None:
    """At one mean."""
    (spread,) = project_month([measures("old", [50.0, 150.0] * 50)], 86_400.0).bundles
    assert spread.low is not None
    assert spread.high is not None
    assert spread.usd_per_month is not None
    assert spread.low < spread.usd_per_month < spread.high


def test_sampled_traffic_is_counted_as_what_it_stands_for() -> None:
    """One kept in ten is ten a day."""
    found = project_month([measures("old", [100.0] * 10, stands_for=100.0)], 86_400.0)
    assert found.requests_per_day == 100


def test_shadow_is_no_request_and_slices_are_no_second_traffic() -> None:
    """But the candidate's cost is known from it."""
    rows = [
        measures("old", [100.0] * 10),
        measures("new", [200.0] * 10, arm="shadow"),
        measures("old", [100.0] * 10, slice="lang", value="de"),
    ]
    found = project_month(rows, 86_400.0)
    new = found.of("new")
    assert new is not None
    assert found.requests_per_day == 10
    assert new.usd_per_request == pytest.approx(200e-6)


@pytest.mark.parametrize(
    ("costs", "n", "told"),
    [
        ([], 0, "It has answered nothing yet."),
        ([], 5, "The cost of none of its 5 requests is known."),
        ([1.0] * 4, 10, "The cost of 6 of its 10 requests is not known; those are taken to cost like the others."),
        ([1.0], 1, "One request says nothing of how costs spread."),
    ],
    ids=["none", "unpriced", "partly", "one"],
)
def test_what_is_not_known_is_said(costs: list[float], n: int, told: str) -> None:
    """And is never zero."""
    (found,) = project_month([measures("old", costs, n=n)], 86_400.0).bundles
    assert found.unknown == (told,)
    assert (found.usd_per_month is None) == (not costs)


@pytest.mark.parametrize("span_s", [0.0, -5.0], ids=["none", "backwards"])
def test_without_time_there_is_no_rate(span_s: float) -> None:
    """And so no month."""
    found = project_month([measures("old", [1.0, 2.0])], span_s)
    assert (found.requests_per_day, found.bundles[0].usd_per_month) == (None, None)
    assert found.unknown


def test_a_bundle_that_served_nothing_is_named_when_it_is_asked_for() -> None:
    """The screen has a line for it."""
    found = project_month([measures("old", [1.0, 2.0])], 86_400.0, bundles=("old", "new"))
    assert [one.bundle for one in found.bundles] == ["old", "new"]
    assert found.bundles[1].usd_per_month is None


def test_less_than_a_day_is_said_to_be_less() -> None:
    """An hour at noon is no day."""
    assert "1.0 hours" in project_month([measures("old", [1.0, 2.0])], 3600.0).unknown[0]
