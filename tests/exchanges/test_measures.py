"""What a look at live traffic needs: the log's own arithmetic, against the plainest there is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from segue.exchanges import ServedExchange
from segue.exchanges.keeping import Keeping, KeepingRules
from segue.exchanges.measures import (
    Coverage,
    Measures,
    Quantiles,
    Sum,
    iterate_pairs,
    measure,
    measure_coverage,
    sum_scores,
)
from segue.exchanges.selection import Selection
from tests.exchanges.builders import HOUR, NOON, a_log, a_shipper, a_spool, an_exchange, drain, fill


def random_exchanges(count: int) -> list[ServedExchange]:
    """Two arms and three slices, with every value unknown now and then."""
    draw = Random(5)

    def perhaps(value: Any) -> Any:
        return value if draw.random() < 0.8 else None

    found = []
    for number in range(count):
        arm = draw.choice(["incumbent", "candidate", "fallback"])
        scores = {"refusal": perhaps(float(draw.random() < 0.2)), "contract": perhaps(float(draw.random() < 0.7))}
        found.append(
            an_exchange(
                number,
                at_ns=NOON + draw.randrange(4) * HOUR,
                arm=arm,
                bundle=draw.choice(["b1", "b2"]),
                unit=perhaps(f"u{draw.randrange(7)}"),
                slices={"lang": lang} if (lang := perhaps(draw.choice(["de", "en"]))) else {},
                status=perhaps(draw.choice([200, 200, 429, 500])),
                failure=draw.choice([None, None, "server"]),
                fallback_from=draw.choice([None, "b3"]),
                latency_ns=perhaps(draw.randrange(10**9)),
                ttft_ns=perhaps(draw.randrange(10**8)),
                input_tokens=perhaps(draw.randrange(900)),
                output_tokens=perhaps(draw.randrange(900)),
                cost_microusd=perhaps(draw.random() * 1000),
                scores={name: value for name, value in scores.items() if draw.random() < 0.9},
            )
        )
    return found


def quantiles(values: Iterable[float | None]) -> Quantiles:
    """By linear interpolation."""
    known = [one for one in values if one is not None]
    if not known:
        return Quantiles(0, None, None, None)
    return Quantiles(len(known), *(float(np.quantile(known, share)) for share in (0.5, 0.95, 0.99)))


def summed(values: Iterable[float | None]) -> Sum:
    """Of those that are known."""
    known = [one for one in values if one is not None]
    return Sum(len(known), float(sum(known)), float(sum(one * one for one in known)))


def plainly(rows: list[ServedExchange], arm: str, bundle: str, key: str, value: str) -> Measures:
    """The measures of one group, in Python."""
    group = [row for row in rows if (row.arm, row.bundle) == (arm, bundle) and (not key or row.slices.get(key) == value)]
    contracts = [row.scores.get("contract") for row in group]
    return Measures(
        arm,
        bundle,
        key,
        value,
        n=len(group),
        stands_for=float(len(group)),
        n_units=len({row.unit for row in group} - {None}),
        n_failed=sum(row.failure is not None or (row.status or 0) >= 400 for row in group),
        n_unended=sum(row.failure is None and row.status is None for row in group),
        n_fallbacks=sum(row.fallback_from is not None for row in group),
        refusals=summed(row.scores.get("refusal") for row in group),
        contract_broken=summed(None if one is None else 1 - one for one in contracts),
        latency_ns=quantiles(row.latency_ns for row in group),
        ttft_ns=quantiles(row.ttft_ns for row in group),
        input_tokens=summed(row.input_tokens for row in group),
        output_tokens=summed(row.output_tokens for row in group),
        reasoning_tokens=summed(row.reasoning_tokens for row in group),
        cost_microusd=summed(row.cost_microusd for row in group),
    )


def spooled_and_shipped(folder: Path, rows: list[ServedExchange], shipped: int) -> None:
    """The first of them archived, the rest still in the spool."""
    spool, shipper = a_spool(folder), a_shipper(folder)
    for number, row in enumerate(rows):
        if number == shipped:
            drain(shipper)
        assert spool.append(row, b"ask", b"say") is not None
        spool.tend()
    shipper.close()
    spool.close()


def flat(one: Measures) -> list[Any]:
    """Its numbers, one after the other."""
    found: list[Any] = []
    for name in Measures.__slots__:
        value = getattr(one, name)
        found += [getattr(value, part) for part in value.__slots__] if isinstance(value, Sum | Quantiles) else [value]
    return found


def test_measures_are_those_of_plain_arithmetic(tmp_path: Path) -> None:
    """Per arm, bundle and slice, between two times, of archived and waiting records alike."""
    rows = random_exchanges(400)
    spooled_and_shipped(tmp_path, rows, 250)
    window = Selection(since_ns=NOON + HOUR, until_ns=NOON + 3 * HOUR)
    for selection in (Selection(), window):
        taken = [row for row in rows if selection.takes(row)]
        found = measure(a_log(tmp_path), selection)
        assert len(found) == 3 * 2 * 3
        assert [(one.slice, one.value) for one in found][:6] == [("", "")] * 6
        for one in found:
            expected = plainly(taken, one.arm, one.bundle, one.slice, one.value)
            assert flat(one) == pytest.approx(flat(expected))


def test_an_empty_group_has_no_mean_and_no_quantile(tmp_path: Path) -> None:
    """Unknown is not zero; nothing at all is no group."""
    assert measure(a_log(tmp_path)) == []
    assert sum_scores(a_log(tmp_path), ["refusal"], block_ns=HOUR) == []
    spooled_and_shipped(tmp_path, [an_exchange()], 1)
    (one,) = measure(a_log(tmp_path))
    assert (one.latency_ns, one.cost_microusd.mean) == (Quantiles(0, None, None, None), None)
    assert (one.n_unended, one.fallback_share, one.failed_share) == (1, 0.0, 0.0)


def test_what_was_sampled_stands_for_what_was_left_out(tmp_path: Path) -> None:
    """A tenth kept stands for ten times as many."""
    spool = a_spool(tmp_path)
    shipper = a_shipper(tmp_path, rules=KeepingRules(Keeping(record_share=0.25)))
    fill(spool, range(80))
    drain(shipper)
    (one,) = measure(a_log(tmp_path))
    assert 0 < one.n < 80
    assert one.stands_for == pytest.approx(4 * one.n)
    shipper.close()
    spool.close()


def test_scores_are_summed_by_block_and_slice(tmp_path: Path) -> None:
    """What is not known is counted, not guessed; a score that nobody gave is unknown everywhere."""
    rows = random_exchanges(300)
    spooled_and_shipped(tmp_path, rows, 200)
    found = sum_scores(a_log(tmp_path), ["contract", "nothing"], block_ns=2 * HOUR)
    assert {one.name for one in found} == {"contract", "nothing"}
    for one in found:
        group = [
            row
            for row in rows
            if (row.arm, row.bundle, row.at_ns // (2 * HOUR) * (2 * HOUR)) == (one.arm, one.bundle, one.block_ns)
            and (not one.slice or row.slices.get(one.slice) == one.value)
        ]
        values = [row.scores.get(one.name) for row in group]
        assert one.sum == summed(values)
        assert one.n_unknown == values.count(None)
    assert sum_scores(a_log(tmp_path), [], block_ns=HOUR) == []


def a_pair(number: int, **given: Any) -> list[ServedExchange]:
    """A served exchange and its shadow, which comes a little later."""
    pair = f"p{number:04d}"
    served = an_exchange(2 * number, arm="incumbent", bundle="old", pair=pair, status=200, **given)
    shadow = an_exchange(2 * number + 1, arm="shadow", bundle="new", pair=pair, at_ns=served.at_ns + 5, status=200)
    return [served, shadow]


def test_pairs_are_put_together_wherever_their_halves_are(tmp_path: Path) -> None:
    """Archived, waiting, or one of each; whichever was written first. Halves alone are passed over."""
    rows = [row for number in range(8) for row in a_pair(number, slices={"lang": "de" if number % 2 else "en"})]
    rows[3], rows[4] = rows[4], rows[3]
    alone = [an_exchange(90, pair="q1"), an_exchange(91, pair="q2", arm="shadow"), an_exchange(92)]
    spooled_and_shipped(tmp_path, [*rows, *alone], 7)
    found = list(iterate_pairs(a_log(tmp_path)))
    assert [one.served.exchange.pair for one in found] == [f"p{number:04d}" for number in range(8)]
    assert {(one.served.exchange.bundle, one.shadow.exchange.bundle) for one in found} == {("old", "new")}
    assert {(one.served.request, one.shadow.response) for one in found} == {(b"ask", b"say")}
    german = list(iterate_pairs(a_log(tmp_path), Selection(slices={"lang": "de"}), with_bodies=False))
    assert len(german) == 4
    assert {one.shadow.request for one in german} == {b""}


def test_coverage_counts_answered_shadows_of_what_was_served(tmp_path: Path) -> None:
    """A shadow that failed covers nothing; where nothing was served, the share is unknown."""
    assert measure_coverage(a_log(tmp_path)) == Coverage(0, 0, 0)
    assert measure_coverage(a_log(tmp_path)).share is None
    rows = [row for number in range(4) for row in a_pair(number)]
    failed = an_exchange(51, arm="shadow", bundle="new", pair="q", failure="timeout")
    spooled_and_shipped(tmp_path, [*rows, an_exchange(50, pair="q"), failed, an_exchange(60)], 5)
    found = measure_coverage(a_log(tmp_path), Selection(workflow="reply", arm="incumbent"))
    assert found == Coverage(6, 5, 4)
    assert found.share == pytest.approx(4 / 6)
    assert measure_coverage(a_log(tmp_path), Selection(bundle="old")) == Coverage(4, 4, 4)
