"""What a replay says where nobody watches a bar: enough for whoever asks whether it still moves."""

from __future__ import annotations

import pytest

from segue.cli import replay_commands
from segue.controller.replaying import Tally


@pytest.mark.parametrize(("silence_s", "lines"), [(0.0, 2), (3_600.0, 0)], ids=["now", "later"])
def test_a_replay_that_is_piped_says_now_and_then_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], silence_s: float, lines: int
) -> None:
    """On standard error: a job that goes on is told by it from one that hangs."""
    monkeypatch.setattr(replay_commands, "SILENCE_S", silence_s)
    with replay_commands._watching() as watch:
        watch.told(Tally(answered=3))
        watch.waiting(7, 5)
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == lines
    assert ("3 of 0 requests sent." in told.err, "5 of 7 shadows" in told.err) == (lines > 0, lines > 0)
