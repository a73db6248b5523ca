"""Writes the second half of `docs/cli.md` from the tree of commands: `python -m tests.cli.reference`.

The first half, above the mark, is written by hand. A test compares the page with the commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from segue.cli.app import root

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
MARK = "<!-- From here on written by `python -m tests.cli.reference`. -->\n"


def page() -> str:
    """The whole page."""
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert mark, "the mark stands between what is written by hand and what is not"
    return "\n".join([head + mark, *(section(path, command) for path, command in commands())])


def commands() -> Iterator[tuple[list[str], click.Command]]:
    """Every command with its words, groups before what is in them, in the order of the help."""
    yield from _under([], root)


def _under(path: list[str], group: click.Group) -> Iterator[tuple[list[str], click.Command]]:
    context = click.Context(group, info_name="segue")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield [*path, name], command
        if isinstance(command, click.Group):
            yield from _under([*path, name], command)


def section(path: list[str], command: click.Command) -> str:
    """One command: how it is called, what it does, its options."""
    context = click.Context(command, info_name=" ".join(["segue", *path]))
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"{'#' * (len(path) + 1)} segue {' '.join(path)}", "", "```text", usage, "```", "", prose(command.help or "")]
    options = [one for one in command.params if isinstance(one, click.Option)]
    if options:
        lines += ["", "| option | meaning |", "|---|---|"]
        lines += [f"| {names(option, context)} | {meaning(option)} |" for option in options]
    return "\n".join(lines) + "\n"


def prose(text: str) -> str:
    """Help as Markdown: a sentence per line, as in the other pages."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    return "\n\n".join(re.sub(r"(?<=[a-z)\]`A-Z][.]) (?=[A-Z`])", "\n", one) for one in paragraphs)


def names(option: click.Option, context: click.Context) -> str:
    """`--limit` and what it takes."""
    value = "" if option.is_flag else " " + option.make_metavar(context).replace("|", "\\|")
    return f"`{', '.join(option.opts)}{value}`"


def meaning(option: click.Option) -> str:
    """Its help, its bounds, its default, and whether it has to be there."""
    remarks = []
    if option.required:
        remarks.append("required")
    if isinstance(option.type, click.IntRange):
        remarks.append(bounds(option.type))
    if option.show_default:
        remarks.append(f"default `{option.default}`")
    text = (option.help or "").rstrip(".")
    return text + (f" ({', '.join(remarks)})" if remarks else "")


def bounds(numbers: click.IntRange) -> str:
    """The numbers there are."""
    least: Any = numbers.min
    return f"from {least}" if numbers.max is None else f"{least} to {numbers.max:,}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
