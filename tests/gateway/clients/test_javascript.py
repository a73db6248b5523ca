"""The JavaScript clients: each script asks what the Python tests ask, whole, streamed, with tools, forms and pictures.

Node 20 or later and the packages of `js/package-lock.json` are needed; `make test` installs them where npm is present.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.clients.shop import KEY, Shop
from tests.gateway.clients.speakers import FOUND

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

HERE = Path(__file__).parent / "js"
SPEAK = {
    "openai": ["chat", "responses"],
    "anthropic": ["messages"],
    "vercel": ["responses", "chat", "messages", "compatible"],
    "langchain": ["chat", "responses", "messages"],
}
"""The scripts, and the APIs each of them asks through."""
OLDEST_NODE = 20


@pytest.fixture(scope="session")
def node() -> str:
    """The program; the test is skipped where it or the packages are not here."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not on this machine: the JavaScript clients are not tried.")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node {version.strip()} is older than the clients run on ({OLDEST_NODE}): they are not tried.")
    # npm writes this file last: without it an installation broke off.
    if not (HERE / "node_modules" / ".package-lock.json").is_file():
        pytest.skip("The JavaScript clients are not installed: npm ci --ignore-scripts --prefix tests/gateway/clients/js")
    return found


def run(node: str, shop: Shop, script: str, workflow: str) -> dict[str, Any]:
    """What a script reports."""
    told = {"SEGUE_URL": shop.url, "SEGUE_KEY": KEY, "PATH": os.environ["PATH"], "NO_COLOR": "1"}
    command = [node, str(HERE / f"{script}.mjs"), workflow]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=told)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("workflow", ["gpt", "gpt-responses-thinks", "claude-opus-thinks"])
@pytest.mark.parametrize("script", SPEAK)
def test_a_client_of_javascript_is_served_by_either_provider(node: str, shop: Shop, script: str, workflow: str) -> None:
    """Whole, streamed, tools both ways, a form, a picture, and the errors its SDK knows."""
    found = run(node, shop, script, workflow)
    plain = "Tools said: . Images seen: 0."
    called = {"name": "weather", "args": {"city": "Bern"}, "answer": f"Tools said: {FOUND}. Images seen: 0."}
    for api in SPEAK[script]:
        assert {name: result for name, result in found.items() if name.startswith(f"{api} ")} == {
            f"{api} whole": plain,
            f"{api} streamed": {"text": plain, "pieces": 8},
            f"{api} tool": called,
            f"{api} tool streamed": called,
            f"{api} form": {"number": 1, "paid": True, "items": ["text"]},
            f"{api} picture": "Tools said: . Images seen: 1.",
        }
    assert found["wrong key"]["status"] == 401
    assert found["no such workflow"]["status"] == 404
    assert "Did you mean 'claude'" in found["no such workflow"]["message"]
    assert all(found.get(name, True) for name in ("models", "left early"))


def test_the_lock_names_no_registry() -> None:
    """So that it installs from whatever registry a machine uses."""
    packages = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert len(packages) > 20
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in packages.items() if name)


def test_what_is_installed_is_pinned() -> None:
    """The versions that the docs name are those that were tried."""
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(version[0].isdigit() for version in wanted.values())
