"""The documentation of reports and verdicts, compared with the code."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from segue.evidence.flips import FlipCounts
from segue.evidence.quantiles import Quantile
from segue.gates import report as report_module
from segue.gates.findings import Finding, Rate
from segue.gates.operations import Amounts, Operation
from segue.gates.report import SCHEMA, CauseFinding, Recommendation, Report
from segue.gates.tally import Unusable
from segue.gates.verdict import EXIT_CODES, WORST_FIRST, Reason, SliceVerdict
from tests.papers import builders

ROOT = Path(__file__).parent.parent.parent
FORMAT = (ROOT / "docs" / "report-format.md").read_text(encoding="utf-8")
VERDICTS = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
NAMED_OTHERWISE = {CauseFinding: "Cause", FlipCounts: "Flips"}
OTHER_MODULES: tuple[type, ...] = (Reason, Finding, Rate, FlipCounts, Unusable, Operation, Amounts, Quantile)
TYPES: tuple[type, ...] = (
    *(
        one
        for one in vars(report_module).values()
        if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__ == report_module.__name__
    ),
    *OTHER_MODULES,
)


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _keys(section: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_key_of_the_json_report_is_documented(kind: type) -> None:
    """In order, with a type and a meaning; no key is documented that is not there."""
    documented = _keys(_sections(FORMAT)[NAMED_OTHERWISE.get(kind, kind.__name__)])
    assert sorted(documented) == sorted(_actual_keys(kind))


def _actual_keys(kind: type) -> list[str]:
    """The keys of a real report's JSON, found where the values of this type are."""
    report = builders.a_support_report()
    body = report.as_json()
    if kind is Report:
        return list(body)
    for value, rendered in _walk(report, body):
        if isinstance(value, kind):
            return list(rendered)
    raise AssertionError(f"the support report holds no {kind.__name__}")


def _walk(value: Any, rendered: Any) -> Any:
    yield value, rendered
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _walk(getattr(value, field.name), rendered[field.name])
    elif isinstance(value, tuple):
        for one, other in zip(value, rendered, strict=True):
            yield from _walk(one, other)


def test_the_documented_schema_is_the_one_that_is_written() -> None:
    """A changed shape changes its number."""
    assert f"version of this shape; now {SCHEMA} |" in FORMAT
    assert builders.a_support_report().as_json()["schema"] == SCHEMA


def test_every_outcome_is_documented_with_its_exit_code() -> None:
    """Scripts rely on them."""
    for outcome in WORST_FIRST:
        assert f"| `{outcome}` | {EXIT_CODES[outcome]} |" in VERDICTS
    assert set(_keys(_sections(VERDICTS)["Outcomes"])) == set(WORST_FIRST)


def test_every_slice_verdict_and_recommendation_is_documented() -> None:
    """And no other."""
    sections = _sections(VERDICTS)
    assert set(_keys(sections["Verdicts of a slice"])) == set(get_args(SliceVerdict))
    assert set(_keys(sections["The recommendation"])) == set(get_args(Recommendation))


def test_every_reason_code_in_the_gates_is_documented_with_its_outcome() -> None:
    """What a reason means and what to do about it can be looked up by its code."""
    documented = {
        (code, outcome)
        for code, outcome in re.findall(r"^\| `([a-z-]+)` \| (fail|hold|caution|pass) \|", VERDICTS, flags=re.MULTILINE)
    }
    assert documented == set(_reasons_in_code())


def _reasons_in_code() -> list[tuple[str, str]]:
    """`(code, outcome)` of every `Reason(…)` under `segue.gates`, read from the source."""
    found = []
    for path in sorted((ROOT / "src" / "segue" / "gates").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Reason"):
                continue
            given = [one.value for one in node.args[:2] if isinstance(one, ast.Constant)]
            if len(given) == 2:
                found.append((str(given[1]), str(given[0])))
    return found
