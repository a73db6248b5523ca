"""`docs/cli.md` is the command line, and every command says what it does."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from tests.cli.reference import PAGE, commands, page

EACH = list(commands())
ALL = [pytest.param(command, id=" ".join(path)) for path, command in EACH]
RESULTS = [one for one in ALL if not isinstance(one.values[0], click.Group) or one.values[0].invoke_without_command]


def test_the_reference_is_written_from_the_commands() -> None:
    """Regenerate it with `python -m tests.cli.reference`, and read the difference."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("command", ALL)
def test_every_command_says_what_it_does(command: click.Command) -> None:
    """In a sentence, and so does every option."""
    assert (command.help or "").partition("\n")[0].endswith((".", ":")) or "." in (command.help or "")
    assert [one.name for one in command.params if isinstance(one, click.Option) and not one.help] == []


@pytest.mark.parametrize("command", RESULTS)
def test_every_result_can_be_had_as_json(command: click.Command) -> None:
    """Whatever a person can read, a script can."""
    assert "--json" in {name for one in command.params for name in one.opts}


def test_help_starts_without_the_heavy_libraries() -> None:
    """`segue --help` answers at once: it loads no command."""
    code = (
        "import sys\nfrom segue.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'rich', 'numpy', 'sqlalchemy', 'pydantic', 'ruamel.yaml', 'aiohttp'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
