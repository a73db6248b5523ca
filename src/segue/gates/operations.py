"""Latency, tokens and cost of both arms side by side, against each other and against the workflow's own budgets."""

from __future__ import annotations

from dataclasses import dataclass

from segue.evidence.quantiles import Quantile, Spread
from segue.gates.verdict import Reason
from segue.model import Budgets, GateSettings

EXTREME = 20.0
"""A value beyond this many times the median is an extreme outlier: it is counted, and never left out of a quantile."""

SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Amounts:
    """One quantity on one arm. `None` where nothing was recorded: unknown, not zero."""

    n: int
    mean: float | None
    p50: Quantile | None
    p95: Quantile | None
    p99: Quantile | None
    largest: float | None
    n_extreme: int | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One quantity on both arms. `ratio` is new over old: of means for cost and tokens, of medians for times."""

    name: str
    unit: str
    old: Amounts
    new: Amounts
    ratio: float | None
    ratio_p95: float | None


def describe_amounts(spread: Spread | None) -> Amounts:
    """Quantiles of one arm."""
    if spread is None or not spread.n:
        return Amounts(0, None, None, None, None, None, None)
    p50, p95, p99 = (spread.quantile(share) for share in SHARES)
    extreme = None if p50 is None or p50.value <= 0 else spread.count_above(EXTREME * p50.value)
    return Amounts(spread.n, spread.mean, p50, p95, p99, spread.largest, extreme)


def compare_amounts(name: str, unit: str, old: Spread | None, new: Spread | None) -> Operation:
    """Set both arms of one quantity side by side."""
    before, after = describe_amounts(old), describe_amounts(new)
    if unit == "ms":
        ratio = _ratio(before.p50.value if before.p50 else None, after.p50.value if after.p50 else None)
    else:
        ratio = _ratio(before.mean, after.mean)
    p95 = _ratio(before.p95.value if before.p95 else None, after.p95.value if after.p95 else None)
    return Operation(name, unit, before, after, ratio, p95)


def _tail_is_slower(latency: Operation, ratio: float) -> bool:
    """Whether p95 is `ratio` times what it was, and the two intervals do not meet: a tail of few calls is mostly chance."""
    old, new = latency.old.p95, latency.new.p95
    if old is None or new is None or latency.ratio_p95 is None or latency.ratio_p95 < ratio:
        return False
    return old.high is not None and new.low is not None and new.low > old.high


def _ratio(old: float | None, new: float | None) -> float | None:
    return None if old is None or new is None or old <= 0 else new / old


def judge_operations(
    operations: dict[str, Operation], budgets: Budgets, settings: GateSettings, *, signed_off: bool
) -> list[Reason]:
    """Reasons from cost and latency: absolute budgets, and the incumbent's level.

    A budget whose quantity was not recorded holds: silence never passes a gate.
    """
    reasons: list[Reason] = []
    cost = operations.get("cost")
    if cost is not None and cost.ratio is not None and cost.ratio >= settings.cost_ratio_sign_off and not signed_off:
        reasons.append(
            Reason(
                "hold",
                "cost-sign-off",
                f"A request costs {cost.ratio:.1f} times what it did; from {settings.cost_ratio_sign_off:g} times on, "
                "a named person signs for it.",
                "Run again with --sign-off 'NAME: reason', or lower the cost.",
                "cost",
            )
        )
    if cost is not None and cost.old.n and not cost.new.n:
        reasons.append(
            Reason(
                "caution",
                "cost-unknown",
                "What the incumbent costs is known, and what the candidate costs is not.",
                "Name the candidate's price under prices: in segue.yaml.",
                "cost",
            )
        )
    latency = operations.get("latency")
    if latency is not None and _tail_is_slower(latency, settings.latency_ratio_caution):
        reasons.append(
            Reason(
                "caution",
                "slower-tail",
                f"The slowest twentieth of the calls takes {latency.ratio_p95 or 0:.1f} times as long (p95).",
                "Watch the latency tail in shadow, or set budgets.latency_p95_ms.",
                "latency",
            )
        )
    limits = (
        ("cost_usd_per_request", "cost", "mean", 1e6),
        ("latency_p50_ms", "latency", "p50", 1.0),
        ("latency_p95_ms", "latency", "p95", 1.0),
        ("latency_p99_ms", "latency", "p99", 1.0),
        ("ttft_p95_ms", "ttft", "p95", 1.0),
        ("output_tokens_mean", "output_tokens", "mean", 1.0),
    )
    for key, name, statistic, scale in limits:
        limit = getattr(budgets, key)
        if limit is None:
            continue
        operation = operations.get(name)
        found = None if operation is None else getattr(operation.new, statistic)
        value = found.value if isinstance(found, Quantile) else found
        if value is None:
            reasons.append(
                Reason(
                    "hold",
                    "budget-unknown",
                    f"The budget {key} is {limit:g}, but the candidate's {name.replace('_', ' ')} was not recorded.",
                    f"Record it, or remove budgets.{key}.",
                    name,
                )
            )
        elif value > limit * scale:
            reasons.append(
                Reason(
                    "hold",
                    "over-budget",
                    f"The candidate's {name.replace('_', ' ')} ({statistic}) is {value / scale:.4g}; "
                    f"the workflow's budget {key} is {limit:g}.",
                    "Lower it, or change the budget with a reason.",
                    name,
                )
            )
    return reasons
