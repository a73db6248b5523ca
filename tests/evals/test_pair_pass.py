"""Preferences as a metric of both arms: kept, completed, and fit for the paired tests."""

from __future__ import annotations

import numpy as np
import pytest

from segue.evals.pair_pass import compared_alone, preference_of, score_of, turned
from segue.gates.findings import Finding, judge_findings
from segue.gates.tally import Observed, Tally, values_of
from segue.model import GateSettings
from segue.scoring.pairs import PairwisePreference
from segue.store.base import ArmRow

LIKED = frozenset({"liked"})


def a_row(repeat: int, *, failed: bool = False, value: float | None = None) -> ArmRow:
    """One run of an arm."""
    scores = {} if value is None else {"liked": value}
    return ArmRow("c", "i", repeat, "failure" if failed else "reply", scores=scores)


def observed(rows: list[ArmRow], others: list[ArmRow]) -> list[Observed]:
    """The same as the tally sees it."""
    runs = [Observed(row.repeat, row.scores, failed=row.status == "failure") for row in rows]
    return compared_alone(LIKED, rows, others, runs)


def test_a_preference_comes_back_from_its_score() -> None:
    """Choices, marks and reason; the other side has the value turned round and no details."""
    given = PairwisePreference("c", 0.5, choices=("old", "new"), position_inconsistent=True, detail={"old_first": {}})
    score = score_of("liked", given)
    back = preference_of("c", score)
    assert (back.value, back.choices, back.position_inconsistent, back.favoured_position) == (
        0.5,
        ("old", "new"),
        True,
        "first",
    )
    won = score_of("liked", PairwisePreference("c", 1.0, choices=("new", "new")))
    assert (won.label, turned(won).value, turned(won).label, turned(won).detail) == ("won", 0.0, "lost", None)
    silent = score_of("liked", PairwisePreference("c", None, "unscored", "It said nothing."))
    assert (turned(silent).value, turned(silent).status, turned(silent).reason) == (None, "unscored", "It said nothing.")


def test_the_arm_that_has_no_reply_is_the_one_that_lost_the_pair() -> None:
    """The other one is not blamed, whatever it is called."""
    old, new = [a_row(0)], [a_row(0, failed=True)]
    assert values_of("liked", observed(old, new)) == ([], None)
    assert values_of("liked", observed(new, old)) == ([], "errored")
    assert values_of("liked", observed(old, [])) == ([], None)
    assert values_of("liked", observed([], old)) == ([], "missing")


def test_runs_that_the_other_arm_lacks_leave_the_rest_comparable() -> None:
    """One of five runs failed on the candidate: four pairs are left on either arm, and they are the same four."""
    old = [a_row(n, value=None if n == 1 else n / 4) for n in range(5)]
    new = [a_row(n, failed=n == 1, value=None if n == 1 else 1 - n / 4) for n in range(5)]
    before, after = values_of("liked", observed(old, new)), values_of("liked", observed(new, old))
    assert before == ([0.0, 0.5, 0.75, 1.0], None)
    assert after == ([1.0, 0.5, 0.25, 0.0], None)


def test_a_silent_judge_leaves_the_pair_open_on_both_arms() -> None:
    """Nobody's fault but the judge's."""
    rows = [a_row(0)]
    assert values_of("liked", observed(rows, rows)) == ([], "unscored")


def a_finding(rng: np.random.Generator, n: int, wins: float, losses: float) -> Finding:
    """The total over `n` cases, of which these shares are won and lost."""
    tally = Tally(bounded=("liked",), better={"liked": "higher"})
    for luck in rng.random(n):
        value = 1.0 if luck < wins else 0.0 if luck < wins + losses else 0.5
        old, new = [Observed(0, {"liked": 1 - value})], [Observed(0, {"liked": value})]
        tally.add(task="t", kind="k", slices=(), applicable=None, cluster=None, old=old, new=new)
    return judge_findings(tally, GateSettings(primary=("liked",), margin=0.1), gated=("liked",), critical=frozenset())[0]


@pytest.mark.parametrize(("wins", "losses"), [(0.5, 0.5), (0.3, 0.3), (0.6, 0.2), (0.2, 0.6), (0.05, 0.05)])
def test_wins_less_losses_is_covered_by_its_interval_and_raises_no_false_alarm(wins: float, losses: float) -> None:
    """With and without ties, at nominal 90 %: 300 comparisons of 80 cases; a lead of 40 points is nearly always shown."""
    rng, runs = np.random.default_rng(5), 300
    findings = [a_finding(rng, 80, wins, losses) for _ in range(runs)]
    assert all(one.interval is not None for one in findings)
    covered = sum(one.interval[0] - 1e-9 <= wins - losses <= one.interval[1] + 1e-9 for one in findings if one.interval)
    assert covered / runs >= 0.86
    shown = sum(one.verdict == ("better" if wins > losses else "worse") for one in findings) / runs
    assert shown <= 0.05 + 0.025 if wins == losses else shown >= 0.95
