"""What both demos do: put a workspace in place, show a command as one would type it, and run it.

A command runs in its own process with the terminal as it is, so what is seen here is what Segue prints to anybody.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

EXAMPLES = Path(__file__).resolve().parent
OUTCOMES = {0: "pass", 10: "caution", 11: "hold", 12: "fail"}
"""What the exit code of `segue eval` and `segue compare` says (docs/cli.md)."""
MOST_CHANGES = 5


class DemoError(Exception):
    """A command did something else than the demo expected; its own message is on the screen already."""


class Walkthrough:
    """A series of commands in one workspace, each with a sentence on why it is run."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._screen = Console(highlight=False, soft_wrap=False)
        if not self._screen.is_terminal:
            self._screen.width = 100
        self._segue = find_segue()
        self._step = 0

    def say(self, text: str, *, style: str = "") -> None:
        """A paragraph, and the blank line after it."""
        for line in textwrap.wrap(text, min(self._screen.width, 100)):
            self._screen.print(Text(line, style))
        self._screen.print()

    def title(self, text: str) -> None:
        """What this is about, in a line above a rule."""
        self._screen.print(Text(text, "bold"))
        self._screen.rule(style="dim")

    def step(self, text: str) -> None:
        """Begin the next step."""
        self._step += 1
        self._screen.rule(style="dim")
        self._screen.print(Text(f"{self._step}. {text}", "bold"))

    def line(self, head: str, rest: str = "") -> None:
        """Something that happened, in at most two lines."""
        text = Text(f"  {head}", "bold")
        room = 2 * (min(self._screen.width, 100) - 4) - len(head)
        shown_rest = textwrap.shorten(rest, max(room, 40), placeholder=" …") if rest else ""
        self._screen.print(text.append(f"  {shown_rest}", "not bold"), soft_wrap=False)

    def command(self, text: str) -> None:
        """A command as it would be typed, where the demo runs it in its own way."""
        self._screen.print(Text(f"$ {text}", "bold cyan"), soft_wrap=True)

    def bullets(self, items: Collection[tuple[str, str]]) -> None:
        """Things to try: what for, and the command or place."""
        for what, command in items:
            for index, line in enumerate(textwrap.wrap(what, min(self._screen.width, 100) - 2)):
                self._screen.print(Text(f"{'  ' if index else '• '}{line}"))
            self._screen.print(Text(f"    {command}", "bold"), soft_wrap=True)

    def run(
        self,
        *words: str,
        allowed: Collection[int] = (0,),
        pipe: Sequence[str] = (),
        columns: int | None = None,
        tight: bool = False,
    ) -> int:
        """Show `segue WORDS` and run it; returns its exit code. `DemoError` where that is not `allowed`.

        `pipe` is `("head", "-n", "8")` or `("grep", "-E", pattern)`: shown behind the command, done here. `$NAME` in a word is
        shown as it is and filled in from the environment. `columns` asks for another width than the usual one of a pipe;
        `tight` leaves out the blank lines.
        """
        shown_words = [word if "$" in word else shlex.quote(word) for word in ("segue", *words)]
        piped = f" | {shlex.join(pipe)}" if pipe else ""
        width = f"COLUMNS={columns} " if columns else ""
        self._screen.print(Text(f"$ {width}{' '.join(shown_words)}{piped}", "bold cyan"), soft_wrap=True)
        if not tight:
            self._screen.print()
        command = [*self._segue, *map(os.path.expandvars, words)]
        environment = {**os.environ, "COLUMNS": str(columns)} if columns else None
        if not pipe:
            code = subprocess.run(command, cwd=self.workspace, check=False, env=environment).returncode
        else:
            done = subprocess.run(
                command, cwd=self.workspace, check=False, env=environment, stdout=subprocess.PIPE, encoding="utf-8"
            )
            code = done.returncode
            for line in _piped(done.stdout.splitlines(), pipe):
                self._screen.print(Text(line), soft_wrap=True)
        if code not in allowed:
            raise DemoError(f"`segue {words[0]}` ended with exit code {code}, which the demo did not expect.")
        if not tight:
            self._screen.print()
        return code


def _piped(lines: Sequence[str], pipe: Sequence[str]) -> Iterator[str]:
    if pipe[0] == "head":
        yield from lines[: int(pipe[-1])]
    else:
        assert pipe[0] == "grep", pipe
        yield from (line for line in lines if re.search(pipe[-1], line))


def find_segue() -> list[str]:
    """The command of the environment this script runs in."""
    beside = shutil.which("segue", path=str(Path(sys.executable).parent))
    return [beside] if beside else [sys.executable, "-c", "from segue.cli import main; main()"]


def place_workspace(example: Path, target: Path, *, left_out: Collection[str] = ()) -> list[str] | None:
    """Copy `example` to `target`. Where it is there already nothing is touched, and the files that differ are returned."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(example, target, ignore=shutil.ignore_patterns(".segue", "__pycache__", *left_out))
        return None
    return [
        str(path.relative_to(example))
        for path in _files(example, left_out)
        if not (target / path.relative_to(example)).is_file()
        or not filecmp.cmp(path, target / path.relative_to(example), shallow=False)
    ]


def _files(example: Path, left_out: Collection[str]) -> Iterator[Path]:
    for path in sorted(example.rglob("*")):
        if path.is_file() and not {".segue", "__pycache__", *left_out} & set(path.relative_to(example).parts):
            yield path


def put_aside(target: Path) -> Path | None:
    """Rename what an earlier run left, so that nothing of it is lost and this run begins afresh."""
    if not target.exists():
        return None
    aside = next(one for number in range(1, 10_000) if not (one := target.with_name(f"{target.name}.{number}")).exists())
    target.rename(aside)
    return aside


def earlier_state(changed: list[str], target: Path) -> str:
    """What to say of a workspace that was there before."""
    if not changed:
        return f"{shown(target)} is there from an earlier run: its stored answers are used again, and nothing is asked twice."
    names = ", ".join(changed[:MOST_CHANGES]) + (
        f" and {len(changed) - MOST_CHANGES} more" if len(changed) > MOST_CHANGES else ""
    )
    return (
        f"{shown(target)} is there from an earlier run and differs from the example in {names}. "
        f"It is used as it is; to begin afresh, delete the folder."
    )


def shown(path: Path) -> str:
    """`path` as one would write it from the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def main(perform: Callable[[Path], None], about: str) -> int:
    """Parse the one option, perform, and turn the ways to end early into exit codes."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "--out", type=Path, default=EXAMPLES.parent / "demo-out", help="where workspaces are put (default: demo-out)"
    )
    folder: Path = parser.parse_args().out
    # Told to end, a demo ends what it started, as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        perform(folder)
    except DemoError as error:
        sys.stderr.write(f"\n{error}\nTo begin afresh, delete {shown(folder)}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. Run it again to go on: what was finished is kept.\n")
        return 130
    return 0
