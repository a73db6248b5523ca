"""LangChain (Python): ChatOpenAI over both of OpenAI's APIs, and ChatAnthropic."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.clients.shop import KEY, Shop
from tests.gateway.clients.speakers import PIXEL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SCRIPT = Path(__file__).parent / "langchain_script.py"
APIS = ["chat", "messages", "responses"]
WORKFLOWS = ["gpt", "gpt-responses-thinks", "claude-opus-thinks"]
MISSING = [name for name in ("langchain_openai", "langchain_anthropic") if importlib.util.find_spec(name) is None]


@pytest.mark.skipif(bool(MISSING), reason="LangChain is not installed: pip install langchain-openai langchain-anthropic")
def test_chains_are_served_by_either_provider(shop: Shop) -> None:
    """Whole, streamed, async, bound tools both ways, structured output by schema and by tool, a picture, an error."""
    environ = {**os.environ, "SEGUE_URL": shop.url, "SEGUE_KEY": KEY}
    command = [sys.executable, str(SCRIPT), PIXEL, *WORKFLOWS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environ)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert sorted(told["refused"]) == APIS
    assert all("NotFoundError" in one and "Did you mean 'claude'" in one for one in told["refused"].values())
    plain, order = "Tools said: . Images seen: 0.", {"number": 1, "paid": True, "items": ["text"]}
    called = {"name": "weather", "args": {"city": "text"}, "answer": "Tools said: text: 18 degrees. Images seen: 0."}
    assert sorted(told["found"]) == sorted(WORKFLOWS)
    for found in told["found"].values():
        assert sorted(found) == APIS
        for one in found.values():
            assert one.pop("tokens") > 1
            assert one == {
                "whole": plain,
                "streamed": {"text": plain, "pieces": 8},
                "async": plain,
                "tool": called,
                "tool streamed": called,
                "form": order,
                "form by tool": order,
                "picture": "Tools said: . Images seen: 1.",
            }
