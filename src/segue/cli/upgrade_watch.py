"""Following an upgrade on the screen: a line for each entry of its log, until it ends or needs a person."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from segue.cli.screen import console, error_console
from segue.errors import StoreError

if TYPE_CHECKING:
    from segue.cli.desk import Desk
    from segue.papers.upgrade_view import EntryView, StatusView

EVERY_S = 1.0
Wait = Callable[[float], None]


def watch_upgrade(desk: Desk, ref: str, environment: str, *, as_json: bool, wait: Wait = time.sleep) -> None:
    """Tell every entry from now on. Ends with the upgrade, or as soon as a person has to do something."""
    from segue.cli.upgrade_opening import wall_clock
    from segue.controller.reading import read_named, read_ref
    from segue.controller.views import history_view, status_view

    upgrade = read_ref(desk.store, ref, environment)
    name, told, was_out, was_led = upgrade.opening.upgrade, len(upgrade.entries), False, True
    while True:
        try:
            upgrade = read_named(desk.store, name)
            view = status_view(desk.store, upgrade, wall_clock())
            entries = history_view(desk.store, upgrade).entries
        except StoreError as error:
            if not was_out:
                error_console().print(f"The store does not answer: {error.what} Trying on.", markup=False, soft_wrap=True)
            was_out = True
            wait(EVERY_S)
            continue
        was_out = False
        for entry in entries[told + 1 :]:
            _tell(entry, as_json=as_json)
        told = len(upgrade.entries)
        if was_led and not view.controller.acts:
            error_console().print("No controller runs: nothing moves by itself. Start one: segue controller", markup=False)
        was_led = view.controller.acts
        if upgrade.state.is_ended or any(one.who for one in view.next):
            _tell_end(view, as_json=as_json)
            return
        wait(EVERY_S)


def _tell(entry: EntryView, *, as_json: bool) -> None:
    from segue.gates.report import plain
    from segue.papers.upgrade_words import event_words, moment

    if as_json:
        sys.stdout.write(json.dumps({"entry": plain(entry)}) + "\n")
        sys.stdout.flush()
        return
    because = f": {' '.join(entry.because)}" if entry.because else ""
    who = f" by {entry.by}" if entry.by else ""
    text = f"{moment(entry.at)}  {event_words(entry.event)}{who}, {entry.place}{because}"
    console().print(text, markup=False, soft_wrap=True)


def _tell_end(view: StatusView, *, as_json: bool) -> None:
    from segue.papers.upgrade_terminal import print_status

    if as_json:
        sys.stdout.write(json.dumps({"status": view.as_json()}) + "\n")
        sys.stdout.flush()
    else:
        print_status(view, console())
