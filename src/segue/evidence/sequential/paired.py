"""Shadow: the same request on both bundles, so each pair is its own control, and only the pairs that differ speak.

A pair's difference is badness of the candidate minus badness of the incumbent, in [−1, 1]; it is laid on [0, 1] as (1 + d)/2
and bet on against the fixed level ½ ("no difference"), the stakes growing bolder as fewer pairs differ.
Unlike two independent arms, churn and not the rate sets the noise (compare `segue.evidence.paired`, the same idea offline).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.process import FixedProcess
from segue.evidence.sequential.scale import Scale

DIFFERENCES = Scale(-1.0, 1.0, "higher", 3)
"""Yes/no outcomes: better, same, worse."""
GRADED_DIFFERENCES = Scale(-1.0, 1.0, "higher", 21)


def start_paired(
    nulls: Sequence[Null],
    cells: int | tuple[int, ...],
    scale: Scale = DIFFERENCES,
    *,
    streams: Sequence[int] | None = None,
) -> FixedProcess:
    """A process for pairs. The nulls' margins are differences of badness. `ValueError` for a ratio: it has no paired form."""
    if any(null.ratio != 1.0 for null in nulls):
        raise ValueError("A paired null has a margin; a ratio of rates cannot be read from differences.")
    halved = [replace(null, margin=null.margin / 2, floor=null.floor / 2) for null in nulls]
    questions = Questions.of(halved, streams)
    *runs, last = (cells,) if isinstance(cells, int) else cells
    return FixedProcess.start(questions, np.full((*runs, int(questions.streams.max()) + 1, last), 0.5), scale.nodes)


def pair_masses(worse: Array, same: Array, better: Array) -> Array:
    """Counts of yes/no pairs as masses on the nodes of `DIFFERENCES`. Shapes (…, cells) → (…, cells, 3)."""
    return np.stack([better, same, worse], -1).astype(float)
