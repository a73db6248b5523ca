"""The gate of staging: nothing that breaks an integration, no unexplained behaviour. A pure function, and what it is given.

A dimension that moved beyond its limit is unexplained until somebody accepted it by name, with a reason; what had moved then is
all that this explains. What could not be looked at is not explained by silence either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.drift.drift_report import DriftReport
from segue.drift.questions import DIMENSIONS, Dimension
from segue.model.base import Frozen

LEAST_PAIRS = 100


class IntegrationSeen(Frozen):
    """The team's own integration command, run on both answers of `n_pairs`. `n_broken`: it takes the incumbent's answer and not
    the candidate's; `n_mended`: the other way round. `n_unknown`: it could not be run, or there is no text to run it on.
    """

    argv: tuple[str, ...]
    n_pairs: int
    n_broken: int = 0
    n_mended: int = 0
    n_both_broken: int = 0
    n_unknown: int = 0
    reason: str = ""
    """What it said of the first answer that it newly refused, or why it did not run. No words of users."""
    pairs: tuple[str, ...] = ()
    """The first pairs that it newly refuses."""


class Accepted(Frozen):
    """What somebody takes as it is. `questions` had moved then: `question` on all pairs, `question@slice` on one."""

    dimension: Dimension
    by: str
    reason: str
    questions: tuple[str, ...] = ()


def judge_staging(
    report: DriftReport | None,
    integration: IntegrationSeen | None,
    explained: Sequence[Accepted],
    *,
    least: int = LEAST_PAIRS,
    workflow: str = "WORKFLOW",
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether staging was passed, and why not, each fault with its remedy. `None`: nothing is known yet."""
    if report is None:
        return None, ()
    faults = [*_too_few(report, least), *_contract(report, explained, workflow), *_integration(integration)]
    for seen in report.dimensions:
        if seen.name == "contract" and seen.standing != "unknown":
            continue  # `_contract` counts what is broken, however little
        remedy = f"Accept it by name, or mend the candidate: segue drift {workflow} --accept {seen.name} --reason …"
        if seen.standing == "unknown" and not _is_explained(seen.name, (), explained):
            faults.append(f"{seen.sentence} {remedy}")
        elif seen.standing == "moved beyond":
            moved = moved_questions(report, seen.name)
            if not _is_explained(seen.name, moved, explained):
                faults.append(f"Unexplained: {seen.sentence} {remedy}")
    return not faults, tuple(faults)


def moved_questions(report: DriftReport, dimension: Dimension) -> tuple[str, ...]:
    """What of a dimension moved beyond its limit: on all pairs, and on slices where all pairs did not show it."""
    beyond = [one for one in report.moves_of(dimension) if one.is_beyond]
    whole = {one.question for one in beyond if not one.where}
    slices = {f"{one.question}@{one.where}" for one in beyond if one.where and one.question not in whole}
    return (*sorted(whole), *sorted(slices))


def _is_explained(dimension: str, moved: Iterable[str], explained: Sequence[Accepted]) -> bool:
    mine = [one for one in explained if one.dimension == dimension]
    known = {question for one in mine for question in one.questions}
    return bool(mine) and all(one in known or one.partition("@")[0] in known for one in moved)


def _too_few(report: DriftReport, least: int) -> list[str]:
    if report.n_pairs >= least:
        return []
    return [
        f"Only {report.n_pairs:,} pairs were compared in staging, and the plan asks for {least:,}. Replay more traffic "
        "(staging: length), or ask for less (staging: least)."
    ]


def _contract(report: DriftReport, explained: Sequence[Accepted], workflow: str) -> list[str]:
    broken, mended = report.contract_broken or 0, report.contract_mended or 0
    if broken <= mended or _is_explained("contract", ("contract",), explained):
        return []
    return [
        f"The candidate breaks the contract in {broken:,} pairs in which the incumbent keeps it (the other way round in "
        f"{mended:,}). Mend the candidate's prompt or its contract, or accept it by name: segue drift {workflow} --accept "
        "contract --reason …"
    ]


def _integration(seen: IntegrationSeen | None) -> list[str]:
    if seen is None:
        return []
    command, faults = " ".join(seen.argv), []
    if seen.n_broken > seen.n_mended:
        said = f" It said: {seen.reason}" if seen.reason else ""
        faults.append(
            f"The integration command ({command}) takes the incumbent's answer and refuses the candidate's in "
            f"{seen.n_broken:,} of {seen.n_pairs:,} pairs (the other way round in {seen.n_mended:,}).{said} Mend the "
            "candidate, or the command."
        )
    if seen.n_unknown or not seen.n_pairs:
        said = f": {seen.reason}" if seen.reason and not seen.n_broken else ""
        faults.append(
            f"The integration command ({command}) could not judge {seen.n_unknown:,} of {seen.n_pairs:,} pairs{said}. See that "
            "it runs from the workflow's folder, and that bodies are kept (serving: keep)."
        )
    return faults


assert len(DIMENSIONS) == len(set(DIMENSIONS)), "dimensions are accepted by name"
