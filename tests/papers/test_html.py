"""The report as one page."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from segue.gates.report import Report
from segue.papers.html import render_html
from tests.papers import builders
from tests.papers.text import PageReader, read_page

REPORTS = builders.all_reports()
every_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
EXPECTED_TAGS = {
    *("html", "head", "meta", "title", "style", "script", "body", "header", "main", "nav", "section", "article"),
    *("h1", "h2", "h3", "h4", "p", "div", "span", "strong", "a", "bdi", "code", "pre", "del", "ins", "details", "summary"),
    *("dl", "dt", "dd", "ol", "ul", "li", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "rect", "line", "circle", "text", "form", "label", "input", "select", "option", "output"),
}


def _page(report: Report) -> PageReader:
    return read_page(render_html(report, [builders.a_hostile_flip(), *builders.some_flips(5)]))


@every_report
def test_needs_nothing_from_outside(report: Report) -> None:
    """No address, no import, no external file: it works from an e-mail attachment."""
    html = render_html(report, builders.some_flips(3))
    if report is not REPORTS["hostile"]:
        assert "http://" not in html
        assert "https://" not in html
    reader = read_page(html)
    assert not {"link", "img", "iframe", "object", "embed", "base", "audio", "video", "source"} & set(reader.tags)
    for tag, name, value in reader.attributes:
        assert name not in ("src", "srcset", "action", "formaction", "data", "background", "poster"), (tag, name)
        assert name not in ("href", "xlink:href") or value.startswith("#"), value
    assert "url(" not in html.partition("<body")[0]
    assert "@import" not in html


def test_hostile_text_stays_text() -> None:
    """Outputs, prompts, reasons, case, slice, model and metric names that try to break out add no tag and no handler."""
    reader = _page(REPORTS["hostile"])
    assert set(reader.tags) <= EXPECTED_TAGS
    assert reader.tags.count("script") == 1
    assert reader.tags.count("style") == 1
    assert not [name for _, name, _ in reader.attributes if name.startswith("on") or name == "style"]
    assert "{{7*7}}" in reader.text
    assert "<svg onload=alert(1)>" in reader.unbroken
    assert builders.HOSTILE in reader.text


def test_hostile_text_cannot_drive_or_break_the_file() -> None:
    """Controls, overrides and lone surrogates are shown as signs, and the page can be written as UTF-8."""
    html = render_html(REPORTS["hostile"], [builders.a_hostile_flip()])
    html.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)


def test_the_page_forbids_itself_everything_but_its_own_style_and_script() -> None:
    """Even text that got through unescaped could not run."""
    html = render_html(REPORTS["support"])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    for tag, source in (("style", "style-src"), ("script", "script-src")):
        inline = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert inline is not None
        digest = base64.b64encode(hashlib.sha256(inline.group(1).encode()).digest()).decode()
        assert f"{source} &#39;sha256-{digest}&#39;" in policy.group(1).replace("'", "&#39;").replace("&#34;", "")
    assert "default-src 'none'" in policy.group(1)


def test_reads_without_its_script() -> None:
    """Controls that only the script can serve are hidden until it runs; everything else is there."""
    html = render_html(REPORTS["support"], builders.some_flips(5))
    body = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert read_page(body).text == read_page(html).text
    assert all("hidden" in form for form in re.findall(r"<form[^>]*>", body))
    assert "<button" not in body


def test_shows_everything_a_report_holds() -> None:
    """Verdict, map, intervals, findings, causes, flips, amounts, classes, judges, form, coverage, digests, settings."""
    report = REPORTS["support"]
    text = read_page(render_html(report, builders.some_flips(8))).text
    for head in (
        "Why",
        "The one task to watch",
        "Cause before blame",
        "Map of gains",
        "All findings",
        "Answer flips",
        "Latency and cost",
        "Classes",
        "Form of the outputs",
        "Judges",
        "Coverage",
        "Reproduce",
        "Settings of the gate",
    ):
        assert head in text, head
    for digest in (report.incumbent.digest, report.candidate.digest, report.suite, *report.scorers.values()):
        assert digest in text
    assert report.at in text
    assert str(report.run) in text
    assert '"slice_margin": 0.05' in text


def test_gains_are_written_not_only_coloured() -> None:
    """Each cell of the map holds its gain, its number of cases and its verdict."""
    html = render_html(REPORTS["support"])
    cell = re.search(r'<tr[^>]*>\s*<th scope="row"><bdi>task=refund</bdi>.*?</tr>', html, re.DOTALL)
    assert cell is not None
    first = re.search(r'<td class="w3".*?</td>', cell.group(), re.DOTALL)
    assert first is not None
    assert read_page(first.group()).text == "n 48 −33.3 ▼ worse"


def test_a_metric_where_less_is_better_gains_by_falling() -> None:
    """The map turns it round; the figures keep the metric's own direction."""
    html = render_html(REPORTS["lower"])
    assert 'class="w3"' in html
    text = read_page(html).text
    assert "less is better" in text
    assert "+16.5 [+13.7, +19.8]" in text


