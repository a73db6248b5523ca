"""What the README and the guides say is true of the program."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import click
import pytest
from rich.console import Console

from segue.cli.app import root
from tests.recorded.workspace import Recorded

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands_in(text: str) -> list[list[str]]:
    """The `segue …` lines of console blocks, split into words; alternatives like `a | b` and comments left out."""
    found = []
    for block in re.findall(r"```(?:console|bash|sh)\n(.*?)```", text, flags=re.DOTALL):
        typed = [line for line in block.splitlines() if line.startswith(("$ ", "segue "))]
        for line in typed:
            for part in line.removeprefix("$ ").split("&&"):
                words = shlex.split(part, comments=True)
                if words[:1] == ["segue"]:
                    found.append(words[1:])
    return found


def parses(words: list[str]) -> None:
    """Raise what click raises if the words are no command line of ours."""
    command: click.Command = root
    context = click.Context(root, info_name="segue")
    while isinstance(command, click.Group) and words and not (command.invoke_without_command and words[0].startswith("-")):
        name, inner, words = command.resolve_command(context, words)
        assert inner is not None
        assert name is not None
        context, command = click.Context(inner, info_name=name, parent=context), inner
    command.parse_args(context, list(words))


def fault_of(words: list[str]) -> str | None:
    """What click has to say against the words, if anything."""
    try:
        parses(words)
    except click.UsageError as error:
        return error.message
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_docs_is_one(page: Path) -> None:
    """Commands and their options exist as they are written."""
    for words in commands_in(page.read_text(encoding="utf-8")):
        if any(word in ("…", "...", "|") for word in words):
            continue
        fault = fault_of(words)
        # A file that is only an example need not be there.
        assert fault is None or "does not exist" in fault, f"{' '.join(words)}: {fault}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links between pages, and pictures, exist."""
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} → {target}"


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    """`make demo` and `make test`, and the one on recorded upgrades."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.recorded
def test_the_picture_of_real_output_is_real(recorded: Recorded) -> None:
    """Every line of the README's report is printed by the comparison it names."""
    from segue.papers.terminal import print_report

    report = recorded.compare("tool-calling", "gpt-4-0613-FC", "gpt-4-1106-preview-FC")
    screen = Console(file=io.StringIO(), width=100)
    print_report(report, screen)
    assert isinstance(screen.file, io.StringIO)
    printed = re.sub(r"\s+", " ", screen.file.getvalue())
    shown = README.split("```console\n", 1)[1].split("```", 1)[0]
    lines = [line for line in shown.splitlines() if line.strip() and not line.startswith("$") and "…" not in line]
    assert len(lines) > 10
    missing = [line for line in lines if re.sub(r"\s+", " ", line.strip()) not in printed]
    assert missing == []
