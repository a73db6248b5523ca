"""The summary for a pull request."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.gates.report import Report
from segue.papers.markdown import LIMIT, render_markdown
from segue.papers.markdown_text import code, plain, table
from segue.papers.printable import printable_line, printable_name
from tests.papers import builders
from tests.papers.text import read_markdown, without_joiners, words_of

REPORTS = builders.all_reports()
every_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
TAGS = {
    *("h2", "p", "strong", "ul", "li", "code", "pre", "sub", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
signs = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
nasty = st.text(st.sampled_from("|`*_[]<>&\\~$#@!-+=1. ()\nahttps://gh-"), max_size=30)


@every_report
def test_is_short_enough_for_a_comment(report: Report) -> None:
    """GitHub takes 65,536 characters."""
    assert len(render_markdown(report)) <= LIMIT


def test_stays_short_with_many_slices_and_long_hostile_names() -> None:
    """Folded tables shrink first; what is left out is said."""
    wide = builders.a_wide_report(200, ("resolved", "contract_ok", "polite", "brief"), per_slice=3)
    text = render_markdown(wide)
    assert len(text) <= LIMIT
    assert re.search(r"And \d+ more.*inconclusive\.", text)
    assert text.count("<details>") == text.count("</details>")


def test_opens_with_the_verdict() -> None:
    """Outcome, headline, recommendation; the reasons are in view, the details folded."""
    text = render_markdown(REPORTS["support"])
    assert text.startswith("## ✕ Fail: Better in total, worse on task=refund.\n")
    assert "**Recommendation: not on these grounds.**" in text
    assert text.index("- ✕ **fail**") < text.index("<details>")
    assert "| ◆ `task=refund` | 48 | 93.8 % | 60.4 % | −33.3 [−45.1, −23.3] | 16/0 |" in text


@every_report
def test_renders_to_the_expected_elements_only(report: Report) -> None:
    """Names that try to be markup, links, images or tags stay text."""
    reader = read_markdown(render_markdown(report))
    assert set(reader.tags) <= TAGS
    assert not [name for _, name, _ in reader.attributes if name not in ("style", "class")]


def test_hostile_names_keep_tables_whole() -> None:
    """A pipe in a slice's name is no column."""
    reader = read_markdown(render_markdown(REPORTS["hostile"]))
    rows = "".join(f"{tag} " for tag in reader.tags if tag in ("tr", "th", "td")).split("tr ")[1:]
    assert {row.count("t") for row in rows} <= {8, 9, 4}
    assert builders.HOSTILE in without_joiners(reader.text)


def test_nobody_is_mentioned_and_nothing_is_linked() -> None:
    """Mentions, issue numbers and addresses in names are broken by a joiner that takes no room."""
    text = render_markdown(REPORTS["hostile"])
    assert "@everyone" not in text
    assert "see #12" not in text
    assert "https://evil" not in text
    assert "@everyone see #12 at https://evil.example/x" in without_joiners(text)


@given(st.one_of(signs, nasty))
def test_text_shows_as_it_is_written(text: str) -> None:
    """Whatever the text, a paragraph of it renders to that text and to nothing else."""
    reader = read_markdown(plain(text))
    assert set(reader.tags) <= {"p"}
    assert without_joiners(reader.text) == words_of(printable_line(text, 600).replace("\u2060", ""))


@given(st.one_of(signs, nasty))
def test_a_name_fills_one_cell_whatever_it_holds(name: str) -> None:
    """Code in a table: one row, two cells, and the name in the first."""
    reader = read_markdown(table(("a", "b"), [(code(name), "x")]))
    assert [tag for tag in reader.tags if tag in ("tr", "td", "th")] == ["tr", "th", "th", "tr", "td", "td"]
    assert set(reader.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert without_joiners(reader.text) == words_of(f"a b {printable_name(name)} x".replace("\u2060", ""))


def test_a_command_with_backticks_stays_inside_its_fence() -> None:
    """The fence is longer than any run of backticks in it."""
    report = builders.a_support_report(workflow="a```b")
    text = render_markdown(report)
    assert "````sh" in text
    assert set(read_markdown(text).tags) <= TAGS
