"""How numbers are written: the same on the terminal, the page and in Markdown. Unknown is written `–`, never 0."""

from __future__ import annotations

import math

from segue.gates.findings import Finding
from segue.gates.wording import percent, points

__all__ = [
    "NONE",
    "amount",
    "count",
    "difference_text",
    "number",
    "p_adjusted",
    "p_short",
    "percent",
    "percent_bare",
    "points",
    "ratio_text",
    "signed_points",
]

NONE = "–"
MINUS = "−"
SECOND_MS = 1_000.0
MINUTE_MS = 60_000.0
HOUR_MS = 3_600_000.0
DAY_MS = 86_400_000.0


def percent_bare(share: float | None) -> str:
    """A share in per cent without the sign, for columns whose head says so."""
    return NONE if share is None else f"{share * 100:.1f}"


def signed_points(share: float | None) -> str:
    """A difference of shares in points, with its sign; a difference that rounds to nothing has none."""
    if share is None:
        return NONE
    text = f"{abs(share) * 100:.1f}"
    if text == "0.0":
        return text
    return ("+" if share > 0 else MINUS) + text


def difference_text(finding: Finding, *, with_interval: bool = True) -> str:
    """`−46.4 [−50.1, −42.6]`: new minus old in points, in the metric's own direction."""
    text = signed_points(finding.difference)
    if with_interval and finding.interval is not None:
        low, high = finding.interval
        text += f" [{signed_points(low)}, {signed_points(high)}]"
    return text


def p_adjusted(finding: Finding) -> float | None:
    """The adjusted one-sided p of the direction that was seen; `None` where nothing was compared."""
    if finding.gain is None:
        return None
    return finding.p_worse_adjusted if finding.gain < 0 else finding.p_better_adjusted


def p_short(p: float | None) -> str:
    """A p-value in at most seven characters."""
    if p is None:
        return NONE
    if p <= 0:
        return "<1e-300"
    if p < 0.001:
        return f"{p:.0e}".replace("e-0", "e-")
    return "1" if p >= 0.9995 else f"{p:.3f}"


def count(n: int) -> str:
    """A whole number with separators of thousands."""
    return f"{n:,}"


def number(value: float, *, digits: int = 3) -> str:
    """`digits` significant digits, without an exponent from a ten-thousandth on."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return NONE
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size < 0.0001:
        return f"{value:.2g}"
    text = f"{value:.{max(0, digits - 1 - math.floor(math.log10(size)))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: float | None, unit: str) -> str:
    """A quantity in its unit: `850 ms`, `1.23 s`, `2 h 12 min`, `$0.0012`, `1,234`."""
    if value is None or not math.isfinite(value):
        return NONE
    if unit == "ms":
        return _duration(value)
    if unit == "microusd":
        return _dollars(value / 1e6)
    return number(value)


def _duration(ms: float) -> str:
    if ms < 999.5:
        return f"{number(ms)} ms"
    if ms < MINUTE_MS - 5:
        return f"{number(ms / SECOND_MS)} s"
    if ms < HOUR_MS - 500:
        minutes, seconds = divmod(round(ms / SECOND_MS), 60)
        return f"{minutes} min {seconds:02d} s" if seconds else f"{minutes} min"
    if ms < 2 * DAY_MS:
        hours, minutes = divmod(round(ms / MINUTE_MS), 60)
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{number(ms / DAY_MS)} days"


def _dollars(value: float) -> str:
    if value >= 1000:
        return f"${value:,.0f}"
    if value >= 1:
        return f"${value:,.2f}"
    return f"${number(value)}"


def ratio_text(ratio: float | None) -> str:
    """New over old: `2.6 ×`."""
    return NONE if ratio is None else f"{number(ratio, digits=2)} ×"
