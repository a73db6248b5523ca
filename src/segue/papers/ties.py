"""What belongs together on a line: a number and its unit, a p and its value.

`tie` joins them by no-break spaces, for pages. A terminal's wrapping knows no such space, so there a sign of our own stands in
while lines are broken, and becomes a plain space again when they are written: what is piped is searched for.
"""

from __future__ import annotations

import re

NO_BREAK = "\N{NO-BREAK SPACE}"
HELD = "\ue0a0"
"""Stands for a space at which a terminal's line is not broken (a character for private use, one column wide)."""

_PLACES = re.compile(r"(?<=\d) (?=(?:%|×|points?\b|cases?\b|ms\b|s\b))|(?<=\bp) (?=[=≈<])|(?<=[=≈<]) (?=\d)")


def tie(text: str, joint: str = NO_BREAK) -> str:
    """`15 %` and `p ≈ 4.5e-5` with their spaces replaced."""
    return _PLACES.sub(joint, text)


def held(text: str) -> str:
    """The same for a terminal; `let_go` undoes it. Text that has the sign already loses it."""
    return tie(text.replace(HELD, "\N{REPLACEMENT CHARACTER}"), HELD)


def let_go(text: str) -> str:
    """Held spaces as plain ones."""
    return text.replace(HELD, " ")
