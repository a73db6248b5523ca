"""Writes the drawn parts of `docs/upgrade.md` from the machine: `python -m tests.upgrade.page`.

Everything else on the page is written by hand. A test compares the page with the code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from segue.upgrade.drawing import diagram, events_markdown, table_markdown

PAGE = Path(__file__).parents[2] / "docs" / "upgrade.md"
_PART = "<!-- drawn: {name} -->\n{text}\n<!-- end -->"


def parts() -> Mapping[str, str]:
    """What is drawn, by name."""
    return {"diagram": f"```mermaid\n{diagram()}\n```", "table": table_markdown(), "events": events_markdown()}


def page() -> str:
    """The page with its drawn parts as they should be."""
    text = PAGE.read_text(encoding="utf-8")
    for name, drawn in parts().items():
        mark = re.compile(rf"<!-- drawn: {name} -->\n.*?<!-- end -->", re.DOTALL)
        assert len(mark.findall(text)) == 1, f"the page has one place for the {name}"
        text = mark.sub(lambda _, name=name, drawn=drawn: _PART.format(name=name, text=drawn), text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
