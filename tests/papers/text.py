"""What a person reads of a paper, whatever its form."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from rich.console import Console

from segue.gates.report import Report
from segue.papers.markdown_text import JOINER
from segue.papers.terminal import print_report

VOID = {"meta", "br", "hr", "img", "input", "link", "base", "source", "embed"}


def on_terminal(report: Report, *, width: int = 100, details: bool = False) -> str:
    """The terminal's report as a pipe receives it."""
    out = io.StringIO()
    print_report(report, Console(file=out, width=width), details=details)
    return out.getvalue()


def words_of(text: str) -> str:
    """Text with every run of blanks as one: how lines are broken does not matter."""
    return " ".join(text.split())


class PageReader(HTMLParser):
    """The text, tags and attributes of a page, as a browser would parse them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend((tag, name, value or "") for name, value in attrs)
        if tag not in VOID:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._inside):
            self.texts.append(data)

    @property
    def text(self) -> str:
        """The text that is shown."""
        return words_of(" ".join(self.texts))

    @property
    def unbroken(self) -> str:
        """The same without blanks between elements: marked words of an output stay one text."""
        return "".join(self.texts)


def read_page(html: str) -> PageReader:
    """Parse a page."""
    reader = PageReader()
    reader.feed(html)
    return reader


def read_markdown(text: str) -> PageReader:
    """Markdown as the forge renders it: CommonMark with tables and HTML."""
    return read_page(MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").render(text))


def without_joiners(text: str) -> str:
    """Text without the characters that keep mentions and addresses inert."""
    return re.sub(JOINER, "", text)
