"""What `segue controller` says: a line for each decision, to a person or as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from segue.cli.screen import error_console
from segue.cli.streams import write_out
from segue.controller.moments import iso
from segue.errors import SegueError
from segue.papers.printable import printable_line
from segue.papers.upgrade_words import event_words, moment
from segue.upgrade.decide import where
from segue.upgrade.log import UpgradeEntry


class TextTelling:
    """To a person, on standard error."""

    def __init__(self) -> None:
        self._screen = error_console()

    def decided(self, workflow: str, entry: UpgradeEntry) -> None:
        """In a line, with the first reason."""
        because = f": {entry.because[0]}" if entry.because else ""
        if len(entry.because) > 1:
            because += f" And {len(entry.because) - 1} more: segue why {workflow} {entry.number}"
        text = f"{moment(iso(entry.at))}  {workflow}: {event_words(entry.event)} → {where(entry.state)}{because}"
        self._screen.print(printable_line(text), markup=False, soft_wrap=True)

    def faulty(self, workflow: str, error: SegueError) -> None:
        """With its remedy."""
        text = f"{workflow} cannot be led on: {error.what} {error.fix}".strip()
        self._screen.print(printable_line(text), style="yellow", markup=False, soft_wrap=True)

    def mended(self, workflow: str) -> None:
        """In a line."""
        self._screen.print(f"{workflow} is led on.", style="dim", markup=False, soft_wrap=True)

    def warned(self, workflow: str, text: str) -> None:
        """In a line."""
        self._screen.print(printable_line(f"{workflow}: {text}"), style="yellow", markup=False, soft_wrap=True)

    def standing(self, what: str, text: str) -> None:
        """What is wrong stands out."""
        style = "dim" if what in ("acting", "standing by") else "yellow"
        self._screen.print(printable_line(text), style=style, markup=False, soft_wrap=True)


class JsonTelling:
    """To a program: a line of JSON for each, on standard output."""

    def decided(self, workflow: str, entry: UpgradeEntry) -> None:
        """The entry without its evidence: `segue why --json` has that."""
        body = entry.model_dump(mode="json", exclude={"evidence", "state", "at"})
        self._write({"workflow": workflow, "entry": {**body, "at": iso(entry.at), "place": where(entry.state)}})

    def faulty(self, workflow: str, error: SegueError) -> None:
        """As errors are written everywhere."""
        self._write({"workflow": workflow, **error.as_json()})

    def mended(self, workflow: str) -> None:
        """Nothing is wrong any more."""
        self._write({"workflow": workflow, "error": None})

    def warned(self, workflow: str, text: str) -> None:
        """A sentence."""
        self._write({"workflow": workflow, "warning": text})

    def standing(self, what: str, text: str) -> None:
        """A word and a sentence."""
        self._write({"standing": what, "text": text})

    def _write(self, body: dict[str, Any]) -> None:
        write_out(json.dumps(body, ensure_ascii=sys.stdout.encoding.lower() != "utf-8"))
