"""The reading of drawn outputs on a terminal: one request at a time, its answers side by side, one key for each.

Blinded: answers are called A and B, in an order drawn by chance, and whose they are is said only if somebody asks. Every mark
is written at once, so leaving loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from segue.controller.review_draw import ReviewItem
from segue.controller.review_texts import GONE, ItemTexts
from segue.papers.printable import printable

KEYS = {"g": "good", "b": "bad", "t": "tone", "f": "format", "s": "skip"}
HELP = "g good  b bad  t tone  f format  s skip  n note  w whose  q quit"
_LONGEST = 6_000
_LEAVE = ("q", "\x1b", "\x04")


class ReviewScreen:
    """`read` gives an item's texts, `write` keeps a mark (item, mark, note); `key` waits for a key, `ask_note` for a line."""

    def __init__(
        self,
        screen: Console,
        *,
        read: Callable[[ReviewItem], ItemTexts],
        write: Callable[[str, str, str], None],
        key: Callable[[], str],
        ask_note: Callable[[], str],
        reveal: bool = False,
    ) -> None:
        self._screen, self._read, self._write, self._reveal = screen, read, write, reveal
        self._key, self._ask_note = key, ask_note

    def run(self, items: Sequence[ReviewItem], marked: Collection[str]) -> None:
        """Show what is unread, until all is or somebody leaves."""
        for number, item in enumerate(items, 1):
            texts = self._read(item)
            self._show(item, texts, f"{number} of {len(items)}")
            for at in range(len(item.sides)):
                if item.side_of(at) not in marked and not self._ask(item, at):
                    return

    def _show(self, item: ReviewItem, texts: ItemTexts, place: str) -> None:
        slices = "  ".join(f"{name}={value}" for name, value in sorted(item.slices.items()))
        self._screen.rule(Text(f"{place}   {printable(slices)}"), align="left")
        self._screen.print(Text(_clipped(texts.asked)), style="cyan")
        panels = [
            Panel(Text(_clipped(answer)), title=self._name(item, at), title_align="left")
            for at, answer in enumerate(texts.answers)
        ]
        beside = len(panels) == 2 and self._screen.width >= 100
        self._screen.print(Columns(panels, equal=True, expand=True) if beside else panels[0])
        for panel in panels[1:] if not beside else ():
            self._screen.print(panel)

    def _ask(self, item: ReviewItem, at: int) -> bool:
        """Take keys until the side has a mark; `False` if somebody leaves."""
        name = item.side_of(at)
        note = ""
        self._screen.print(f"{self._name(item, at)}?  {HELP}", style="bold", markup=False, highlight=False)
        while True:
            key = self._key().lower()
            if key in _LEAVE:
                return False
            if key == "n":
                note = self._ask_note().strip()
                self._screen.print(f"  noted  {HELP}", style="dim", markup=False, highlight=False)
            elif key == "w":
                side = item.sides[at]
                self._screen.print(f"  {side.arm} {side.bundle[:10]}", style="dim", markup=False)
            elif key in KEYS:
                self._write(name, KEYS[key], note)
                self._screen.print(f"  {name}: {KEYS[key]}{' (with a note)' if note else ''}", style="dim", markup=False)
                return True
            else:
                self._screen.print(f"  {HELP}", style="dim", markup=False)

    def _name(self, item: ReviewItem, at: int) -> str:
        name = "the answer" if len(item.sides) == 1 else f"answer {'AB'[at]}"
        return f"{name} ({item.sides[at].arm} {item.sides[at].bundle[:10]})" if self._reveal else name


def _clipped(text: str | None) -> str:
    """As a terminal may show it: without control characters, and not for ever."""
    if text is None:
        return GONE
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(shown):,} characters)"
