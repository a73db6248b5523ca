"""`segue review` on a terminal and for scripts, `segue tickets`, and retiring a bundle."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest

from segue.cli.review_screen import ReviewScreen
from segue.controller.review import draw_now
from segue.controller.review_draw import ReviewItem, ReviewSide
from segue.controller.review_texts import ItemTexts
from segue.store import open_store
from tests.cli.conftest import Segue
from tests.controller.test_review import Served
from tests.controller.undertaken import NEW, NOW, OLD, an_upgrade
from tests.store.builders import WHO

SEGUE = (sys.executable, "-c", "from segue.cli import main; main()")


@pytest.fixture
def under_way(workspace: Path) -> Path:
    """A workspace with an upgrade in canary, and outputs of both arms in its log, drawn."""
    (workspace / "workflows" / "mail").mkdir()
    (workspace / "workflows" / "mail" / "workflow.yaml").write_text("{}")
    state = workspace / ".segue"
    state.mkdir(exist_ok=True)
    served = Served(state)
    served.add(2)
    served.add(1, arm="candidate", bundle=NEW.digest)
    served.spool.close()
    store = open_store(str(state / "state.db"))
    upgrade = an_upgrade(store)
    assert draw_now(store, served.log, upgrade, NOW + 100, **WHO) is not None
    store.close()
    return workspace


def test_a_queue_is_listed_marked_and_gone_on_with(under_way: Path, segue: Segue) -> None:
    """Blind unless somebody asks."""
    body = segue("review", "mail", "--json").json
    assert (body["sides"], body["read"]) == (3, 0)
    (side,) = body["items"][0]["sides"]
    assert (side["item"], side["output"], side["marks"]) == ("1-01", "yes", [])
    assert OLD.digest not in json.dumps(body)
    assert segue("review", "mail", "--mark", "1-01", "tone", "--note", "curt").out == "1-01: tone\n"
    marked = segue("review", "mail", "--json", "--reveal").json
    assert marked["items"][0]["sides"][0]["marks"] == [{"author": "ada", "mark": "tone", "note": "curt"}]
    assert sum(sum(one.values()) for one in marked["by_bundle"].values()) == 1
    listed = segue("review", "mail")
    assert "tone (ada)" in listed.out
    assert "2 of 3 drawn outputs are unread" in listed.err


def test_a_draw_can_be_asked_for_before_the_week_is_over(
    under_way: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what was served since the last one."""
    monkeypatch.setattr("segue.cli.upgrade_opening.wall_clock", lambda: NOW + 200)
    assert "Nothing was served since the last draw" in segue("review", "mail", "--draw").err
    served = Served(under_way / ".segue", run="r1")
    served.put("later", int((NOW + 150) * 1e9), "no")
    served.spool.close()
    assert "1 of 1 outputs" in segue("review", "mail", "--draw").err
    assert "2-01" in segue("review", "mail").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("review", "mail", "--mark", "9-99", "good"), "There is no item '9-99'."),
        (("review", "mail", "--mark", "1-01", "great"), "'great' is no mark."),
        (("review", "nope"), "There is no upgrade in production of 'nope'"),
        (("tickets", "add", "nope", "3"), "There is no workflow 'nope'."),
        (("bundle", "retire", "mail", "nope"), "nope"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_told_with_a_remedy(under_way: Path, segue: Segue, words: tuple[str, ...], told: str) -> None:
    """And change nothing."""
    typed = segue(*words)
    assert (typed.code, told in typed.err) == (1, True)


def test_tickets_are_added_corrected_and_listed(under_way: Path, segue: Segue) -> None:
    """A day that nobody counted is unknown."""
    assert segue("tickets", "add", "mail", "7", "--day", "2026-01-02").out.startswith("mail, 2026-01-02: 7 tickets")
    assert segue("tickets", "add", "mail", "7", "--day", "2026-01-02", "--json").json["is_new"] is False
    assert segue("tickets", "add", "mail", "0").code == 0
    body = segue("tickets", "list", "mail", "--days", "2", "--json").json
    assert [one["count"] for one in body["days"]] == [None, 0]
    assert "unknown" in segue("tickets", "list", "mail", "--days", "2").out
    assert segue("tickets", "add", "mail", "7", "--day", "2126-01-02").code == 1
    assert segue("tickets", "add", "mail", "seven").code == 2


def test_the_way_back_is_not_retired(under_way: Path, segue: Segue) -> None:
    """The reason, and when it would be possible."""
    refused = segue("bundle", "retire", "mail", OLD.digest[:10])
    assert refused.code == 1
    assert "It is the incumbent of upgrade mail-1" in refused.err
    assert "until the soak has closed" in refused.err


def test_a_bundle_that_nobody_needs_is_retired_and_shown_as_such(judged: Path, segue: Segue) -> None:
    """Nothing is deleted."""
    assert "is retired" in segue("bundle", "retire", "support-reply", "candidate", "--reason", "worse").out
    assert "was retired already" in segue("bundle", "retire", "support-reply", "candidate").out
    remarks = [one["remarks"] for one in segue("bundle", "list", "support-reply", "--json").json]
    assert any("Retired by ada" in remark and "worse" in remark for one in remarks for remark in one)


def test_a_route_that_drops_the_incumbent_of_an_upgrade_is_warned_of(under_way: Path, segue: Segue) -> None:
    """And is made all the same: whoever does it may have to."""
    typed = segue("route", "flip", "mail", "--to", NEW.digest[:10], "--reason", "now")
    assert typed.code == 0
    assert "Upgrade mail-1 is in canary" in typed.err
    assert "segue rollback mail" in typed.err


# the screen itself


class Screen:
    """A reader who presses keys."""

    def __init__(self, keys: str) -> None:
        from io import StringIO

        from rich.console import Console

        self.out = StringIO()
        self.keys = iter(keys)
        self.written: list[tuple[str, str, str]] = []
        self.screen = ReviewScreen(
            Console(file=self.out, width=120),
            read=lambda item: ItemTexts("Why\x1b[2J?", tuple(f"answer {n}" for n in range(len(item.sides)))),
            write=lambda *mark: self.written.append(mark),
            key=lambda: next(self.keys),
            ask_note=lambda: " curt ",
        )


def items(*arms: tuple[str, ...]) -> list[ReviewItem]:
    return [
        ReviewItem(item=f"1-{n:02d}", sides=tuple(ReviewSide(exchange=f"x{n}{arm}", bundle=arm * 8, arm=arm) for arm in each))
        for n, each in enumerate(arms, 1)
    ]


def test_each_key_is_a_mark_and_the_rest_waits() -> None:
    """Leaving keeps what was marked."""
    reader = Screen("gxbq")
    reader.screen.run(items(("candidate",), ("incumbent", "shadow"), ("candidate",)), ())
    assert reader.written == [("1-01", "good", ""), ("1-02a", "bad", "")]


def test_what_was_marked_before_is_not_asked_again() -> None:
    """One answer of a pair may be left over."""
    reader = Screen("t")
    reader.screen.run(items(("incumbent", "shadow")), {"1-02a", "1-01a"})
    assert reader.written == [("1-01b", "tone", "")]


def test_whose_it_is_is_said_only_if_asked() -> None:
    """And what an answer holds never drives the terminal."""
    reader = Screen("g")
    reader.screen.run(items(("candidate",)), ())
    assert "candidate" not in reader.out.getvalue()
    assert "\x1b[2J" not in reader.out.getvalue()
    asked = Screen("wf")
    asked.screen.run(items(("candidate",)), ())
    assert "candidate" in asked.out.getvalue()
    assert asked.written == [("1-01", "format", "")]


@pytest.mark.parametrize("key", ["q", "\x1b", "\x04", "Q"], ids=["q", "escape", "end", "upper"])
def test_leaving_writes_nothing(key: str) -> None:
    """What nobody read is unread."""
    reader = Screen(key)
    reader.screen.run(items(("candidate",)), ())
    assert reader.written == []


def test_a_note_goes_with_the_next_mark_alone() -> None:
    """And an arrow key is no mark."""
    reader = Screen("")
    reader.keys = iter(["n", "\x1b[A", "b", "g", "q"])
    reader.screen.run(items(("candidate",), ("candidate",)), ())
    assert reader.written == [("1-01", "bad", "curt"), ("1-02", "good", "")]


def typed_on_terminal(folder: Path, keys: dict[str, str], *words: str) -> tuple[int, str]:
    """Exit code and what a terminal shows; each key is pressed once its prompt is there."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(sys.executable, [*SEGUE, *words], {**os.environ, "SEGUE_AUTHOR": "ada", "TERM": "xterm-256color"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    shown, left = "", list(keys.items())
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", piece.decode("utf-8", "replace"))
        if left and left[0][0] in shown:
            prompt, key = left.pop(0)
            shown = shown.replace(prompt, "", 1)
            os.write(terminal, key.encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


@pytest.mark.slow
def test_on_a_terminal_it_is_read_key_by_key(under_way: Path, segue: Segue) -> None:
    """With a note on the way, and left before the end."""
    keys = {"the answer?": "n", "note: ": "curt\n", "noted": "t", "1-01: tone": "q"}
    code, shown = typed_on_terminal(under_way, keys, "review", "mail")
    assert (code, "Traceback" in shown) == (0, False)
    assert "2 of 3 drawn outputs are unread" in shown
    (marks,) = [one["sides"][0]["marks"] for one in segue("review", "mail", "--json").json["items"] if one["sides"][0]["marks"]]
    assert marks == [{"author": "ada", "mark": "tone", "note": "curt"}]
