"""`llm-comply` (PyPI) against the gateway: every request form it knows, with answers checked against the published schemas."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.clients.shop import KEY, Shop

runner: Any = pytest.importorskip("llm_comply.runner", reason="llm-comply is not installed: pip install llm-comply")
schema: Any = pytest.importorskip("llm_comply.schema")
settings: Any = pytest.importorskip("llm_comply.config")
their: Any = pytest.importorskip("llm_comply.tests")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning"),  # by llm-comply itself
]

PAGE = Path(__file__).parents[3] / "docs" / "gateway.md"
SPECS = Path(str(runner.__file__)).parent / "specs"
FORMATS = {"openai-chat": "openai_chat", "open-responses": "openresponses", "anthropic": "anthropic"}
WORKFLOWS = ["gpt", "gpt-responses", "gpt-responses-thinks", "claude", "gpt-5-thinks", "claude-opus-thinks"]

NO_SUCH_FIELD = "Chat Completions has no field `reasoning`: OpenAI refuses it, and so does the gateway"
WRONG_NAME = "two events of the published schema under the names of their descriptions: it takes them for unknown"
EXPLAINED = {
    ("openai-chat", "gpt-5-thinks", "chat-reasoning-summary"): NO_SUCH_FIELD,
    **{
        ("open-responses", workflow, case): WRONG_NAME
        for workflow in ("claude-opus-thinks", "gpt-responses-thinks")
        for case in ("streaming-response", "streaming-usage")
    },
}
"""What fails, and why that is right. The page has the same list."""


@pytest.mark.parametrize("workflow", WORKFLOWS)
@pytest.mark.parametrize("form", FORMATS)
def test_nothing_fails_that_is_not_explained(shop: Shop, form: str, workflow: str) -> None:
    """Each client dialect before a bundle of either provider's, with and without reasoning."""
    headers = {"anthropic-version": "2023-06-01"} if form == "anthropic" else {}
    config = settings.ComplianceConfig(base_url=f"{shop.url}/v1", api_key=KEY, model=workflow, extra_headers=headers)
    cases = their.get_tests(form)
    suite = runner.TestRunner(config, cases, schema.SpecLoader(str(SPECS / f"{FORMATS[form]}.json"))).run_all()
    assert len(suite.results) == len(cases) > 8
    failed = {one.id: one.errors for one in suite.results if one.status.value == "failed"}
    explained = {case for of, where, case in EXPLAINED if (of, where) == (form, workflow)}
    assert failed.keys() == explained, failed
    for case in explained & {"streaming-response", "streaming-usage"}:
        assert all(re.search(r"unknown SSE event type: response\.reasoning_summary_text\.", one) for one in failed[case])


def test_the_page_explains_each_failure() -> None:
    """By the name llm-comply gives it."""
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{case}`" in text for _, _, case in EXPLAINED)
