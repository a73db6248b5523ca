"""The drift report from an exchange log: whose pairs, whose words, and how it looks on paper."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from segue.controller.drift_report import DriftReader, DriftScope, newest_scope
from segue.controller.drift_report_examples import with_examples
from segue.drift.drift_report import DriftReport
from segue.exchanges.query import ExchangeLog
from segue.model import Bundle, Contract, ModelRef
from segue.model.contract import CountRule
from segue.papers.drift_markdown import render_drift_markdown
from segue.papers.drift_page import render_drift
from segue.papers.drift_terminal import print_drift
from tests.controller.drifting import NEW, OLD, a_kept_log, fence_on_product, keep_pair, named, standing
from tests.exchanges.builders import a_spool

SCOPE = DriftScope("mail", "staging", OLD, NEW, slices=frozenset(("task",)))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> ExchangeLog:
    """150 pairs with a fence around what is said of products."""
    return a_kept_log(tmp_path_factory.mktemp("log"), 150, fence_on_product)


@pytest.fixture(scope="module")
def report(log: ExchangeLog) -> DriftReport:
    """What moved in it, with examples."""
    return with_examples(DriftReader(log).report(SCOPE), log, 2)


def test_pairs_of_the_log_give_the_slice_in_which_the_format_moved(report: DriftReport) -> None:
    """Attributes are slices as far as the workflow declares them."""
    assert ("whole_fence", "task=product") in named(report)
    assert {where for question, where in named(report) if question == "whole_fence"} == {"", "task=product"}
    assert standing(report, "refusals") == "not moved"
    assert report.n_pairs == 150


def test_examples_are_the_two_answers_of_a_pair_that_shows_the_move(report: DriftReport) -> None:
    """The candidate's has the fence, the incumbent's has none."""
    shown = [one for move in report.moves if move.question == "whole_fence" for one in move.examples]
    assert len(shown) == 2
    assert all((one.new or "").startswith("```") and not (one.old or "```").startswith("```") for one in shown)


@pytest.mark.parametrize("keep", ["digest", "none"])
def test_where_no_bodies_are_kept_it_says_so_and_shows_none(tmp_path: Path, keep: str) -> None:
    """Neither in the dimensions nor beside them."""
    kept = a_kept_log(tmp_path, 30, fence_on_product, keep=keep, scores={"format.whole_fence": 0.0})
    found = DriftReader(kept).report(SCOPE)
    assert standing(found, "tone") == "unknown"
    assert any("serving: keep" in one for one in found.remarks)
    assert "serving: keep" in next(one.sentence for one in found.dimensions if one.name == "tone")


def test_a_slice_can_be_looked_at_alone(log: ExchangeLog) -> None:
    """And the others are left out."""
    found = DriftReader(log).report(dataclasses.replace(SCOPE, where={"task": "refund"}))
    assert 0 < found.n_pairs < 150
    assert standing(found, "format") == "not moved"


def test_both_arms_are_held_to_the_contract_of_the_incumbent(log: ExchangeLog) -> None:
    """What downstream relies on; a candidate that brought its own would otherwise be right by it."""
    lines = Contract(counts=(CountRule(of="code_blocks", exactly=0),))
    bundles = {OLD: Bundle(workflow="mail", model=ModelRef(provider="p", snapshot="s"), contract=lines)}
    found = DriftReader(log, bundles.get).report(SCOPE)
    assert found.contract_broken is not None
    assert found.contract_broken > 10
    assert found.contract_mended == 0
    assert standing(found, "contract") == "moved beyond"


def test_pairs_of_other_bundles_and_of_clients_who_left_are_none_of_it(tmp_path: Path) -> None:
    """Nor is what nobody asked for, and what another replay sent."""
    spool = a_spool(tmp_path, segment_bytes=1 << 20)
    keep_pair(spool, 1, "Yes.", "Yes.")
    keep_pair(spool, 2, "Yes.", "Yes.", failure="client gone")
    keep_pair(spool, 3, "Yes.", "Yes.", bundle="c" * 64)
    keep_pair(spool, 4, "Yes.", "Yes.", tags=("eval",))
    keep_pair(spool, 5, "Yes.", "Yes.", environment="production")
    keep_pair(spool, 6, "Yes.", "Yes.", attributes={"segue-replay": "other-1:0"})
    spool.close()
    log = ExchangeLog(tmp_path / "spool", tmp_path / "archive")
    assert [one.served.exchange.id for one in DriftReader(log).pairs(SCOPE)] == ["x000001", "x000006"]
    mine = dataclasses.replace(SCOPE, replay="other-1")
    assert [one.served.exchange.id for one in DriftReader(log).pairs(mine)] == ["x000006"]


def test_the_bundles_are_those_that_were_shadowed_last(log: ExchangeLog) -> None:
    """Nobody has to type digests."""
    found = newest_scope(log, dataclasses.replace(SCOPE, incumbent="", candidate=""))
    assert found == SCOPE
    assert newest_scope(log, dataclasses.replace(SCOPE, environment="production")) is None


def test_the_terminal_names_dimension_size_slice_and_shows_both_answers(report: DriftReport) -> None:
    """Piped, without colour."""
    out = io.StringIO()
    print_drift(Console(file=out, width=100), report)
    said = out.getvalue()
    assert said.startswith("Moved beyond the limit: ")
    assert "format" in said.splitlines()[0]
    assert "wrapped in a Markdown fence" in said
    assert "task=product +" in said
    assert "    ```" in said
    assert "\x1b" not in said


def test_the_page_escapes_what_strangers_wrote_and_runs_no_script(tmp_path: Path) -> None:
    """An answer is text, whatever it says."""
    spool = a_spool(tmp_path, segment_bytes=1 << 20)
    for number in range(40):
        keep_pair(spool, number, "Thank you all.", "<script>alert(1)</script> ```` Thank you all! ````")
    spool.close()
    kept = ExchangeLog(tmp_path / "spool", tmp_path / "archive")
    found = with_examples(DriftReader(kept).report(SCOPE), kept, 1)
    page = render_drift(found)
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    markdown = render_drift_markdown(found)
    assert "\n`````\n" in markdown


def test_a_report_for_the_store_has_nobodys_words(report: DriftReport) -> None:
    """Facts are never deleted."""
    body = str(report.as_json(with_examples=False))
    assert "parcel" not in body
    assert "parcel" in str(report.as_json())
