"""The report of a regression eval: the one value that the terminal, the HTML page, Markdown and JSON render."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from segue.gates.findings import Finding
from segue.gates.operations import Operation
from segue.gates.tally import TOTAL
from segue.gates.verdict import Outcome, Reason
from segue.model import Json

Recommendation = Literal["migrate", "defer", "not on these grounds", "undecided"]
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of the comparison."""

    label: str
    digest: str
    model: str
    provider: str
    retires: str | None = None
    floating: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which cases the two arms have in common, and why the others are not compared.

    `complete_*` have a usable reply on that arm. `stale` results were made from an earlier text of a case and are not used.
    """

    suite: int
    common: int
    only_old: int
    only_new: int
    neither: int
    old_errored: int
    new_errored: int
    stale: int
    repeats: int
    by_task: Mapping[str, int] = field(default_factory=dict)
    by_kind: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CauseFinding:
    """A mechanical cause that newly failing outputs share.

    `explained_share` of the newly failing cases turn right once `repair` is applied; `repaired_old` and `repaired_new` are the
    rates over all compared cases with the repair on both arms (`None` where the cause has no repair).
    """

    metric: str
    where: str
    name: str
    sentence: str
    n_failing: int
    n_present: int
    n_explained: int
    present_share: float
    explained_share: float | None
    repaired_old: float | None
    repaired_new: float | None
    repaired_n: int | None
    ability_held: bool | None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HollowRise:
    """A rate that rose because outputs stopped parsing or answering."""

    metric: str
    where: str
    sentence: str
    n_rise: int
    n_hollow: int
    share: float


@dataclass(frozen=True, slots=True)
class OneAnswer:
    """A label metric whose outputs nearly all say the same now, and did not before."""

    metric: str
    label: str
    old_share: float
    new_share: float
    n: int
    sentence: str


@dataclass(frozen=True, slots=True)
class JudgeStanding:
    """Whether a judged metric may gate, and why not.

    `corrected_difference` is new minus old with the judge's errors taken out (Rogan and Gladen 1978), its ends with the
    uncertainty of the calibration in them; `None` where it cannot be worked out.
    """

    metric: str
    may_gate: bool
    sentences: tuple[str, ...]
    figures: Json = None
    corrected_difference: float | None = None
    corrected_low: float | None = None
    corrected_high: float | None = None


@dataclass(frozen=True, slots=True)
class Preferences:
    """A pairwise judge's verdicts, one per case, told from the candidate's side. `preference` is ½ where there is none.

    `inconsistent` is the share of asked pairs whose verdict changed with the order; `position_bias` the share where one place
    won both times, `favoured_first` times the first one. Identical answers are ties that nobody was asked about.
    """

    n: int
    wins: int
    ties: int
    losses: int
    identical: int
    preference: float | None
    low: float | None
    high: float | None
    p: float
    inconsistent: float | None
    position_bias: float | None
    favoured_first: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Judging:
    """What a judge was asked about these outputs, and what its answers cost when they were given.

    `verdicts` were given on outputs (`judge`) or pairs of them (`pairwise`); on `silent` ones the judge gave none when asked.
    """

    metric: str
    type: str
    verdicts: int
    silent: int
    calls: int
    cost_microusd: float | None
    preferences: Preferences | None = None


@dataclass(frozen=True, slots=True)
class ConfidenceFinding:
    """How a stated confidence, or one from token probabilities, goes together with being right, on both arms.

    `brier_worse` says whether the Brier score is shown to be worse. `threshold` keeps the old operating point on the candidate.
    """

    metric: str
    old_ece: float | None
    new_ece: float | None
    brier_worse: bool
    old_threshold: float | None
    threshold: float | None
    sentences: tuple[str, ...]
    figures: Json = None


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class on one arm: precision, recall and F1 (undefined is `None`), and how often it occurs."""

    label: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Per-class figures and the confusion matrix of both arms, for a label metric. Rows are references."""

    metric: str
    labels: tuple[str, ...]
    old: tuple[ClassRow, ...]
    new: tuple[ClassRow, ...]
    old_confusion: tuple[tuple[int, ...], ...]
    new_confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Watch:
    """The one slice where harm is likeliest and the total would hide it."""

    metric: str
    where: str
    sentence: str


@dataclass(frozen=True, slots=True)
class FormatShift:
    """A trait of the form of outputs (a fence, a list, …) that one arm has more often."""

    trait: str
    old_share: float
    new_share: float
    n: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a regression eval has to say. `at` is UTC, ISO 8601; shares run from 0 to 1."""

    workflow: str
    at: str
    incumbent: Arm
    candidate: Arm
    suite: str
    suite_name: str
    n_cases: int
    outcome: Outcome
    headline: str
    reasons: tuple[Reason, ...]
    recommendation: Recommendation
    recommendation_why: str
    findings: tuple[Finding, ...]
    operations: tuple[Operation, ...]
    coverage: Coverage
    watch: Watch | None
    causes: tuple[CauseFinding, ...] = ()
    hollow: tuple[HollowRise, ...] = ()
    one_answers: tuple[OneAnswer, ...] = ()
    judges: tuple[JudgeStanding, ...] = ()
    judging: tuple[Judging, ...] = ()
    confidence: tuple[ConfidenceFinding, ...] = ()
    classes: tuple[ClassTable, ...] = ()
    format_shifts: tuple[FormatShift, ...] = ()
    scorers: Mapping[str, str] = field(default_factory=dict)
    settings: Json = None
    run: str | None = None
    notes: tuple[str, ...] = ()

    def totals(self) -> tuple[Finding, ...]:
        """The findings over all cases."""
        return tuple(finding for finding in self.findings if finding.where == TOTAL)

    def slices_of(self, metric: str) -> tuple[Finding, ...]:
        """The findings of one metric on its slices."""
        return tuple(one for one in self.findings if one.metric == metric and one.where != TOTAL)

    @property
    def blocks(self) -> tuple[Finding, ...]:
        """Gated findings that show harm: what a false alarm would be, if the arms were alike."""
        named = {reason.metric for reason in self.reasons if reason.code.endswith("-worse")}
        return tuple(one for one in self.findings if one.verdict == "worse" and one.metric in named)

    def as_json(self) -> dict[str, Json]:
        """The machine-readable report; its shape is `docs/report-format.md`, versioned by `schema`."""
        body = plain(self)
        assert isinstance(body, dict)
        body["schema"] = SCHEMA
        for finding, row in zip(self.findings, body["findings"], strict=True):
            row["p"] = finding.p
            row["negative_flip_rate"] = finding.flips.negative_flip_rate
            row["churn"] = finding.flips.churn
            row["backward_trust"] = finding.flips.backward_trust
            row["backward_error"] = finding.flips.backward_error
        return body


def plain(value: Any) -> Json:
    """A value of dataclasses as plain JSON; a number that is not finite becomes `null`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
