"""Single cases on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from segue.papers.flip_view import FlipView
from segue.papers.terminal_flips import print_flips
from tests.papers import builders


def _printed(flips: list[FlipView], *, width: int = 100, most: int | None = 20) -> str:
    out = io.StringIO()
    print_flips(flips, Console(file=out, width=width), most=most)
    return out.getvalue()


def _a_flip(**changes: object) -> FlipView:
    fields: dict[str, object] = {
        "case_id": "c1",
        "metric": "resolved",
        "is_negative": True,
        "slices": ("lang=de",),
        "prompt": "Where is my parcel?",
        "reference": "",
        "old_text": "It comes on Monday.",
        "new_text": "It comes on Friday.",
    }
    return FlipView(**{**fields, **changes})  # type: ignore[arg-type]


def test_marks_the_words_that_differ_without_colour() -> None:
    """A pipe loses nothing."""
    text = _printed([_a_flip()])
    assert "[-Monday-]" in text
    assert "{+Friday+}" in text
    assert "\x1b" not in text


def test_stands_side_by_side_where_there_is_room() -> None:
    """And one under the other where there is not."""
    wide = next(line for line in _printed([_a_flip()]).splitlines() if "Monday" in line)
    assert "Friday" in wide
    narrow = next(line for line in _printed([_a_flip()], width=60).splitlines() if "Monday" in line)
    assert "Friday" not in narrow


def test_says_whether_a_flip_held_when_it_was_run_again() -> None:
    """A flip seen once is not yet a regression."""
    words = [_printed([_a_flip(confirmed=held)]) for held in (None, True, False)]
    assert "seen once" in words[0]
    assert "; confirmed when run again" in words[1]
    assert "not confirmed when run again" in words[2]


def test_a_positive_flip_says_so() -> None:
    """What got better is not called a regression."""
    text = _printed([_a_flip(is_negative=False)])
    assert "wrong before, right now" in text
    assert "seen once" not in text


def test_hostile_outputs_cannot_drive_the_terminal() -> None:
    """Escape sequences in an output are shown as signs."""
    text = _printed([builders.a_hostile_flip()], width=80)
    assert "\x1b" not in text
    assert "␛[2J" in text


def test_long_outputs_are_cut_and_the_cut_is_said() -> None:
    """With the number of characters that are missing."""
    text = _printed([_a_flip(old_text="a " * 5_000, new_text="")])
    assert "8,500 more characters" in " ".join(text.split())
    assert "(empty output)" in text


def test_counts_what_is_not_shown() -> None:
    """Never silently."""
    assert "30 flips: 23 right before and wrong now, 7 the reverse. 20 are not shown." in _printed(
        builders.some_flips(30, words=5), most=10
    )
    assert _printed([]) == "No case flipped here.\n"


def test_json_is_laid_out_before_it_is_compared() -> None:
    """So that a field that changed is a line that changed; other text stays as it is."""
    flip = _a_flip(old_text='{"topic":"refund","ok":true}', new_text='{"topic":"refund","ok":false}')
    assert flip.shown_texts == ('{\n  "topic": "refund",\n  "ok": true\n}', '{\n  "topic": "refund",\n  "ok": false\n}')
    fenced = _a_flip(old_text='{"ok":true}', new_text='```json\n{"ok":true}\n```')
    assert fenced.shown_texts == (fenced.old_text, fenced.new_text)
    assert _a_flip(old_text="[" * 50_000, new_text="[1]").shown_texts == ("[" * 50_000, "[1]")


@pytest.mark.parametrize(
    ("n", "in_all", "said"),
    [
        (2, 29, "2 of 29 flips, right before and wrong now."),
        (2, 2, "2 flips, right before and wrong now."),
        (1, None, "1 flip, right before and wrong now."),
    ],
)
def test_what_is_shown_of_how_many_is_said(n: int, in_all: int | None, said: str) -> None:
    """Where the caller hands over only some."""
    out = io.StringIO()
    print_flips([_a_flip(case_id=f"c-{one}") for one in range(n)], Console(file=out, width=100), n_in_all=in_all)
    assert out.getvalue().rstrip().endswith(said)
