"""Makes a bundle label out of a release's name.

A label keeps letters, digits and `. _ - +`; every run of other characters becomes one hyphen, and hyphens at the ends go.
`gpt-4o (tau-bench, tool calling)` becomes `gpt-4o-tau-bench-tool-calling`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Set

MAX_LENGTH = 80
_OTHER = re.compile(r"[^A-Za-z0-9._+-]+")


def label_for(release: str) -> str:
    """The label of one release. Accents are dropped; a name of which nothing is left is called `release`."""
    plain = unicodedata.normalize("NFKD", release).encode("ascii", "ignore").decode()
    return _OTHER.sub("-", plain).strip("-.")[:MAX_LENGTH].rstrip("-.") or "release"


def labels_for(releases: Iterable[str], *, taken: Set[str] = frozenset()) -> dict[str, str]:
    """Release → label, all different and none of `taken`; what would be alike is numbered `-2`, `-3` in order of name."""
    labels: dict[str, str] = {}
    used = set(taken)
    for release in sorted(releases):
        label = stem = label_for(release)
        number = 1
        while label in used:
            number += 1
            label = f"{stem}-{number}"
        used.add(label)
        labels[release] = label
    return labels
