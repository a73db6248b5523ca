"""Where the rows of a Parquet file come from: it stands in the file, so that a lost ledger can be worked out anew."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from segue.exchanges.ledger import Table

RANGES_KEY = b"segue.ranges"
TALLY_KEY = b"segue.tally"
Range = tuple[str, int, int]
"""Segment, and from where to where."""


@dataclass(frozen=True)
class Provenance:
    """Stretches of segments, and the tally as it stands once the file counts."""

    ranges: tuple[Range, ...] = ()
    tally: Mapping[tuple[Table, str], int] = field(default_factory=dict)

    def metadata(self) -> dict[bytes, bytes]:
        """As it stands in a file."""
        tally = [[part, what, n] for (part, what), n in sorted(self.tally.items())]
        return {RANGES_KEY: json.dumps(self.ranges).encode(), TALLY_KEY: json.dumps(tally).encode()}


def read_provenance(metadata: Mapping[bytes, bytes] | None) -> Provenance | None:
    """What `metadata` wrote; `None` where it is not there, or says nothing that we know."""
    try:
        found = metadata or {}
        ranges = tuple((str(segment), int(begin), int(end)) for segment, begin, end in json.loads(found[RANGES_KEY]))
        tally = {(part, str(what)): int(n) for part, what, n in json.loads(found.get(TALLY_KEY, b"[]"))}
    except (KeyError, ValueError, TypeError):
        return None
    return Provenance(ranges, tally)


def join_ranges(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same stretches, those that touch as one."""
    joined: list[Range] = []
    for segment, begin, end in sorted(ranges):
        if joined and joined[-1][0] == segment and begin <= joined[-1][2]:
            joined[-1] = (segment, joined[-1][1], max(end, joined[-1][2]))
        else:
            joined.append((segment, begin, end))
    return tuple(joined)
