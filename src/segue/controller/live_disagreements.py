"""Where live results and the suite's say opposite things of the same metric and slice. Both are told."""

from __future__ import annotations

from collections.abc import Iterator

from segue.evidence.sequential.verdicts import Judgement
from segue.gates.report import Report
from segue.gates.tally import TOTAL
from segue.simulation.setting import Setting


def disagreements(setting: Setting, judgement: Judgement, report: Report) -> Iterator[str]:
    """One sentence for each cell on which the two disagree; a cell that only one of them knows is no disagreement."""
    offline = {(one.metric, "" if one.where == TOTAL else one.where): one.verdict for one in report.findings}
    metrics = {gate.title: setting.streams[gate.stream].metric for gate in setting.gates}
    for one in judgement.cells:
        said = offline.get((metrics[one.metric], one.slice))
        where = one.metric if not one.slice else f"{one.metric} on {one.slice}"
        if one.verdict == "harm" and said in ("better", "not worse"):
            yield f"{where}: live the candidate is worse, in the suite it was {said}. The suite lacks cases like these users'."
        elif one.verdict == "safe" and said == "worse":
            yield f"{where}: live harm is excluded, in the suite the candidate was worse. The suite asks what users seldom do."
