"""Readiness: each question answered by what was seen; what is not known is never yes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.controller.drilling import DRILL
from segue.controller.moments import iso
from segue.controller.readiness import (
    Burst,
    LastServed,
    flip_line,
    judge_answers,
    judge_drill,
    judge_flip,
    judge_prompt,
    judge_runbook,
)
from segue.model.route import Route, RouteRevision, SegmentRule, ShadowRule
from segue.store import MemoryStore
from tests.controller.undertaken import NEW, NOW, OLD
from tests.store.builders import WHO

DAY = 86_400.0
LIVE = Route(workflow="mail", incumbent=OLD.digest, candidate=NEW.digest, share=0.25)
LABELS = {OLD.digest: "old", NEW.digest: "new"}
UNKNOWN = LastServed(None, None, None)


def at(route: Route = LIVE) -> RouteRevision:
    """A revision."""
    return RouteRevision(3, route, "ada", "r", "t")


@pytest.mark.parametrize(
    ("burst", "busiest", "answer", "said"),
    [
        (Burst(1, 1), 40, "unknown", "busiest minute of the last week had 40"),
        (Burst(1, 1), None, "unknown", "not known"),
        (Burst(30, 30), 40, "unknown", "30 at once"),
        (Burst(40, 40), 40, "yes", "40 of 40"),
        (Burst(40, 40), None, "yes", "as the full load was stated"),
        (Burst(40, 31, ("rate_limited",)), None, "no", "31 of 40 asked at once answered (rate_limited)"),
        (Burst(1, 0, ("connection",)), None, "no", "0 of 1"),
        (Burst(1, 0, unasked="The key is not set."), None, "unknown", "The key is not set."),
    ],
    ids=["one", "one-and-no-log", "too-few", "full-load", "stated", "limited", "silent", "no-key"],
)
def test_one_answer_is_no_quota(burst: Burst, busiest: int | None, answer: str, said: str) -> None:
    """Only as many at once as the busiest minute had, or as were stated, show that everyone can go back."""
    box = judge_answers(at(), burst, LastServed(None, None, busiest))
    assert box.answer == answer
    assert said in box.reason
    assert bool(box.remedy) == (answer != "yes")


@pytest.mark.parametrize(
    ("served", "answer"),
    [
        (UNKNOWN, "unknown"),
        (LastServed(OLD.digest, None, None), "yes"),
        (LastServed(None, OLD.digest, None), "yes"),
        (LastServed(NEW.digest, None, None), "no"),
        (LastServed(OLD.digest, NEW.digest, None), "no"),
    ],
    ids=["never-served", "known", "served", "known-otherwise", "served-otherwise"],
)
def test_the_prompt_is_compared_with_what_was_served(served: LastServed, answer: str) -> None:
    """Digest for digest."""
    store = MemoryStore()
    store.add_bundle(OLD, **WHO)
    assert judge_prompt(store, at(), served).answer == answer
    assert judge_prompt(MemoryStore(), at(), served).answer == "no", "it is not stored at all"


def test_the_flip_is_one_line() -> None:
    """Who serves what now, and after it."""
    assert flip_line(LIVE, LABELS) == (
        f"mail: old ({OLD.digest[:10]}) for 75 %, new ({NEW.digest[:10]}) for 25 % → old ({OLD.digest[:10]}) for everyone"
    )
    more = LIVE.model_copy(update={"segments": (SegmentRule(segment="staff", share=1.0),), "shadow": ShadowRule()})
    assert "for 100 % of staff, shadow 100 % →" in flip_line(more, {})
    assert "changes nothing now" in flip_line(LIVE.rolled_back(), LABELS)


@pytest.mark.parametrize(
    ("change", "answer"),
    [({}, "yes"), ({"conversations": "drain"}, "no"), ({"conversations": "pin"}, "no"), ({"fallback": NEW.digest}, "no")],
    ids=["plain", "drain", "pin", "fallback"],
)
def test_a_flip_that_leaves_somebody_on_the_candidate_is_not_one_line(change: dict[str, Any], answer: str) -> None:
    """Conversations that stay, and answers where the incumbent fails."""
    assert judge_flip(at(LIVE.model_copy(update=change)), LABELS).answer == answer


@pytest.mark.parametrize(
    ("age_s", "change", "answer"),
    [
        (DAY, {}, "yes"),
        (8 * DAY, {}, "no"),
        (-DAY, {}, "no"),
        (DAY, {"incumbent": NEW.digest}, "no"),
        (DAY, {"ok": False}, "no"),
        (DAY, {"phase": "begun"}, "no"),
    ],
    ids=["yesterday", "last-week", "tomorrow", "another-incumbent", "failed", "cut-off"],
)
def test_only_a_good_drill_within_a_week_counts(age_s: float, change: dict[str, Any], answer: str) -> None:
    """Of this incumbent."""
    store = MemoryStore()
    assert judge_drill(store, at(), NOW).answer == "no"
    body = {"phase": "ended", "ok": True, "environment": "staging", "incumbent": OLD.digest, "rollback_ms": 40.0, "gateways": 2}
    store.add_fact(DRILL, "mail", "d1", {**body, **change}, author="ada", at=iso(NOW - age_s))
    assert judge_drill(store, at(), NOW).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Type `segue rollback mail` and breathe.", "yes"),
        ("| step | segue rollback mail --reason '…' |", "yes"),
        ("segue rollback mail-archive; then segue rollback mail.", "yes"),
        ("Type segue rollback mail-archive.", "no"),
        ("segue rollback\nmail", "no"),
        ("Roll mail back.", "no"),
    ],
    ids=["code", "table", "second-on-the-line", "another-workflow", "broken-line", "no-command"],
)
def test_the_runbook_has_the_exact_command(tmp_path: Path, text: str, answer: str) -> None:
    """Of this workflow; else the line to add is told, with the file."""
    nothing = judge_runbook(tmp_path, "mail")
    assert (nothing.answer, "RUNBOOK.md" in nothing.remedy) == ("no", True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "RUNBOOK.md").write_text(text)
    box = judge_runbook(tmp_path, "mail")
    assert box.answer == answer
    if answer == "no":
        assert box.remedy == "Add this line to docs/RUNBOOK.md: `segue rollback mail --reason '…'`"
