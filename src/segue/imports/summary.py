"""What an import did: how many records of each kind, and which release became which bundle."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal

from segue.imports.base import Count
from segue.model import Json, short_id
from segue.scoring.label_roles import LabelRole
from segue.store.base import SuiteRecord

MOST_VALUES = 12
"""Different labels of one labeler that are kept for show."""

Stage = Literal["cases", "exchanges", "labels"]


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """So many records of a stage are stored."""

    stage: Stage
    done: int


@dataclass(slots=True)
class ReleaseSummary:
    """One release and the bundle it became. `new_` counts what the store did not have before; `labels` goes by labeler."""

    release: str
    label: str
    digest: str
    behaviour: str
    snapshot: str
    is_new: bool
    exchanges: int = 0
    new_exchanges: int = 0
    failures: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    new_labels: int = 0


@dataclass(slots=True)
class LabelerSummary:
    """One labeler: who it is, as far as that is known, and the different labels it gave, the first `MOST_VALUES` of them."""

    labeler: str
    role: LabelRole | None = None
    values: list[str] = field(default_factory=list)
    has_more: bool = False

    def note(self, label: str) -> None:
        """One more label."""
        if label in self.values:
            return
        if len(self.values) < MOST_VALUES:
            self.values.append(label)
        else:
            self.has_more = True


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The outcome of an import. `kept` of each count is what is in the store now."""

    suite: SuiteRecord
    releases: tuple[ReleaseSummary, ...]
    cases: Count
    exchanges: Count
    labels: Count
    labelers: tuple[LabelerSummary, ...] = ()

    @property
    def bundle_labels(self) -> dict[str, str]:
        """Release → the label of its bundle."""
        return {one.release: one.label for one in self.releases}

    @property
    def is_unchanged(self) -> bool:
        """Whether the store held all of it already (bundles, exchanges and labels)."""
        return not any(one.is_new or one.new_exchanges or one.new_labels for one in self.releases)

    def as_json(self) -> dict[str, Json]:
        """The one JSON shape of an import's outcome."""
        return {
            "suite": {"digest": self.suite.digest, "name": self.suite.name, "cases": self.suite.n_cases},
            "releases": [asdict(one) for one in self.releases],
            "labelers": [asdict(one) for one in self.labelers],
            "counts": {kind: asdict(getattr(self, kind)) for kind in ("cases", "exchanges", "labels")},
        }

    def lines(self) -> list[str]:
        """The outcome as plain text, one line each: the suite, then the releases with label and counts."""
        lines = [f"suite {self.suite.name} {short_id(self.suite.digest)}: {self.suite.n_cases} cases"]
        for one in self.releases:
            text = f"{one.release} → {one.label} {short_id(one.digest)}: {one.exchanges} recordings"
            if one.failures:
                text += f", {one.failures} of them failures"
            if one.labels:
                text += ", labels " + ", ".join(f"{labeler} {number}" for labeler, number in sorted(one.labels.items()))
            lines.append(text)
        for kind in ("cases", "exchanges", "labels"):
            count: Count = getattr(self, kind)
            if count.rejected or count.left_out:
                lines.append(f"{kind}: {count.read} read, {count.rejected} rejected, {count.left_out} not selected")
        return lines
