"""How the sentences of a verdict write numbers. Unknown is written `–`, never 0."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """A share as people read it; `–` where there is none."""
    return "–" if share is None else f"{share * 100:.1f} %"


def points(share: float | None) -> str:
    """A difference of shares in percentage points."""
    return "–" if share is None else f"{share * 100:.1f} points"


def p_text(log10_p: float) -> str:
    """A p-value from its logarithm."""
    if log10_p >= -3.3:
        return f"= {10**log10_p:.2g}"
    exponent = int(log10_p // 1)
    return f"≈ {10 ** (log10_p - exponent):.1f}e{exponent}"
