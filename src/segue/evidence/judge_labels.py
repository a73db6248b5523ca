"""From recorded labels to pairs a judge can be held against: people's label and the judge's verdict on the same output.

Labels are whatever words their labelers use; a mapping turns them into yes and no. What a judge says outside the mapping
(free text, a refusal) is no verdict, and neither is its silence on an output that people labelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from segue.errors import Fault, InputError
from segue.evidence.judge_calibration import CalibrationRule, JudgeCalibration, LabelPair, calibrate_judge


class Label(Protocol):
    """A label as the store records it; `repeat` is `None` where it holds for all repeats of the case."""

    @property
    def case_id(self) -> str: ...

    @property
    def labeler(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def repeat(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class PairedLabels:
    """One pair per case, ordered by case id. `n_unjudged` of them have no label of the judge at all;

    `n_more_repeats` further human labels, of other repeats of the same cases, were left out: they are not independent.
    """

    pairs: tuple[LabelPair, ...]
    n_unjudged: int
    n_more_repeats: int


def pair_labels(labels: Iterable[Label], *, human: str, judge: str, mapping: Mapping[str, int]) -> PairedLabels:
    """Pair what the labelers `human` and `judge` say of one arm's outputs; other labelers are passed over.

    `mapping` gives 0 or 1 for each label. Raises `InputError`, naming every case, for a human label outside it, for a
    mapping to anything else, and for two different labels by one labeler for the same output.
    """
    faults = [
        Fault("A label is mapped to something other than 0 and 1.", "Map every label to 0 or 1.", path=f"mapping[{index}]")
        for index, value in enumerate(mapping.values())
        if value not in (0, 1)
    ]
    by_people: dict[str, dict[int | None, str]] = {}
    by_judge: dict[str, dict[int | None, str]] = {}
    for one in labels:
        if one.labeler not in (human, judge):
            continue
        for labeler, found in ((human, by_people), (judge, by_judge)):
            if one.labeler == labeler:
                before = found.setdefault(one.case_id, {}).setdefault(one.repeat, one.label)
                if before != one.label:
                    what = f"{labeler} gives this output two different labels."
                    faults.append(Fault(what, "Keep one of them.", path=f"case {one.case_id}"))
    pairs: list[LabelPair] = []
    unjudged = more = 0
    for case_id in sorted(by_people):
        repeats = by_people[case_id]
        repeat = min(repeats, key=lambda value: -1 if value is None else value)
        more += len(repeats) - 1
        people = mapping.get(repeats[repeat])
        if people is None:
            what = f"The label of {human} is not among those mapped to 0 and 1."
            faults.append(Fault(what, "Add it to the mapping, or leave the case out.", path=f"case {case_id}"))
            continue
        verdict = _verdict_on(repeat, by_judge.get(case_id, {}))
        unjudged += verdict is None
        pairs.append((people, None if verdict is None else mapping.get(verdict)))
    if faults:
        raise InputError.from_faults(faults, subject="the calibration labels")
    return PairedLabels(tuple(pairs), unjudged, more)


def calibration_from_labels(
    old: Iterable[Label],
    new: Iterable[Label],
    *,
    human: str,
    judge: str,
    mapping: Mapping[str, int],
    rule: CalibrationRule | None = None,
    names: tuple[str, str] = ("old", "new"),
) -> JudgeCalibration:
    """Calibrate the labeler `judge` against the labeler `human` on the recorded labels of both arms.

    Raises `InputError` as `pair_labels` does.
    """
    before, after = (pair_labels(labels, human=human, judge=judge, mapping=mapping).pairs for labels in (old, new))
    return calibrate_judge(before, after, rule=rule, names=names)


def _verdict_on(repeat: int | None, verdicts: Mapping[int | None, str]) -> str | None:
    """The judge's label for `repeat`: its own, else the one for all repeats; for a human label of all repeats, the first."""
    if repeat in verdicts:
        return verdicts[repeat]
    if repeat is not None:
        return verdicts.get(None)
    numbered = [key for key in verdicts if key is not None]
    return verdicts[min(numbered)] if numbered else None
