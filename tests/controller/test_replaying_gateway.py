"""A gateway of a replay's own: what it says when it serves, and why it did not begin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from segue.controller import replaying_gateway
from segue.controller.replaying_gateway import a_child_gateway
from segue.errors import ProviderError

SERVES = """import json, signal
print(json.dumps({"url": "http://127.0.0.1:1", "key": "k", "revisions": {"mail": 3}, "refused": {}}), flush=True)
signal.pause()
"""
REFUSED = """import json
print(json.dumps({"error": {"what": "None of the workflows can be served.", "fix": "Mend one."}}, indent=2))
raise SystemExit(1)
"""


def gateway_is(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """This in place of `segue`."""
    monkeypatch.setattr(replaying_gateway, "SEGUE", (sys.executable, "-c", program))


def test_it_is_there_for_as_long_as_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its address, its key and what it serves."""
    gateway_is(monkeypatch, SERVES)
    with a_child_gateway(tmp_path, "staging", tmp_path / "log") as gateway:
        assert (gateway.url, gateway.key, gateway.revisions) == ("http://127.0.0.1:1", "k", {"mail": 3})


def test_one_that_says_why_it_cannot_serve_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own reason and remedy; the log on standard error would have neither."""
    gateway_is(monkeypatch, REFUSED)
    with pytest.raises(ProviderError) as failed, a_child_gateway(tmp_path, "staging", tmp_path / "log"):
        pass
    assert failed.value.what == "The gateway for the replay did not start: None of the workflows can be served."
    assert failed.value.fix == "Mend one."


def test_one_that_ends_without_a_word_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system's own message is."""
    gateway_is(monkeypatch, "raise SystemExit(1)")
    with (
        pytest.raises(ProviderError, match="it ended before it served") as failed,
        a_child_gateway(tmp_path, "staging", tmp_path / "log"),
    ):
        pass
    assert str(tmp_path / "log") in failed.value.fix
