"""`docs/dialects.md` says what the codecs do."""

from __future__ import annotations

from pathlib import Path

from segue.wire.fields.page import render

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"


def test_the_page_holds_the_tables_of_the_code() -> None:
    """To the letter. Print them anew with `python -m segue.wire.fields.page`."""
    assert render().rstrip() in PAGE.read_text(encoding="utf-8")
