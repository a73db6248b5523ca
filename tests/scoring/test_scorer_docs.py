"""`docs/scorers.md` names every type, setting and default of the code, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from segue.scoring.call_matching import CallError
from segue.scoring.registry import SCORER_TYPES, wanted_metrics
from segue.scoring.settings import SHARED_KEYS
from tests.scoring.builders import a_spec, a_workflow
from tests.scoring.test_registry import NEEDED

TEXT = (Path(__file__).parents[2] / "docs" / "scorers.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def test_every_type_has_a_section():
    """And no section is about a type that does not exist."""
    assert set(SECTIONS) == set(SCORER_TYPES)


def test_the_keys_that_every_scorer_has_are_named():
    """Those that are no setting of a type."""
    head = TEXT.partition("\n## ")[0]
    for key in SHARED_KEYS:
        assert f"`{key}`" in head


@pytest.mark.parametrize("kind", SCORER_TYPES)
def test_every_setting_is_listed_with_its_default(kind):
    """`required` where it has none, `none` or `all` where nothing is set; else the value as YAML takes it."""
    fields = SCORER_TYPES[kind].settings_model().model_fields
    rows = {name: default for name, default, _ in ROW.findall(SECTIONS[kind])}
    assert set(rows) == {field.alias or name for name, field in fields.items()}
    for name, field in fields.items():
        shown = rows[field.alias or name]
        if field.is_required():
            assert shown == "required"
            continue
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel) or default in (None, (), {}):
            assert shown == "none"
        elif name == "traits":
            assert shown == "all"
        else:
            assert shown == f"`{default if isinstance(default, str) else json.dumps(default)}`"


@pytest.mark.parametrize("kind", SCORER_TYPES)
def test_every_metric_is_described(kind):
    """By its name, with the scorer's own name as `<name>`."""
    section = SECTIONS[kind]
    for metric in wanted_metrics(a_workflow(a_spec(kind, **NEEDED.get(kind, {})))):
        suffix = metric.name.removeprefix("metric")
        assert f"`<name>{suffix}`" in section or "`<name>.<trait>`" in section, metric.name


def test_every_error_of_a_call_is_named():
    """What the detail of a tool-call score may say."""
    for error in CallError.__args__:
        assert f"`{error}`" in SECTIONS["tool_calls"]
