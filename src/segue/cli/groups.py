"""How groups of commands are listed, and what is said to a command that is not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import click


class CommandGroup(click.Group):
    """Lists its commands in the order they were written, each with the whole first sentence of its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  the signature is click's
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(self.lines()))

    def lines(self) -> Iterable[tuple[str, str]]:
        """Command and its line in the list, in order."""
        for name, command in self.commands.items():
            yield name, command.get_short_help_str(limit=1000)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the near commands when there is none of that name."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            raise click.UsageError(no_command(args[0], names, ctx.command_path), ctx)
        return super().resolve_command(ctx, args)


def no_command(name: str, known: Sequence[str], path: str) -> str:
    """There is no such command; the near ones, else where they are listed."""
    near = get_close_matches(name, known, n=2)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"See them with: {path} --help."
    return f"There is no command '{name[:80]}'. {hint}"
