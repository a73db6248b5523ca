"""What can be read of a workflow whose form has faults: the faulty keys are left out, so that everything else is still checked.

`Lost` says what was left out, so that no check takes it for missing. Knows only the form; what has to fit together is
`workflow_check`'s, which asks `Lost` before it speaks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from segue.errors import Fault
from segue.model import Json, Workflow
from segue.workspace.document import Document, Step, ValuePath, has_step, likely_name, show_path
from segue.workspace.shape import Complaint, complaints, known_keys

STAND_IN = "segue_left_out"
"""In the place of a text that cannot be used."""
_ROUNDS = 20
"""Leaving something out can show the next fault; each round leaves something out."""
_OF_ANY_SCORER = ("name", "better", "when", "calibrate", "repaired")


@dataclass(frozen=True, slots=True)
class Lost:
    """What was left out, or cannot be known because of other faults.

    `scorers` are the names of scorers with faults: what they would measure is not known. With `any_metric` not even all of
    their names are.
    """

    paths: frozenset[ValuePath] = frozenset()
    scorers: frozenset[str] = frozenset()
    any_metric: bool = False

    def touches(self, *path: Step) -> bool:
        """Whether something at, around or within `path` was left out."""
        return any(one[: len(path)] == path[: len(one)] for one in self.paths)

    def follows(self, fault: Fault) -> bool:
        """Whether `fault` is about something that was left out, and so was told already."""
        path = fault.path or ""
        shown = (show_path(one) for one in self.paths)
        return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in shown if one)

    def may_measure(self, metric: str) -> bool:
        """Whether a scorer with faults could give `metric`."""
        return self.any_metric or any(metric == name or metric.startswith(f"{name}.") for name in self.scorers)

    def with_scorers(self, faults: Iterable[Fault], workflow: Workflow) -> Lost:
        """This, and the scorers that have faults of their own."""
        numbers = [re.match(r"scorers\[(\d+)\]", one.path or "") for one in faults if one.severity == "error"]
        names = {workflow.scorers[int(found[1])].name for found in numbers if found}
        return Lost(self.paths, self.scorers | names, self.any_metric or None in numbers)


NOTHING = Lost()


def partial_workflow(document: Document) -> tuple[Workflow | None, Lost]:
    """The workflow without its faulty keys, and what is lost with them; `None` where too little is left."""
    value, paths = document.value, set[ValuePath]()
    for _ in range(_ROUNDS):
        try:
            workflow = Workflow.model_validate_json(orjson.dumps(value), strict=True)
        except ValidationError as error:
            found = complaints(error, value)
        except orjson.JSONEncodeError:
            return None, NOTHING
        else:
            return workflow, _lost(document, paths)
        before = value
        # From the last to the first, so that what leaves a list moves nothing that is still to leave it.
        for complaint in sorted(found, key=lambda one: [str(step).zfill(9) for step in one.path], reverse=True):
            paths.update(_hidden(complaint, value))
            value = _mended(value, complaint)
        if value == before:
            return None, NOTHING
    return None, NOTHING


def _lost(document: Document, paths: Collection[ValuePath]) -> Lost:
    """With the names that faulty scorers were given: nobody who uses them is at fault.

    A name given twice leaves open what the second scorer was to be called.
    """
    names, any_metric = set[str](), any(path[:2] == ("scorers",) for path in paths)
    for path in paths:
        if path[0] != "scorers" or len(path) < 2:
            continue
        written = document.at((*path[:2], "name"))
        is_twice = path[2:] == ("name",) and any(
            document.at(("scorers", before, "name")) == written for before in range(int(path[1]))
        )
        if isinstance(written, str) and not is_twice:
            names.add(written)
        else:
            any_metric = True
    return Lost(frozenset(paths), frozenset(names), any_metric)


def _hidden(complaint: Complaint, value: Json) -> Iterator[ValuePath]:
    """The places that nothing can be said of: the faulty one, and what a mistyped key was most likely meant to be.

    Where an unknown key resembles none and holds something, it may be any of the keys that are not there.
    """
    path = complaint.path
    yield path
    if complaint.kind != "extra_forbidden":
        return
    around = _at(value, path[:-1])
    free = [name for name in known_keys(Workflow, path[:-1]) if not (isinstance(around, dict) and name in around)]
    near = likely_name(str(path[-1]), free)
    if near is not None:
        yield (*path[:-1], near.strip("'"))
    elif isinstance(_at(value, path), dict | list):
        yield from ((*path[:-1], name) for name in free)


def _mended(value: Json, complaint: Complaint) -> Json:
    """`value` without what the complaint is about, or with something in its place that no check takes exception to."""
    path = complaint.path
    match path:
        case ():
            return value
        case ("name",):
            return _set(value, path, "left-out")
        case ("scorers", int(index)):
            return _set(value, path, {"name": f"{STAND_IN}_{index}", "type": "exact"})
        case ("scorers", int(index), "name"):
            return _set(value, path, f"{STAND_IN}_{index}")
        case ("scorers", int(), "type"):
            spec = _at(value, path[:-1])
            kept = {key: one for key, one in spec.items() if key in _OF_ANY_SCORER} if isinstance(spec, dict) else {}
            return _set(value, path[:-1], {**kept, "type": "exact"})
        case ("scorers", int(), "when", str(), *_):
            return _without(value, path[:4])
        case ("slices", str()):
            return _set(value, path, {})
        case ("slices", str(), "values", *_):
            return _without(value, path[:3])
        case ("gate", "primary" | "guardrails", int()):
            return _set(value, path, STAND_IN)
    while len(path) > 1 and not has_step(_at(value, path[:-1]), path[-1]):
        path = path[:-1]
    return _without(value, path)


def _at(value: Json, path: ValuePath) -> Json:
    return Document("", value).at(path)


def _set(value: Json, path: ValuePath, new: Json) -> Json:
    return Document("", value).grafted(path, new, {}).value


def _without(value: Json, path: ValuePath) -> Json:
    around = _at(value, path[:-1])
    if isinstance(around, list):
        return _set(value, path[:-1], [one for index, one in enumerate(around) if index != path[-1]])
    if isinstance(around, dict):
        return _set(value, path[:-1], {key: one for key, one in around.items() if key != path[-1]})
    return value
