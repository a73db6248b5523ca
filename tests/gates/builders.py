"""The smallest valid comparisons, so that a test shows only what matters to it."""

from __future__ import annotations

from collections.abc import Iterable

from segue.gates.findings import Finding, judge_findings
from segue.gates.tally import Observed, Tally
from segue.model import GateSettings

SETTINGS = GateSettings(primary=("correct",))


def a_run(value: float | None, repeat: int = 0, *, failed: bool = False) -> Observed:
    """One observed run with one metric."""
    return Observed(repeat, {} if failed else {"correct": value}, failed)


def a_tally(slices: dict[str, tuple[int, int, int, int]], *, better: str = "higher", task: str = "reply") -> Tally:
    """A tally from paired counts per slice: (both right, only old, only new, both wrong)."""
    tally = Tally(bounded=["correct"], better={"correct": better})
    for where, table in slices.items():
        for (old, new), count in zip(((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)), table, strict=True):
            for _ in range(count):
                add(tally, old, new, where=where, task=task)
    return tally


def add(
    tally: Tally, old: float | None, new: float | None, *, where: str = "lang=en", task: str = "reply", **more: object
) -> None:
    """One case with one run an arm; `None` is a run that could not be scored."""
    tally.add(
        task=task,
        kind="representative",
        slices=(where,),
        applicable=None,
        cluster=more.get("cluster"),  # type: ignore[arg-type]
        old=[a_run(old)],
        new=[a_run(new)],
    )


def findings_of(tally: Tally, settings: GateSettings = SETTINGS, critical: Iterable[str] = ()) -> dict[str, Finding]:
    """Findings of the one metric by slice; the total under ''."""
    return {one.where: one for one in judge_findings(tally, settings, gated=settings.primary, critical=frozenset(critical))}
