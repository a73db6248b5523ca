"""The workflow that an import begins: which labeler it gates on, why, and what it leaves to decide."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from segue.imports import ImportSummary, ingest, read_layout
from segue.imports.first_workflow import FirstWorkflow, first_workflow
from segue.scoring.label_roles import LabelRole
from segue.store import open_store
from tests.imports.builders import AT, Faults, a_case, a_folder, a_label, a_recording

CASES = [str(number) for number in range(20)]


def imported(folder: Path, labels: dict[str, list[object]], roles: dict[str, LabelRole] | None = None) -> ImportSummary:
    """Two releases of twenty cases; each labeler's labels go to the first cases of both."""
    rows = [
        a_label(case_id, model, labeler=labeler, label=label)
        for labeler, given in labels.items()
        for model in ("old", "new")
        for case_id, label in zip(CASES, given, strict=False)
    ]
    recordings = [a_recording(case_id, model) for model in ("old", "new") for case_id in CASES]
    folder = a_folder(folder, [a_case(case_id) for case_id in CASES], recordings, rows)
    faults = Faults()
    with_store = open_store("memory:")
    summary = ingest(
        read_layout(folder, report=faults.append),
        store=with_store,
        workflow="support",
        suite_name="main",
        author="ada",
        at=AT,
        roles=roles or {},
    )
    with_store.close()
    assert not [fault for fault in faults if fault.severity == "error"]
    return summary


def begun(summary: ImportSummary) -> FirstWorkflow:
    return first_workflow("support", "main", summary)


ALL: list[object] = [1, 0] * 10
PART: list[object] = [1, 0]


@pytest.mark.parametrize(
    ("labels", "primary", "why"),
    [
        ({"judge:a": ALL, "human:z": ALL}, "human_z", "judge:a may gate only once calibrated"),
        ({"human:annotator_1": ALL, "human:final": ALL}, "human_final", "it is the final word"),
        ({"authors": ALL, "rule:x": ALL}, "rule_x", "a rule's before one that nobody has vouched for"),
        ({"human:few": PART, "rule:x": ALL}, "rule_x", "the others a part of them"),
        ({"human:few": PART, "judge:a": ALL}, "human_few", "judge:a may gate only once calibrated"),
        ({"aaa": ALL, "bbb": ALL}, "aaa,bbb", "nothing says which of them counts, so a loss by either stops"),
        ({"aaa": ALL, "bbb": ALL, "judge:c": ALL}, "aaa,bbb", "judge:c may gate only once calibrated"),
        ({"aaa": PART, "bbb": [1, 0, 1]}, "bbb", "it labelled the most outputs"),
        ({"only": ALL}, "only", "only is the only labeler"),
        ({"judge:a": ALL, "judge:b": ALL}, "judge_a", "Only judges labelled these outputs (judge:a, judge:b)"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_the_gate_reads_the_labeler_to_be_trusted_most(
    tmp_path: Path, labels: dict[str, list[object]], primary: str, why: str
) -> None:
    """Never the first one by accident; and the file says why, as the command does."""
    first = begun(imported(tmp_path / "d", labels))
    assert YAML(typ="safe").load(first.text)["gate"]["primary"] == primary.split(",")
    assert why in first.remarks[0]
    assert why in " ".join(line.strip(" #") for line in first.text.splitlines())


def test_a_declared_role_is_written_down(tmp_path: Path) -> None:
    """So that the workflow knows it without the import; one that the name tells is not repeated."""
    first = begun(imported(tmp_path / "d", {"ada": ALL, "grader": ALL, "rule:x": ALL}, {"ada": "human", "grader": "judge"}))
    scorers = {one["labeler"]: one.get("role") for one in YAML(typ="safe").load(first.text)["scorers"]}
    assert scorers == {"ada": "human", "grader": "judge", "rule:x": None}
    assert "ada (people) decides" in first.remarks[0]


def test_labels_that_are_words_are_to_be_given_a_worth(tmp_path: Path) -> None:
    """Those that were seen are listed; of a judge, with the map of its calibration."""
    words: list[object] = ["2_full", "1_part"] * 10
    first = begun(imported(tmp_path / "d", {"human:ada": words, "judge:a": words}))
    assert 'map: {"1_part": ?, "2_full": ?}' in first.text
    assert 'calibrate: {against: "human:ada", map: {"1_part": ?, "2_full": ?}}' in first.text
    assert first.remarks[1].startswith('The labels of human:ada are words ("1_part", "2_full")')


def test_inspects_letters_are_worth_what_inspect_says(tmp_path: Path) -> None:
    """Correct, incorrect, no answer: a proportion, unless there are partial ones."""
    for letters, partial in ((["C", "I"] * 10, {}), (["C", "I", "P", "N"] * 5, {"P": 0.5})):
        first = begun(imported(tmp_path / str(len(set(letters))), {"inspect:match": letters}))
        assert YAML(typ="safe").load(first.text)["scorers"][0]["map"] == {"C": 1, "I": 0, "N": 0, **partial}
        assert len(first.remarks) == 1


def test_shares_are_scores(tmp_path: Path) -> None:
    """Numbers between 0 and 1 that are neither."""
    first = begun(imported(tmp_path / "d", {"rule:x": [0.25, 1] * 10}))
    assert YAML(typ="safe").load(first.text)["scorers"][0]["unit"] == "score"


def test_without_labels_outputs_are_compared_with_references(tmp_path: Path) -> None:
    """And it is said that a scorer has to be chosen."""
    first = begun(imported(tmp_path / "d", {}))
    assert YAML(typ="safe").load(first.text)["gate"]["primary"] == ["correct"]
    assert "Choose a scorer" in first.remarks[0]


def test_words_that_mean_yes_and_no_are_read_as_such(tmp_path: Path) -> None:
    """And it is said, for they may mean something else here."""
    first = begun(imported(tmp_path / "d", {"human:ada": ["Yes", "no"] * 10, "judge:a": ["Yes", "no"] * 10}))
    assert YAML(typ="safe").load(first.text)["scorers"][0]["map"] == {"Yes": 1, "no": 0}
    assert 'calibrate: {against: "human:ada", map: {"Yes": 1, "no": 0}}' in first.text
    assert first.remarks[1].startswith("The labels of human:ada are words: 'Yes' as 1, 'no' as 0.")
