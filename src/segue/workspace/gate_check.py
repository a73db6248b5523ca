"""The faults of one workflow's gate, for those about to judge by it: `segue check` finds more, but nobody has to run it.

A gate that names a metric it cannot use, or a slice that no case has, would end in a hold after everything is paid for.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from segue.errors import Fault
from segue.store.base import CaseRow
from segue.workspace.known_parts import check_scorers, metrics_of
from segue.workspace.suite_survey import survey_stored
from segue.workspace.text_file import Root
from segue.workspace.workflow_check import check_slices, check_workflow
from segue.workspace.workspace import read_workflow


def gate_faults(root: Path, workflow: str, suite: str, rows: Iterable[CaseRow] | None) -> list[Fault]:
    """What `segue check` says of scorers, gate and slices of `workflow`; `rows` are the cases it is to judge by, if known.

    Empty for a `workflow.yaml` that cannot be read: whoever reads it says what is wrong with it.
    """
    reading, document = read_workflow(Root(root), workflow)
    if reading.value is None or document is None:
        return []
    faults = list(check_workflow(reading.value, document, check_scorers=check_scorers, metrics_of=metrics_of))
    if rows is not None and not any(fault.severity == "error" for fault in faults):
        faults += check_slices(reading.value, document, survey_stored(suite, rows))
    return faults
