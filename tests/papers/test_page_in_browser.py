"""The page as a person meets it: in a browser, from a file, on a desk and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from segue.gates.report import Report
from segue.papers.flip_view import FlipView
from segue.papers.html import render_html
from tests.papers import builders

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DESK, PHONE = 1280, 375
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and ChromeDriver are not on this machine. Install both to run the browser tests.")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Open:
    """Write a report's page to a file and open it at a width, with the script on or off."""

    def opening(report: Report, flips: list[FlipView], *, width: int, script: bool = True) -> Any:
        path = tmp_path / "report.html"
        path.write_text(render_html(report, flips), encoding="utf-8")
        browser.get_log("browser")
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
        browser.get(path.as_uri())
        return browser

    return opening


REPORTS = ("support", "hostile", "wide", "empty", "unmeasured")


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("name", REPORTS)
def test_never_scrolls_sideways_and_never_complains(open_page: Open, name: str, width: int) -> None:
    """With every part unfolded, wide tables scroll inside their own frame; the console stays empty, so nothing was refused."""
    page = open_page(builders.all_reports()[name], [builders.a_hostile_flip(), *builders.some_flips(6)], width=width)
    page.execute_script("document.querySelectorAll('details').forEach(function (one) { one.open = true; });")
    wide, high = page.execute_script("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight];")
    assert wide <= width
    assert high > 900
    assert [entry for entry in page.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert page.execute_script("return document.querySelectorAll('script, img, iframe').length;") == 1


def test_filters_flips_by_slice_and_direction(open_page: Open) -> None:
    """And says how many are shown."""
    page = open_page(builders.a_support_report(), builders.some_flips(12), width=DESK)
    shown = "return document.querySelectorAll('.flip:not([hidden])').length;"
    assert page.execute_script(shown) == 12
    _choose(page, "#flips select[name=direction]", "wrong before, right now")
    assert page.execute_script(shown) == 3
    assert page.find_element("css selector", "#flips output").text == "3 of 12 shown"
    _choose(page, "#flips select[name=direction]", "both")
    _choose(page, "#flips select[name=slice]", "task=refund")
    assert page.execute_script(shown) == 3
    tags = [one.text for one in page.find_elements("css selector", ".flip:not([hidden]) .tag") if one.text.startswith("task")]
    assert set(tags) == {"task=refund"}


def test_filters_and_sorts_the_findings(open_page: Open) -> None:
    """By verdict, by metric, by part of a name; a click on a head sorts, a second one turns the order round."""
    page = open_page(builders.a_support_report(), [], width=DESK)
    page.find_element("css selector", "#findings summary").click()
    _choose(page, "#findings select[name=metric]", "resolved")
    page.find_element("css selector", "#findings input[name=text]").send_keys("LANG=")
    rows = page.find_elements("css selector", ".findings tbody tr:not([hidden])")
    assert len(rows) == 6
    head = next(one for one in page.find_elements("css selector", ".findings thead button") if one.text == "cases")
    head.click()
    assert _cases(page) == sorted(_cases(page))
    assert page.find_element("css selector", "[aria-sort]").get_attribute("aria-sort") == "ascending"
    head.click()
    assert _cases(page) == sorted(_cases(page), reverse=True)


def test_can_be_used_by_keyboard(open_page: Open) -> None:
    """The first stop skips to the reasons; folds, filters and tables that scroll can be reached."""
    from selenium.webdriver.common.keys import Keys

    page = open_page(builders.a_support_report(), builders.some_flips(3), width=DESK)
    page.find_element("css selector", "body").send_keys(Keys.TAB)
    assert page.switch_to.active_element.get_attribute("class") == "skip"
    flip = page.find_element("css selector", ".flip summary")
    flip.send_keys(Keys.ENTER)
    assert page.find_element("css selector", ".flip").get_attribute("open") is not None
    assert page.execute_script("return document.querySelectorAll('.scroll:not([tabindex])').length;") == 0


def test_works_without_its_script(open_page: Open) -> None:
    """Verdict, reasons and flips are there; controls that would do nothing are not."""
    page = open_page(builders.a_support_report(), builders.some_flips(3), width=PHONE, script=False)
    assert "Better in total, worse on task=refund." in page.find_element("css selector", "h1").text
    assert not page.find_element("css selector", "#flips form").is_displayed()
    assert page.find_element("css selector", ".flip summary").is_displayed()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_page: Open, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for every piece of text that is in view, on light and dark ground."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page = open_page(builders.a_support_report(), builders.some_flips(3), width=DESK)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.execute_script("document.querySelectorAll('details').forEach(function (one) { one.open = true; });")
    weak = page.execute_script(CONTRAST)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert weak == []


def _choose(page: Any, selector: str, text: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(page.find_element("css selector", selector)).select_by_visible_text(text)


def _cases(page: Any) -> list[int]:
    cells = page.find_elements("css selector", ".findings tbody tr:not([hidden]) td:nth-of-type(3)")
    return [int(cell.text.replace(",", "")) for cell in cells]


CONTRAST = """
function channels(text) { return (text.match(/[\\d.]+/g) || []).map(Number); }
function light(rgb) {
  var c = rgb.slice(0, 3).map(function (v) { v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); });
  return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
}
function ground(node) {
  for (; node; node = node.parentElement) {
    var rgb = channels(getComputedStyle(node).backgroundColor);
    if (rgb.length === 3 || rgb[3] === 1) return rgb;
  }
  return [255, 255, 255];
}
var weak = {};
document.querySelectorAll('body *').forEach(function (node) {
  var own = Array.prototype.some.call(node.childNodes, function (one) { return one.nodeType === 3 && one.data.trim(); });
  if (!own || !node.offsetParent || node.closest('.away')) return;
  var style = getComputedStyle(node), under = ground(node), over = channels(style.color), shown = Number(style.opacity);
  over = over.slice(0, 3).map(function (v, i) { return v * shown + under[i] * (1 - shown); });
  var a = light(over), b = light(under), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) weak[node.tagName + '.' + node.className + ' ' + ratio.toFixed(2)] = true;
});
return Object.keys(weak);
"""
