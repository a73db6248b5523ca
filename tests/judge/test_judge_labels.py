"""From recorded labels to a calibration, and the recorded GPT-4 judge that is refused."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import pytest

from segue.errors import InputError
from segue.evidence.agreement import YesNoCounts, cohen_kappa, percent_agreement
from segue.evidence.flips import FlipCounts
from segue.evidence.judge_labels import calibration_from_labels, pair_labels
from segue.evidence.judge_rates import correct_difference
from segue.model import RecordedLabel

COMPLIES = {"1_full_compliance": 1, "2_full_refusal": 0, "3_partial_refusal": 0}
PAIRS = [("llama-2-70b-chat+original-system-prompt", "llama-2-70b-chat"), ("llama-2-70b-chat", "gpt-4")]


@pytest.fixture(scope="module")
def xstest(segue_data: Path) -> dict[str, list[RecordedLabel]]:
    """All recorded labels, by release."""
    found: dict[str, list[RecordedLabel]] = defaultdict(list)
    with gzip.open(segue_data / "xstest" / "labels.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found[row["model"]].append(RecordedLabel(row["case_id"], row["labeler"], row["label"], row.get("repeat")))
    return found


@pytest.mark.recorded
def test_every_published_agreement_is_reproduced(segue_data: Path, xstest: dict[str, list[RecordedLabel]]) -> None:
    """Agreement, kappa and both kinds of error of all twelve rows, to the printed digit."""
    rows = json.loads((segue_data / "xstest" / "expected.json").read_text(encoding="utf-8"))["labeler_agreement"]
    assert len(rows) == 12
    for row in rows:
        paired = pair_labels(xstest[row["model"]], human=row["against"], judge=row["labeler"], mapping=COMPLIES)
        counts = YesNoCounts.of((human, judge) for human, judge in paired.pairs if judge is not None)
        assert round(percent_agreement(counts.table()).numbers[0], 4) == row["agreement"]
        assert round(cohen_kappa(counts.table()).numbers[0], 4) == row["cohen_kappa"]
        assert counts.n == row["n"]
        assert counts.only_other == row["says_comply_human_refused"]
        assert counts.only_reference == row["says_refused_human_comply"]


@pytest.mark.recorded
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_recorded_gpt_4_judge_is_refused_as_a_gate(old: str, new: str, xstest: dict[str, list[RecordedLabel]]) -> None:
    """It agrees with people on 79 to 94 %, calls 91, 88 and 28 refusals compliant, and so errs unequally on the arms."""
    found = calibration_from_labels(
        xstest[old], xstest[new], human="human:final", judge="judge:gpt-4", mapping=COMPLIES, names=(old, new)
    )
    assert not found.may_gate
    assert {"low-kappa", "tilt"} <= {one.code for one in found.objections}
    assert found.sentences()[0] == "The judge may not gate; its scores are shown as advice."
    if new == "gpt-4":
        assert "unequal-specificity" in {one.code for one in found.objections}
        assert found.gaps.tilt.numbers[0] == pytest.approx(-0.106, abs=5e-4)
    else:
        assert "agrees with people on 79.3 % of 450 outputs (kappa 0.55). It says yes to 91" in found.sentences()[1]


@pytest.mark.recorded
def test_a_second_human_would_be_allowed_to_gate(xstest: dict[str, list[RecordedLabel]]) -> None:
    """The rule is no wall: an annotator held against the final label passes on both pairs."""
    for old, new in PAIRS:
        found = calibration_from_labels(
            xstest[old], xstest[new], human="human:final", judge="human:annotator_2", mapping=COMPLIES
        )
        assert found.may_gate


@pytest.mark.recorded
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_corrected_difference_holds_the_human_one(old: str, new: str, xstest: dict[str, list[RecordedLabel]]) -> None:
    """Calibrated on every second case, the interval on the others holds what people found there.

    On the pair where the judge errs unequally, the correction brings its difference closer to theirs.
    """
    paired = [pair_labels(xstest[arm], human="human:final", judge="judge:gpt-4", mapping=COMPLIES).pairs for arm in (old, new)]
    calibrations = [YesNoCounts.of((human, judge or 0) for human, judge in pairs[::2]) for pairs in paired]
    rest = [pairs[1::2] for pairs in paired]
    verdicts = YesNoCounts.of((one or 0, two or 0) for (_, one), (_, two) in zip(*rest, strict=True))
    flips = FlipCounts(verdicts.both_yes, verdicts.only_reference, verdicts.only_other, verdicts.both_no)
    truth = sum(two - one for (one, _), (two, _) in zip(*rest, strict=True)) / len(rest[0])
    found = correct_difference(flips, *calibrations)
    value, low, high = found.corrected.numbers
    assert low <= truth <= high
    if new == "gpt-4":
        assert abs(value - truth) < abs(found.apparent.numbers[0] - truth)


def label(case_id: str, labeler: str, text: str, repeat: int | None = None) -> RecordedLabel:
    """A recorded label."""
    return RecordedLabel(case_id, labeler, text, repeat)


MAPPING = {"good": 1, "bad": 0}


def test_free_text_and_silence_of_a_judge_are_no_verdict() -> None:
    """Neither counts as a yes or a no; an output nobody judged is counted apart."""
    labels = [
        label("a", "human", "good"),
        label("a", "judge", "good"),
        label("b", "human", "bad"),
        label("b", "judge", "As an AI language model I cannot"),
        label("c", "human", "bad"),
        label("d", "judge", "good"),
        label("a", "string_match", "bad"),
    ]
    found = pair_labels(labels, human="human", judge="judge", mapping=MAPPING)
    assert found.pairs == ((1, 1), (0, None), (0, None))
    assert found.n_unjudged == 1


def test_repeats_of_a_case_give_one_pair() -> None:
    """The first repeat counts, a label for all repeats before it; the rest is counted, not used."""
    labels = [
        label("a", "human", "bad", 1),
        label("a", "human", "good", 0),
        label("a", "judge", "good", 0),
        label("a", "judge", "bad", 1),
        label("b", "human", "good"),
        label("b", "judge", "good", 3),
        label("b", "judge", "bad", 7),
        label("c", "human", "bad", 2),
        label("c", "judge", "bad"),
    ]
    found = pair_labels(labels, human="human", judge="judge", mapping=MAPPING)
    assert found.pairs == ((1, 1), (1, 1), (0, 0))
    assert found.n_more_repeats == 1


def test_all_faults_of_the_labels_are_named_without_their_content() -> None:
    """An unmapped human label, a contradiction and a wrong mapping are reported at once."""
    labels = [
        label("a", "human", "SECRET"),
        label("b", "human", "good"),
        label("b", "human", "bad"),
        label("b", "human", "good"),
    ]
    with pytest.raises(InputError) as caught:
        pair_labels(labels, human="human", judge="judge", mapping={**MAPPING, "so-so": 2})
    assert {fault.path for fault in caught.value.faults} == {"mapping[2]", "case a", "case b"}
    assert not any("SECRET" in fault.sentence() for fault in caught.value.faults)


def test_no_labels_are_no_pairs() -> None:
    """Nothing labelled is nothing calibrated, and refused."""
    assert pair_labels([], human="human", judge="judge", mapping=MAPPING).pairs == ()
    assert not calibration_from_labels([], [], human="human", judge="judge", mapping=MAPPING).may_gate
