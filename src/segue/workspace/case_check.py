"""Whether a case fits its workflow: its slices are declared, its task is known. Pure.

A workflow that declares no slices takes them as they come.
"""

from __future__ import annotations

from collections.abc import Iterator

from segue.errors import Fault
from segue.model import Case, Workflow
from segue.workspace.document import clipped, likely_name, listed


def check_case(case: Case, workflow: Workflow, *, file: str, line: int) -> Iterator[tuple[str, Fault]]:
    """Faults with their kind, as `FaultTally` counts them."""

    def fault(path: str, what: str, fix: str, likely: str | None = None) -> Fault:
        return Fault(what, fix, file=file, line=line, path=path, likely=likely)

    for name, value in case.slice.items():
        if name == "task":
            if value != case.task:
                what = f"The slice 'task={clipped(value)}' contradicts the task '{clipped(case.task)}'."
                yield "cases with two tasks", fault("slice.task", what, "Keep `task` and delete it from `slice`.")
            continue
        if not workflow.slices:
            continue
        if name not in workflow.slices:
            what = f"The slice '{clipped(name)}' is not declared by the workflow."
            fix = f"Add it under `slices:` in workflow.yaml; declared are {listed(workflow.slices)}."
            yield (
                "cases with an undeclared slice",
                fault(f"slice.{clipped(name)}", what, fix, likely_name(name, workflow.slices)),
            )
            continue
        values = workflow.slices[name].values
        if values and value not in values:
            near = likely_name(value, values)
            what = f"The slice '{name}={clipped(value)}' is not declared."
            declared = listed(f"{name}={one}" for one in values)
            fix = f"Declared are {declared}; add it to slices.{name}.values in workflow.yaml if it is meant."
            likely = f"'{name}={near.strip(chr(39))}'" if near else None
            yield "cases with an undeclared slice", fault(f"slice.{name}", what, fix, likely)
    tasks = workflow.slices["task"].values if "task" in workflow.slices else ()
    if tasks and case.task not in tasks:
        what = f"The task '{clipped(case.task)}' is not declared."
        fix = f"Declared are {listed(tasks)}; add it to slices.task.values in workflow.yaml if it is meant."
        yield "cases with an undeclared task", fault("task", what, fix, likely_name(case.task, tasks))
