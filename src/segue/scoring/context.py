"""What builders of scorers are given: everything a scorer needs that does not stand in the workflow's own settings.

Nothing here reads files, environment or network; whoever calls `build_scorers` passes such things in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segue.model import Contract, RecordedLabel
    from segue.model.request import Provider

    LabelLookup = Callable[[str, int], RecordedLabel | None]
    """`(case_id, repeat)` → the label of one arm's output; a label whose `repeat` is `None` serves all repeats."""


@dataclass(frozen=True)
class ScoringContext:
    """One arm's surroundings. `None` means "not available here": a scorer that needs it is a fault, never a guess.

    `labels` maps a labeler's name to the lookup of its labels for this arm. `contract` is the bundle's contract.
    `providers` maps the names of `segue.yaml` to connections. `environ` is the environment that references are read from.
    """

    workflow_dir: Path | None = None
    labels: Callable[[str], LabelLookup] | None = None
    contract: Contract | None = None
    providers: Mapping[str, Provider] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
