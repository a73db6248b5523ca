"""Which slice to watch on: where harm is likeliest and the total would hide it."""

from __future__ import annotations

from collections.abc import Sequence

from segue.gates.findings import Finding
from segue.gates.report import Watch
from segue.gates.wording import percent, points
from segue.model import GateSettings


def choose_watch(findings: Sequence[Finding], settings: GateSettings) -> Watch | None:
    """The slice where harm is likeliest and the total would hide it.

    Ranked by: harm shown first; then the harm not excluded, weighted by how little of the suite the slice is (a small slice
    moves the total least). Slices that hold every case hide nothing and are left out. `None` without slices.
    """
    totals = {one.metric: one.n for one in findings if one.is_total}
    large = [one for one in findings if one.is_total or one.n >= settings.min_slice_cases]
    ranked = []
    for one in large if any(not one.is_total for one in large) else findings:
        if one.is_total or one.metric not in settings.primary or not one.n or one.n >= totals.get(one.metric, 0):
            continue
        share = one.n / totals[one.metric]
        likely = max(0.0, -(one.gain or 0.0))
        harm = one.harm_excluded or 0.0
        ranked.append(((one.verdict == "worse", one.is_critical and likely > 0, (harm + likely) * (1 - share)), one))
    if not ranked:
        return None
    one = max(ranked, key=lambda pair: (pair[0], pair[1].where))[1]
    share = one.n / totals[one.metric]
    if one.verdict == "worse":
        tail = f"harm is shown there, on {percent(share)} of the cases"
    else:
        tail = f"a loss of up to {points(one.harm_excluded)} is not excluded there, on {percent(share)} of the cases"
    return Watch(
        one.metric, one.where, f"{one.where}: {percent(one.old.mean)} → {percent(one.new.mean)} on {one.metric}; {tail}."
    )
