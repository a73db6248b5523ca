"""Resolving what people type for a digest: the whole of it, or a prefix that only one has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from segue.errors import ConflictError, NotFoundError
from segue.model import short_id

_HEX = re.compile(r"[0-9a-f]{4,64}\Z")


def as_prefix(ref: str) -> str | None:
    """`ref` as a digest or a prefix of one, lower-case; `None` if it cannot be one (at least 4 hex digits)."""
    lowered = ref.lower()
    return lowered if _HEX.match(lowered) else None


def pick_digest(kind: str, ref: str, matches: Sequence[str], known: Iterable[str], *, fix: str = "") -> str:
    """The one digest among `matches`. `NotFoundError` for none, naming `known`; `ConflictError` for several."""
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise NotFoundError.naming(kind, ref, known, fix=fix)
    # Long enough to tell them apart: the first digit after what they have in common.
    shown = ", ".join(short_id(one, max(12, len(ref) + 4)) for one in sorted(matches)[:5])
    raise ConflictError(f"'{ref}' begins {len(matches)} {kind}s: {shown}.", fix="Give more digits.")
