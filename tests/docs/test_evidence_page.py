"""What docs/evidence.md shows is what the package does."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "evidence.md"


def test_the_examples_of_the_page_run() -> None:
    """All its Python blocks, one after another, print what they are said to print."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 20
    failures: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_every_method_of_the_page_has_its_source() -> None:
    """Names in the table of methods are in the list of sources."""
    table, sources = PAGE.read_text(encoding="utf-8").split("## Sources")
    names = set(re.findall(r"\b(Turner|Vovk|Shin|Lindon|Robbins|Howard|Waudby-Smith)\b", table.split("## Badness")[0]))
    assert len(names) == 7
    assert all(name in sources for name in names)