def test_unknown_is_a_dash() -> None:
    """Nothing measured: no rate, no dot, no amount, and the page says so."""
    html = render_html(REPORTS["unmeasured"])
    assert "<circle" not in html
    assert "unknown, not zero" in read_page(html).text
    assert "from –" in read_page(html).text


def test_extreme_outliers_are_counted_and_drawn() -> None:
    """A call of 7,923 seconds is in the figures and on the axis."""
    html = render_html(REPORTS["support"])
    assert "2 h 12 min" in html
    assert 'class="dot max" cx="97.00%"' in html


def test_flips_are_bounded_and_what_is_left_out_is_said() -> None:
    """In number, in length, and by the report's own count of flips."""
    flips = builders.some_flips(240, words=700)
    text = read_page(render_html(REPORTS["support"], flips)).text
    assert re.search(r"\d+ of them are left out here to keep the page small", text)
    assert "more characters left out" in text


def test_flips_the_caller_held_back_are_counted_too() -> None:
    """28 negative and 71 positive flips are in the report; 8 are handed over."""
    text = read_page(render_html(REPORTS["support"], builders.some_flips(8))).text
    assert "99 flips: 28 right before and wrong now, 71 wrong before and right now. 91 of them are left out" in text


@pytest.mark.parametrize("sign", ["a", '"&<', "語"])
def test_the_page_stays_small(sign: str) -> None:
    """41 slices × 3 metrics and 200 flips of any characters: under 2 MB."""
    report = builders.a_wide_report(40, ("resolved", "contract_ok", "polite"), per_slice=8)
    assert len(report.findings) == 3 * 41
    flips = [
        builders.FlipView(
            case_id=f"case-{index}",
            metric="resolved",
            is_negative=index % 3 != 0,
            slices=("lang=de", "task=refund"),
            prompt=sign * 2_000,
            reference=sign * 900,
            old_text=(sign * 7 + " ") * 800,
            new_text=(sign * 8 + " ") * 800,
        )
        for index in range(200)
    ]
    assert len(render_html(report, flips).encode()) < 2_000_000


def test_the_same_report_gives_the_same_page() -> None:
    """No clock, no random identifiers: pages can be compared."""
    assert render_html(REPORTS["support"], builders.some_flips(4)) == render_html(REPORTS["support"], builders.some_flips(4))


@pytest.mark.parametrize(("n", "folded"), [(20, 0), (45, 25)])
def test_many_flips_are_folded_and_none_is_lost(n: int, folded: int) -> None:
    """What comes after them on the page is found without scrolling past all of them; without script, too."""
    html = render_html(builders.a_support_report(), builders.some_flips(n))
    head, _, rest = html.partition('<details class="fold more">')
    assert (head + rest).count('<details class="flip') == n
    assert rest.count('<details class="flip') == folded
    if folded:
        assert f"<summary>{folded} more</summary>" in rest


def test_a_cause_is_told_once() -> None:
    """What its sentence says, the card does not say again."""
    report = builders.a_support_report()
    for cause in report.causes:
        share = f"{cause.n_present} of {cause.n_failing}"
        card = next(one for one in read_page(render_html(report)).text.split("Cause before blame")[1:])
        assert card.count(f"{share} newly failing") <= 1
