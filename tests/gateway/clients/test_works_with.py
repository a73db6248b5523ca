"""The table "Works with" of docs/gateway.md: the clients, and the versions that were tried."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
JS = json.loads((Path(__file__).parent / "js" / "package.json").read_text(encoding="utf-8"))["dependencies"]
PYTHON = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
)
TRIED = {
    "openai (Python)": [PYTHON["openai"]],
    "anthropic (Python)": [PYTHON["anthropic"]],
    "langchain-openai": [PYTHON["langchain-openai"]],
    "langchain-anthropic": [PYTHON["langchain-anthropic"]],
    "llm-comply": [PYTHON["llm-comply"]],
    "openai (JavaScript)": [JS["openai"]],
    "@anthropic-ai/sdk": [JS["@anthropic-ai/sdk"]],
    "ai with @ai-sdk/openai": [JS["ai"], JS["@ai-sdk/openai"]],
    "ai with @ai-sdk/anthropic": [JS["ai"], JS["@ai-sdk/anthropic"]],
    "ai with @ai-sdk/openai-compatible": [JS["ai"], JS["@ai-sdk/openai-compatible"]],
    "@langchain/openai": [JS["@langchain/openai"]],
    "@langchain/anthropic": [JS["@langchain/anthropic"]],
}


def test_the_page_names_the_versions_that_the_tests_run() -> None:
    """Those of `constraints.txt` and of `js/package.json`, and no other client."""
    section = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8").split("## Works with\n")[1].split("\n## ")[0]
    table = section.split("| client | version | over |\n|---|---|---|\n")[1].split("\n\n")[0]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in table.splitlines()]
    assert {name.replace("`", ""): version.split(", ") for name, version, _ in rows} == TRIED
