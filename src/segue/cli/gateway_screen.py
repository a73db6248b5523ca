"""What `segue gateway` says of itself on standard error: to a person, or a line of JSON for each event."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from rich.markup import escape

from segue.cli.screen import error_console

if TYPE_CHECKING:
    from segue.gateway.keeper import Started
    from segue.gateway.telemetry.lines import Field, Happened, Level
    from segue.model.serving import LogForm

STDERR = 2


class GatewayScreen(Protocol):
    """Who is told what a gateway does."""

    def report(self, what: str | Happened) -> None:
        """Something happened."""

    def started(self, url: str, environment: str, found: Started, metrics: str | None, keys: list[str]) -> None:
        """It serves; `keys` are those made for this start."""

    def stopped(self) -> None:
        """It has ended."""


def open_screen(log: LogForm) -> GatewayScreen:
    """As it was asked for."""
    return TextScreen() if log == "text" else JsonScreen()


class TextScreen:
    """To a person: what is wrong, and which route is served now."""

    def __init__(self) -> None:
        self._screen = error_console()

    def report(self, what: str | Happened) -> None:
        """In a line; workers that begin to serve are no news."""
        if isinstance(what, str):
            self._screen.print(what, style="yellow", markup=False, soft_wrap=True)
        elif what.level != "info":
            self._screen.print(what.text, style="yellow", markup=False, soft_wrap=True)
        elif what.event != "worker_serves":
            self._screen.print(what.text, style="dim", markup=False, soft_wrap=True)

    def started(self, url: str, environment: str, found: Started, metrics: str | None, keys: list[str]) -> None:
        """Where it is, what it serves, and how to ask."""
        from segue.gateway.refused_routes import refused_lines

        screen = self._screen
        screen.print(f"Serving {environment} on {url}", style="bold")
        for workflow, revision in sorted(found.revisions.items()):
            screen.print(f"  {escape(workflow)}, revision {revision}")
        for line in refused_lines(found.revisions, found.refused):
            screen.print(f"  {line}", style="yellow", markup=False, soft_wrap=True)
        if not found.revisions and not found.refused:
            screen.print("  No workflow has a route yet: segue route set WORKFLOW BUNDLE. It is served as soon as it is set.")
        for key in keys:
            screen.print("segue.yaml declares no gateway key, so this one is valid until the gateway ends:")
            screen.print(f"  {key}", markup=False, soft_wrap=True)
        if metrics is not None:
            screen.print(f"Metrics: {metrics}", style="dim", soft_wrap=True)
        screen.print(f"OpenAI clients: base URL {url}/v1. Anthropic clients: {url}.", style="dim")

    def stopped(self) -> None:
        """In a line."""
        self._screen.print("Stopped. Requests under way were finished.", style="dim")


class JsonScreen:
    """To a program. No key is ever written: one that was made for this start is had with `--json`, on standard output."""

    def __init__(self) -> None:
        from segue.gateway.telemetry.lines import LineWriter

        self._lines = LineWriter(STDERR, time.time_ns)

    def report(self, what: str | Happened) -> None:
        """A line; what has no name of its own is a `notice`."""
        if isinstance(what, str):
            self._say("notice", what, "warning")
        else:
            self._lines.happened(what)

    def started(self, url: str, environment: str, found: Started, metrics: str | None, keys: list[str]) -> None:
        """That it serves, and every route."""
        from segue.gateway.refused_routes import refused_lines

        self._say("gateway_started", f"Serving {environment} on {url}.", url=url, environment=environment, metrics=metrics)
        for workflow, revision in sorted(found.revisions.items()):
            text = f"Revision {revision} of '{workflow}' is served."
            self._say("route_loaded", text, workflow=workflow, revision=revision)
        for line in refused_lines(found.revisions, found.refused):
            self._say("route_refused", line, "error")
        if keys:
            text = "segue.yaml declares no gateway key: segue gateway key NAME makes one; --json shows that of this start."
            self._say("no_key_declared", text, "warning")

    def stopped(self) -> None:
        """A line."""
        self._say("gateway_stopped", "Stopped. Requests under way were finished.")

    def _say(self, event: str, text: str, level: Level = "info", **fields: Field) -> None:
        from segue.gateway.telemetry.lines import Happened

        self._lines.happened(Happened(event, text, level, fields))
