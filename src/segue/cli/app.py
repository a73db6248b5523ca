"""The tree of commands, and the one place where errors become words and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module

import click

from segue.cli.groups import CommandGroup
from segue.cli.streams import explain, flush_out, prepare_streams, stop_writing
from segue.errors import CommandLineError, SegueError

ERROR, USAGE, INTERRUPTED = 1, 2, 130

COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("workspace_commands", "Make a workspace that a team keeps in git."),
    "check": ("workspace_commands", "Validate the whole workspace; report all faults at once."),
    "bundle": ("bundle_commands", "Add, list, show, compare, retire and verify bundles."),
    "suite": ("suite_commands", "Look at suites: what they hold, and what is thin."),
    "eval": ("eval_commands", "Run candidate and incumbent on the suite, and judge."),
    "compare": ("eval_commands", "Judge stored or imported results, asking no model."),
    "plan": ("plan_commands", "Try out the plan of an upgrade before it is used."),
    "rehearse": ("rehearse_commands", "Run a whole upgrade on virtual time, troubles included."),
    "route": ("route_commands", "Which bundle serves whom: show, set, flip, history, apply."),
    "upgrade": ("upgrade_commands", "Open an upgrade, and act on one: advance, approve, hold, pause, …"),
    "status": ("status_commands", "Where an upgrade stands, what happens next, who must do what."),
    "history": ("status_commands", "Everything that happened to an upgrade, and why."),
    "why": ("status_commands", "One decision with the evidence it was made on."),
    "rollback": ("rollback_commands", "The incumbent for everyone, now, whatever else is down."),
    "serve": ("controller_commands", "The gateway and the controller in one go."),
    "controller": ("controller_commands", "Lead the open upgrades, and serve the HTTP API."),
    "ready": ("ready_commands", "Check by doing whether a rollback would work."),
    "drill": ("ready_commands", "Practise a rollback for real, and measure it."),
    "incident": ("incident_commands", "What was rolled back, and what is left to do: list, show, note."),
    "gateway": ("gateway_commands", "Serve workflows to OpenAI and Anthropic clients."),
    "daily": ("daily_commands", "Ask the suite of both bundles at the production endpoint."),
    "review": ("review_commands", "Read drawn outputs of an upgrade, and say what is wrong."),
    "tickets": ("ticket_commands", "Support tickets, day by day: add, list."),
    "replay": ("replay_commands", "Send recorded requests through a gateway of staging."),
    "drift": ("drift_commands", "What moved between incumbent and candidate in shadow."),
    "exchanges": ("exchange_commands", "What was answered and shadowed: list, show, export."),
    "show": ("show_commands", "Look at flips, cases and verdicts."),
    "report": ("show_commands", "Write a stored verdict as HTML, Markdown or JSON."),
    "import": ("import_commands", "Bring in results that exist already."),
    "judge": ("judge_commands", "Calibrate a judge against human labels."),
    "log": ("log_commands", "Read and verify the append-only log."),
}
"""Command → the module of `segue.cli` that defines it (as `<name>_command`), and its line in the help."""


class LazyGroup(CommandGroup):
    """Lists commands from the table, and imports one when it is called: `segue --help` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  the signature is click's
        return list(COMMANDS)

    def lines(self) -> Iterable[tuple[str, str]]:
        return [(name, line) for name, (_, line) in COMMANDS.items()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"segue.cli.{module}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command), "a command module defines its commands"
        return command


@click.group(
    cls=LazyGroup,
    name="segue",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Segue releases LLM model upgrades: measure per slice, gate, and be able to go back.",
)
@click.version_option(package_name="segue-ai", prog_name="segue")
def root() -> None:
    """The root of all commands."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `segue` command. Always ends in `SystemExit`, with an exit code of `docs/cli.md`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    prepare_streams()
    code = _run(words, as_json="--json" in words)
    unwritten = flush_out()
    if unwritten is not None and not code:
        code = _tell(explain(unwritten), as_json=False)
    raise SystemExit(code)


def _run(words: list[str], *, as_json: bool) -> int:
    """The exit code; what went wrong is said on the way."""
    stdout = sys.stdout
    try:
        code = root.main(words, prog_name="segue", standalone_mode=False)
    except SegueError as error:
        return _tell(error, as_json=as_json)
    except click.ClickException as error:
        if as_json:
            _tell(CommandLineError(error.format_message(), fix=_where_help_is(error)), as_json=True)
        else:
            error.show()
        return USAGE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\nInterrupted. What was finished is kept; run the same command again to go on.\n")
        return INTERRUPTED
    except BrokenPipeError:
        stop_writing(sys.stdout)
        return 0
    except OSError as error:
        return _tell(explain(error), as_json=as_json)
    except SystemExit as stop:
        if sys.stdout is not stdout:
            # Click found that the reader of its help went away, and changed the stream to say no more.
            sys.stdout = stdout
            stop_writing(stdout)
            return 0
        code = stop.code
    return code if isinstance(code, int) else 0


def _tell(error: SegueError, *, as_json: bool) -> int:
    from segue.cli.screen import print_error

    try:
        print_error(error, as_json=as_json)
    except OSError:
        # Standard output takes nothing more. Where standard error does not either, the exit code still tells.
        with suppress(OSError):
            print_error(error, as_json=False)
    return ERROR


def _where_help_is(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"See: {context.command_path} --help." if context is not None else "See: segue --help."
