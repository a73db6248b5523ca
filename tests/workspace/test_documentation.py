"""The documentation names every key there is, with its default, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from segue.model import (
    Budgets,
    Bundle,
    Case,
    CommandCheck,
    Contract,
    CountRule,
    GateSettings,
    ImagePart,
    Message,
    ModelRef,
    Parameters,
    Prompt,
    ScorerSpec,
    SliceSpec,
    TextPart,
    ToolCall,
    ToolSpec,
    Workflow,
)
from segue.model.controlling import ControllerKey, ControllerSettings
from segue.model.serving import GatewayKey, GatewaySettings, Serving
from segue.providers.config import AnthropicConfig, OpenAIConfig
from segue.providers.pacing import RetryPolicy
from segue.providers.pricing import ModelPrice
from segue.providers.recorded import RecordedConfig
from segue.providers.scripted_config import ScriptedConfig, ScriptedModel, SliceShare
from segue.workspace import WorkspaceConfig, check_workspace, init_workspace
from segue.workspace.bundle_source import TEXT_SUFFIXES

DOCS = Path(__file__).parents[2] / "docs"

TABLES: list[tuple[str, str, tuple[type[BaseModel], ...]]] = [
    ("workspace.md", "segue.yaml", (WorkspaceConfig,)),
    ("workspace.md", "The gateway", (GatewaySettings,)),
    ("workspace.md", "A gateway key", (GatewayKey,)),
    ("workspace.md", "The controller", (ControllerSettings,)),
    ("workspace.md", "A controller key", (ControllerKey,)),
    ("workspace.md", "A provider over HTTP", (OpenAIConfig, AnthropicConfig)),
    ("workspace.md", "A recorded provider", (RecordedConfig,)),
    ("workspace.md", "A scripted provider", (ScriptedConfig,)),
    ("workspace.md", "A simulated model", (ScriptedModel,)),
    ("workspace.md", "Retries", (RetryPolicy,)),
    ("workspace.md", "A price", (ModelPrice,)),
    ("workspace.md", "workflow.yaml", (Workflow,)),
    ("workspace.md", "A slice", (SliceSpec,)),
    ("workspace.md", "A scorer", (ScorerSpec,)),
    ("workspace.md", "The gate", (GateSettings,)),
    ("workspace.md", "Budgets", (Budgets,)),
    ("workspace.md", "Serving", (Serving,)),
    ("workspace.md", "bundles/&lt;label&gt;.yaml", (Bundle,)),
    ("workspace.md", "The model", (ModelRef,)),
    ("workspace.md", "The prompt", (Prompt,)),
    ("workspace.md", "Parameters", (Parameters,)),
    ("workspace.md", "A tool", (ToolSpec,)),
    ("workspace.md", "The contract", (Contract,)),
    ("workspace.md", "A count", (CountRule,)),
    ("workspace.md", "A command", (CommandCheck,)),
    ("suite-format.md", "A case", (Case,)),
    ("suite-format.md", "A message", (Message,)),
    ("suite-format.md", "A part of text", (TextPart,)),
    ("suite-format.md", "A part that is an image", (ImagePart,)),
    ("suite-format.md", "A tool call", (ToolCall,)),
    ("suite-format.md", "A tool", (ToolSpec,)),
]

FILLED_IN = {"the folder", "the workflow's", "see below", "see source", "none"}
"""Words in place of a default that the loader fills in, or that is described elsewhere."""


def table_of(file: str, heading: str) -> dict[str, str]:
    """Key → default, of the table under `heading`."""
    text = (DOCS / file).read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|", section, re.MULTILINE))


def default_of(model: type[BaseModel], name: str) -> str:
    """The default as the tables write it."""
    info = model.model_fields[name]
    if info.is_required():
        return "required"
    value: Any = info.get_default(call_default_factory=True)
    assert value is not PydanticUndefined
    if isinstance(value, SliceShare):
        value = int(value.default)
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True)
    return "–" if value in (None, (), {}) else f"`{json.dumps(value)}`"


@pytest.mark.parametrize(("file", "heading", "models"), TABLES, ids=[f"{file}:{heading}" for file, heading, _ in TABLES])
def test_every_key_is_documented_with_its_default(file: str, heading: str, models: tuple[type[BaseModel], ...]) -> None:
    """A key that is added, renamed or given another default fails here until the page says so."""
    documented = table_of(file, heading)
    fields = {name: model for model in models for name in model.model_fields}
    if models == (Bundle,):
        del fields["workflow"]
    assert set(documented) == set(fields)
    for name, model in fields.items():
        shown = documented[name]
        assert shown in FILLED_IN or shown == default_of(model, name), name


def test_the_page_names_every_ending_of_a_prompt_file() -> None:
    """What is a file and what is text has to be known before it is written."""
    text = (DOCS / "workspace.md").read_text(encoding="utf-8")
    assert all(f"`{suffix}`" in text for suffix in TEXT_SUFFIXES)


def test_the_case_on_the_page_is_a_case(tmp_path: Path) -> None:
    """Whoever copies it gets no fault."""
    text = (DOCS / "suite-format.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)
    Case.model_validate_json(example, strict=True)
    init_workspace(tmp_path)
    suite = tmp_path / "workflows/support-reply/suites/main.jsonl"
    case = {**json.loads(example), "variables": {"company": "x"}}
    suite.write_text(suite.read_text() + json.dumps(case) + "\n")
    assert all(fault.severity == "warning" for fault in check_workspace(tmp_path, {}))
