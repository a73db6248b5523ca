"""Reads out of another tool's error text what kind of failure it was, and keeps a short, harmless form of it."""

from __future__ import annotations

import re

from segue.model import Failure
from segue.model.exchange import FailureKind

MAX_DETAIL = 200

_KINDS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    ("timeout", re.compile(r"time[d ]?[- ]?out|deadline|etimedout|\b(408|504)\b", re.IGNORECASE)),
    ("rate_limit", re.compile(r"rate.?limit|too many requests|quota|\b429\b", re.IGNORECASE)),
    ("overloaded", re.compile(r"overloaded|capacity|\b529\b", re.IGNORECASE)),
    ("auth", re.compile(r"unauthori[sz]ed|forbidden|api key|authentication|permission|\b(401|403)\b", re.IGNORECASE)),
    ("connection", re.compile(r"econn|enotfound|connection|network|socket|dns|name resolution", re.IGNORECASE)),
    (
        "refused_request",
        re.compile(r"content.?(policy|filter|management)|bad request|invalid.request|\b(400|413|422)\b", re.IGNORECASE),
    ),
    ("bad_reply", re.compile(r"parse|json|decode|unexpected (token|end)", re.IGNORECASE)),
)
_SECRETS = re.compile(r"\b(sk|pk|rk|gsk|xai)-[\w-]{6,}|\bAIza[\w-]{10,}|(?i:bearer)\s+\S+")


def failure_from(text: str, *, kind: FailureKind | None = None) -> Failure:
    """A failure told by its text. One that fits no known kind is the server's (`server`)."""
    detail = _SECRETS.sub("[removed]", text.strip().partition("\n")[0])[:MAX_DETAIL]
    if kind is not None:
        return Failure(kind=kind, detail=detail)
    for name, pattern in _KINDS:
        if pattern.search(detail):
            return Failure(kind=name, detail=detail)
    return Failure(kind="server", detail=detail)
