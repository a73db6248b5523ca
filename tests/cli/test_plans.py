"""`segue plan simulate` as it is typed: what it prints, what it refuses, and that figures depend on the seed alone."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from segue.cli.desk import open_desk
from segue.cli.plan_setting import settled_plan
from segue.errors import InputError
from segue.papers.plan_figures import SCENARIO_NOTES, STEP_NOTES
from tests.cli.conftest import Segue, edit

PLAN = """\
steps:
  - {share: 5%, hold: 1d}
  - {share: 25%, hold: 2d}
shadow: {length: 1d}
soak: 2d
gates:
  - {metric: right_topic, baseline: 90%}
slices: {topic=refund: 20%, topic=delivery: 50%}
"""
FAST = ("--traffic", "600/day", "--runs", "8", "--processes", "1")


@pytest.fixture
def planned(workspace: Path) -> Path:
    """The first workspace with a plan."""
    folder = workspace / "workflows/support-reply/plans"
    folder.mkdir(exist_ok=True)
    (folder / "careful.yaml").write_text(PLAN, encoding="utf-8")
    return workspace


def test_says_what_the_plan_cannot_see_then_the_figures(planned: Path, segue: Segue) -> None:
    """Quiet on standard error, and every table row is a line."""
    words = ("--traffic", "20k/day", "--runs", "20", "--processes", "1", "--regression", "slice=refund right_topic -30pts")
    found = segue("plan", "simulate", "careful", *words)
    assert (found.code, found.err) == (0, "")
    head, *_ = found.out.splitlines()
    assert head == "support-reply/careful at 20,000 requests a day; 20 runs a scenario, seed 1, a look every hour"
    assert "Step 2 (25 %) is planned for 2 days" in found.out or "At 20,000 requests a day this plan cannot see" in found.out
    for title in ("What to know before using it", "Scenarios", "What each step can see", "Rolled back by day"):
        assert title in found.out
    assert re.search(r"^slice=refund right_topic -30pts +\d+", found.out, re.MULTILINE)
    assert re.search(r"^no change +\d+", found.out, re.MULTILINE)
    assert "are of the runs rolled back alone" in " ".join(found.out.split())
    assert re.search(r"│ \d[\d.]* % ± \d[\d.]* of 20 runs by day", found.out)


def test_figures_are_the_same_in_any_number_of_processes(planned: Path, segue: Segue) -> None:
    """Seeds belong to chunks of work, not to workers."""
    words = (
        "plan",
        "simulate",
        "careful",
        "--traffic",
        "600/day",
        "--runs",
        "251",
        "--json",
        "--regression",
        "right_topic -9pts",
    )
    alone = segue(*words, "--processes", "1")
    together = segue(*words, "--processes", "2")
    other = segue(*words, "--processes", "1", "--seed", "2")
    assert alone.code == together.code == 0
    assert alone.json == together.json
    assert alone.json["scenarios"] != other.json["scenarios"]


def test_json_has_every_figure(planned: Path, segue: Segue) -> None:
    """Without a regression it tries its own scenarios; unknown is null."""
    found = segue("plan", "simulate", "careful", "--json", *FAST).json
    assert found["scenarios"][0]["name"] == "no change"
    assert found["scenarios"][0]["truth"] == "within"
    assert len(found["scenarios"]) == 6
    assert [one["is_troubled"] for one in found["scenarios"]] == [False] * 5 + [True]
    assert all(
        {"share", "error"} == set(one[end]) for one in found["scenarios"] for end in ("invalid", "mismatched", "waiting")
    )
    calm = found["scenarios"][0]
    assert calm["exposed"]["median"] is None or calm["rolled_back"]["share"] > 0
    assert {one["slice"] for one in found["sights"]} == {"", "topic=refund", "topic=delivery"}
    assert found["sentences"]


def test_writes_a_page_that_needs_nothing_else(planned: Path, segue: Segue) -> None:
    """No script and no address in it; names are escaped."""
    found = segue("plan", "simulate", "careful", "--html", "out/plan.html", *FAST)
    assert found.code == 0
    page = (planned / "out/plan.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["']""", page)
    assert page.count("<polyline") == 2 * 4 * 6
    assert page.index("<!DOCTYPE") == 0


def test_the_page_says_what_the_terminal_says(planned: Path, segue: Segue) -> None:
    """Every row of both tables, how far shares may be off, and what each column means."""
    words = ("--traffic", "20k/day", "--runs", "20", "--processes", "1", "--trouble", "share +40%", "--html", "plan.html")
    found = segue("plan", "simulate", "careful", *words)
    text = re.sub(r"<[^>]+>", " ", (planned / "plan.html").read_text(encoding="utf-8"))
    page = " ".join(html.unescape(text).split())
    assert "standard error" in found.out
    assert re.search(r"trouble: share \+40% 0 % ± [\d.]+", page)
    (alarms,) = re.findall(r"Guards raised a false alarm in [\d.]+ % of the 20 runs without trouble", page)
    assert alarms in " ".join(found.out.split())
    assert "they promise at most 1 %" in page
    assert "a look every hour" in page
    assert "a look every hour" in found.out
    assert "(80 % power, with the evidence of the steps before)" in found.out
    assert "At 80 % power, with the evidence of the steps before." in page
    columns = next(line for line in found.out.splitlines() if line.startswith("scenario "))
    for name, _ in (*SCENARIO_NOTES, *STEP_NOTES):
        assert f"{name} :" in page or f"{name} " in page
    assert {name for name, _ in SCENARIO_NOTES} <= set(re.split(r"\s{2,}", columns))


