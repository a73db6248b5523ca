"""What the HTML page shows, as typed values: the context of its templates. All text is ready to show, none of it is escaped.

`segue.papers.html` fills it from a report. A test compares the names the templates use with the fields here.
Places (`x`, `x1`, …) are per cent of a drawing's width, as attribute text.
"""

from __future__ import annotations

from dataclasses import dataclass

from segue.papers.page_confidence import ConfidenceCard
from segue.papers.scale import Tick


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value. `mono` is set in a fixed-width face: digests and ids."""

    name: str
    value: str
    mono: bool = False


@dataclass(frozen=True, slots=True)
class ArmCard:
    """One side of the comparison."""

    role: str
    model: str
    label: str
    digest: str
    provider: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the summary: old and new, the change in words, and what it means."""

    title: str
    role: str
    old: str
    new: str
    change: str
    verdict: str
    sign: str
    tone: str


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One reason of the verdict."""

    outcome: str
    sign: str
    code: str
    sentence: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A share as a bar: its place in per cent and its words."""

    name: str
    x: str
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class CauseCard:
    """A mechanical cause; `bars` are the rates as they stand and, where there is a repair, once repaired."""

    title: str
    place: str
    sentence: str
    share: str
    held: bool
    bars: tuple[Bar, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneAnswerCard:
    """A label that nearly all outputs give now; `bars` are its shares."""

    title: str
    sentence: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One metric on one slice; `tone` goes from w3 (far worse) over z to b3 (far better), or none."""

    text: str
    tone: str
    sign: str
    verdict: str
    n: str
    detail: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One slice over all metrics. `opens` is the dimension's name on the first row of it."""

    where: str
    is_total: bool
    is_critical: bool
    opens: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class HeatColumn:
    """A metric of the heat map."""

    metric: str
    role: str
    better: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Slices × metrics, coloured by gain."""

    columns: tuple[HeatColumn, ...]
    rows: tuple[HeatRow, ...]
    left_out: str


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One slice of an interval plot. Places are empty where nothing was compared."""

    where: str
    is_total: bool
    is_critical: bool
    margin_x: str
    x: str
    x1: str
    x2: str
    value: str
    interval: str
    n: str
    verdict: str
    sign: str
    tone: str
    needs: str


@dataclass(frozen=True, slots=True)
class IntervalPlot:
    """One metric: gains with their intervals, worse on the left."""

    metric: str
    role: str
    better: str
    is_open: bool
    zero_x: str
    ticks: tuple[Tick, ...]
    rows: tuple[IntervalRow, ...]
    left_out: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One row of the table of all findings. Each figure comes with the value it sorts by."""

    metric: str
    where: str
    is_total: bool
    is_critical: bool
    role: str
    verdict: str
    rank: int
    sign: str
    tone: str
    cells: tuple[Sortable, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Sortable:
    """Text of a cell, and the number it sorts by (empty: unknown, sorts last)."""

    text: str
    value: str


@dataclass(frozen=True, slots=True)
class FindingTable:
    """All findings."""

    heads: tuple[str, ...]
    rows: tuple[FindingRow, ...]
    metrics: tuple[str, ...]
    verdicts: tuple[str, ...]
    left_out: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of an output: `equal`, `removed` or `added`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class OutputSide:
    """One arm's output of a flip."""

    role: str
    verdict: str
    reason: str
    pieces: tuple[Piece, ...]
    left_out: str


@dataclass(frozen=True, slots=True)
class FlipCard:
    """One flip. `slice_numbers` point into `FlipSection.slices`."""

    case_id: str
    metric: str
    direction: str
    sign: str
    standing: str
    is_critical: bool
    tags: tuple[str, ...]
    slice_numbers: str
    prompt: str
    prompt_left_out: str
    reference: str
    reference_left_out: str
    sides: tuple[OutputSide, ...]


@dataclass(frozen=True, slots=True)
class FlipSection:
    """The flips that are shown, and the sentence that says how many are not."""

    cards: tuple[FlipCard, ...]
    slices: tuple[str, ...]
    metrics: tuple[str, ...]
    sentence: str
    in_view: int
    """So many are in view; the others open on a click."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One quantile of a distribution."""

    x: str
    kind: str


@dataclass(frozen=True, slots=True)
class Whisker:
    """The interval of a quantile."""

    x1: str
    x2: str


@dataclass(frozen=True, slots=True)
class AmountRow:
    """One arm of one quantity: its drawing and its figures."""

    role: str
    dots: tuple[Dot, ...]
    whiskers: tuple[Whisker, ...]
    x1: str
    x2: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AmountCard:
    """One quantity on both arms."""

    title: str
    sentence: str
    extremes: str
    ticks: tuple[Tick, ...]
    rows: tuple[AmountRow, ...]


@dataclass(frozen=True, slots=True)
class ClassLine:
    """One class: what it is called, how often it occurs, and `old → new` of its figures."""

    label: str
    support: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """How often a class was answered as another; `tone` h0 to h4 is its share of the row."""

    text: str
    tone: str
    is_right: bool


@dataclass(frozen=True, slots=True)
class Confusion:
    """One arm's confusion matrix; rows are references."""

    role: str
    rows: tuple[tuple[ConfusionCell, ...], ...]


@dataclass(frozen=True, slots=True)
class ClassCard:
    """Per-class figures and confusion of one label metric."""

    metric: str
    labels: tuple[str, ...]
    lines: tuple[ClassLine, ...]
    matrices: tuple[Confusion, ...]
    left_out: str


@dataclass(frozen=True, slots=True)
class JudgeCard:
    """A judge's standing."""

    metric: str
    may_gate: bool
    sentence: str
    figures: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """A trait of the outputs' form on both arms."""

    trait: str
    old: Bar
    new: Bar
    n: str


@dataclass(frozen=True, slots=True)
class UnusableRow:
    """Why cases of a metric could not be compared: counts of missing, errored and unscored, an arm at a time."""

    metric: str
    applicable: str
    compared: str
    counts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page. Its fields are the templates' context."""

    title: str
    workflow: str
    outcome: str
    sign: str
    headline: str
    recommendation: str
    recommendation_why: str
    arms: tuple[ArmCard, ...]
    facts: tuple[Fact, ...]
    remarks: tuple[str, ...]
    tiles: tuple[Tile, ...]
    reasons: tuple[ReasonRow, ...]
    watch: str
    causes: tuple[CauseCard, ...]
    hollow: tuple[str, ...]
    one_answers: tuple[OneAnswerCard, ...]
    commands: tuple[tuple[str, str], ...]
    correction: str
    heat: HeatMap | None
    plots: tuple[IntervalPlot, ...]
    table: FindingTable | None
    flips: FlipSection
    amounts: tuple[AmountCard, ...]
    unrecorded: str
    classes: tuple[ClassCard, ...]
    confidences: tuple[ConfidenceCard, ...]
    judges: tuple[JudgeCard, ...]
    shifts: tuple[ShiftRow, ...]
    coverage: tuple[str, ...]
    unusable: tuple[UnusableRow, ...]
    by_task: tuple[Fact, ...]
    by_kind: tuple[Fact, ...]
    notes: tuple[str, ...]
    digests: tuple[Fact, ...]
    settings: str
