"""Plans of a workflow: `plans/<plan>.yaml`, found, read and checked. What has to fit together is `plan_check`'s."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segue.errors import Fault, InputError, NotFoundError
from segue.model import Workflow
from segue.model.plan import Plan
from segue.workspace.document import Document, Reading, clipped
from segue.workspace.known_parts import metrics_of
from segue.workspace.partial import NOTHING, Lost
from segue.workspace.plan_check import check_plan
from segue.workspace.secrets import find_secrets
from segue.workspace.shape import parse
from segue.workspace.text_file import YAML_LIMIT, Root, entries, read_text
from segue.workspace.workspace import Workspace
from segue.workspace.yaml_file import read_yaml

SUFFIX = ".yaml"


def plan_names(folder: Path) -> list[str]:
    """The names of the plans in a workflow's folder."""
    names = (path.name for path in entries(folder / "plans"))
    return [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX) and name != SUFFIX]


def read_plan(root: Root, folder: Path, name: str) -> tuple[Reading[Plan], Document | None]:
    """`plans/<name>.yaml` with all faults of its form, and the document that places come from."""
    path = folder / "plans" / f"{name}{SUFFIX}"
    text = read_text(root, path, limit=YAML_LIMIT)
    if text.value is None:
        return Reading(None, text.faults), None
    parsed = read_yaml(text.value, root.shown(path))
    if parsed.value is None:
        return Reading(None, parsed.faults), None
    shaped = parse(Plan, parsed.value)
    return Reading(shaped.value, (*parsed.faults, *_without_echo(shaped.faults))), parsed.value


def _without_echo(faults: tuple[Fault, ...]) -> Iterator[Fault]:
    """A gate that cannot be read is left out, and then `gates` seems to be empty: only the gate's own fault is told."""
    inside = any((one.path or "").startswith("gates[") for one in faults)
    return (one for one in faults if not (inside and one.path == "gates"))


def find_plan(workspace: Workspace, ref: str) -> tuple[str, str]:
    """The workflow and the name of the plan that `ref` means: `workflow/plan`, its file, or its name where one alone has it."""
    known = {
        f"{workflow}/{plan}": (workflow, plan)
        for workflow in workspace.workflows
        for plan in plan_names(workspace.folder(workflow))
    }
    if ref in known:
        return known[ref]
    try:
        path = Path(ref).resolve()
        by_file = [
            found
            for found in known.values()
            if (workspace.root / "workflows" / found[0] / "plans" / f"{found[1]}{SUFFIX}").resolve() == path
        ]
    except (OSError, ValueError, RuntimeError):
        by_file = []
    by_name = by_file or [found for found in known.values() if found[1] == ref.removesuffix(SUFFIX)]
    if len(by_name) == 1:
        return by_name[0]
    if by_name:
        shown = " or ".join("/".join(one) for one in by_name)
        raise InputError(f"Several workflows have a plan '{clipped(ref)}'.", fix=f"Write {shown}.")
    fix = "Write workflows/WORKFLOW/plans/PLAN.yaml (docs/plan.md says what is in it)."
    names = known if "/" in ref else {plan for _, plan in known.values()}
    raise NotFoundError.naming("plan", clipped(ref), names, fix=fix)


def plan_faults(root: Root, folder: Path, name: str, workflow: Workflow | None, lost: Lost = NOTHING) -> Iterator[Fault]:
    """Everything that is wrong with a plan; of its form alone where the workflow cannot be read.

    `lost` is what faults hide of the workflow, its scorers' own among them.
    """
    reading, document = read_plan(root, folder, name)
    yield from reading.faults
    if document is None:
        return
    yield from find_secrets(document, by_name=False)
    if reading.value is not None and workflow is not None:
        metrics = {metric.name: metric for metric in metrics_of(workflow)}
        yield from check_plan(reading.value, document, workflow, metrics, lost)
