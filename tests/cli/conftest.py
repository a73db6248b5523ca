"""A workspace to type commands in, and the command line as the tests call it: in this process, with its real exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from segue.cli import main


@dataclass(frozen=True)
class Typed:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document it has to be."""
        return json.loads(self.out)


Segue = Callable[..., Typed]


def exit_code(words: tuple[str, ...]) -> int:
    """Run `segue` with these words here."""
    with pytest.raises(SystemExit) as left:
        main(words)
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "SEGUE_STATE", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEGUE_AUTHOR", "ada")


@pytest.fixture
def segue(capsys: pytest.CaptureFixture[str]) -> Segue:
    """Type a command: `segue("check", "--json")`."""

    def type_it(*words: str) -> Typed:
        capsys.readouterr()
        code = exit_code(words)
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err, "a user's mistake shows no traceback"
        return Typed(code, shown.out, shown.err)

    return type_it


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue) -> Path:
    """What `segue init` writes, as the working folder; nothing has been asked yet."""
    monkeypatch.chdir(tmp_path)
    assert segue("init").code == 0
    return tmp_path


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after its first eval. To be copied, not used."""
    folder = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGUE_AUTHOR", "ada")
        patch.chdir(folder)
        assert exit_code(("init",)) == 0
        assert exit_code(("eval", "support-reply", "--candidate", "candidate")) == 11
    return folder


@pytest.fixture
def judged(evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of one's own in which the candidate was evaluated once, as the working folder."""
    return own_copy(evaluated, tmp_path, monkeypatch)


def own_copy(made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a fixture made once, in a folder of one's own, which becomes the working folder."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that has to be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