def test_a_broken_comparison_is_an_ending_of_its_own(planned: Path, segue: Segue) -> None:
    """In the table beside the runs that nothing is wrong with, and never as completed."""
    words = ("--traffic", "100k/day", "--runs", "20", "--processes", "1", "--trouble", "share +40%")
    found = segue("plan", "simulate", "careful", *words, "--json").json
    calm, broken = found["scenarios"]
    assert calm["name"] == "no change"
    assert calm["invalid"]["share"] <= 0.1
    assert broken["invalid"]["share"] == 1.0
    assert broken["completed"]["share"] == 0.0


def test_the_shape_of_a_trace_is_used_and_told(planned: Path, segue: Segue) -> None:
    """An hour is stretched to a day, and the output says so."""
    (planned / "trace.jsonl").write_text("".join(json.dumps({"t_s": 30.0 * n}) + "\n" for n in range(120)))
    found = segue("plan", "simulate", "careful", "--trace", "trace.jsonl", *FAST)
    assert found.code == 0
    assert "its shape is stretched to a day" in found.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("carful", "--traffic", "9/d"), 1, "Did you mean 'careful'?"),
        (("careful",), 2, "Missing option '--traffic'"),
        (("careful", "--traffic", "400"), 2, "Did you mean 400/day?"),
        (("careful", "--traffic", "0/day"), 2, "cannot be simulated"),
        (("careful", "--traffic", "9/d", "--drift", "3"), 2, "Write it as 3pts"),
        (("careful", "--traffic", "9/d", "--trace", "none.jsonl"), 1, "There is no such file."),
        (("careful", "--traffic", "9/d", "--regression", "right_topc -8pts"), 1, "Did you mean 'right_topic'?"),
        (("careful", "--traffic", "9/d", "--regression", "topic -8pts"), 1, "Did you mean 'right_topic'?"),
        (("careful", "--traffic", "9/d", "--trouble", "shar +20%"), 1, "Did you mean 'share'?"),
        (("careful", "--traffic", "9/d", "--regression", "slice=refnd right_topic -8pts"), 1, "Did you mean 'topic=refund'?"),
        (("careful", "--traffic", "9/d", "--regression", "right_topic 8"), 1, "needs a sign, a number and a unit"),
        (("careful", "--traffic", "9/d", "--regression", "right_topic -8pts from day 99"), 1, "it lasts 5 days, 11 days if"),
        (("careful", "--traffic", "9/d", "--html", "segue.yaml/x"), 1, "is a file, not a folder"),
    ],
    ids=[
        "plan",
        "no-traffic",
        "traffic-unit",
        "no-requests",
        "drift",
        "trace",
        "metric",
        "part-of-a-metric",
        "trouble",
        "slice",
        "change",
        "too-late",
        "html",
    ],
)
def test_names_a_mistake_with_its_remedy(planned: Path, segue: Segue, words: tuple[str, ...], code: int, says: str) -> None:
    """Before anything is simulated."""
    found = segue("plan", "simulate", *words)
    assert found.code == code
    assert says in found.err
    assert found.out == ""


def test_all_mistakes_of_the_scenarios_are_told_at_once(planned: Path, segue: Segue) -> None:
    """Each under its number."""
    words = [word for text in ("x -1pt", "right_topic -99pts", "y=z right_topic -1pt") for word in ("--regression", text)]
    words += ["--trouble", "share 5% -> 6%"]
    found = segue("plan", "simulate", "careful", "--traffic", "9/d", *words, "--json")
    assert [fault["path"] for fault in found.json["error"]["faults"]] == [
        *(f"--regression {n}" for n in (1, 2, 3)),
        "--trouble 1",
    ]


def test_says_how_to_give_a_rate_that_nobody_knows(planned: Path, segue: Segue) -> None:
    """Neither the plan nor a verdict has it yet."""
    edit(planned / "workflows/support-reply/plans/careful.yaml", ", baseline: 90%", "")
    found = segue("plan", "simulate", "careful", *FAST)
    assert found.code == 1
    assert "careful.yaml:7 gates[0]" in found.err
    assert "Write `baseline: 92%` there, or run the eval first" in found.err


def test_takes_rates_and_shares_from_the_last_verdict(judged: Path, segue: Segue) -> None:
    """And says where they come from."""
    folder = judged / "workflows/support-reply/plans"
    folder.mkdir(exist_ok=True)
    text = PLAN.replace(", baseline: 90%", "").replace("slices: {topic=refund: 20%, topic=delivery: 50%}\n", "")
    (folder / "careful.yaml").write_text(text, encoding="utf-8")
    found = segue("plan", "simulate", "careful", "--regression", "right_topic -1pt", *FAST)
    if found.code:
        # The first suite is so small that the incumbent may be right in all of it: a rate of 100 % is no baseline.
        assert "is not known" in found.err
    else:
        assert "The incumbent's rates are those of the last verdict" in found.out
        assert "shares are those of the suite, not of the traffic" in found.out


def test_an_upgrade_gets_a_plan_that_stands_alone_or_every_gap_with_its_place(planned: Path) -> None:
    """What the workflow declares is written in; what nobody knows is refused where it should stand."""
    with open_desk(planned) as desk:
        plan, critical, _ = settled_plan(desk, "support-reply", "careful")
        assert plan.gates[0].better == "higher"
        assert set(plan.slices) == {"topic=refund", "topic=delivery"}
        assert all("=" in one for one in critical)
        edit(planned / "workflows/support-reply/plans/careful.yaml", ", baseline: 90%", "")
        with pytest.raises(InputError, match="1 fault in") as refused:
            settled_plan(desk, "support-reply", "careful")
    told = [one.sentence() for one in refused.value.faults]
    assert "not known" in told[0]
    assert "baseline" in told[0]
