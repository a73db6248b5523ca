"""Every pair × slice that the sources' numbers were computed for, reproduced through the product's normal import."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from segue.gates.findings import Finding
from tests.recorded.workspace import Recorded

pytestmark = pytest.mark.recorded

METRICS = {
    "prime_accuracy": ("prime", "correct"),
    "opinionqa_response_rate": ("opinion", "answered"),
    "leetcode_directly_executable": ("leetcode", "accepted"),
    "leetcode_after_removing_fence": ("leetcode", "accepted_without_fence"),
    "sensitiveq_answer_rate": ("sensitive", "answered"),
    "tool_call_valid": ("tool-calling", "valid"),
    "behaves_as_wanted(human:final)": ("refusal", "behaves"),
}
ROWS = {"llmdrift": 46, "bfcl": 56, "xstest": 42}


def test_everything_is_read_without_a_fault(recorded: Recorded) -> None:
    """All four data sets import completely."""
    assert recorded.faults == []


@pytest.mark.parametrize("dataset", ROWS)
def test_counts_rates_flips_and_p_are_reproduced(dataset: str, recorded: Recorded, expected: Callable[[str], Any]) -> None:
    """n, both rates and both flip counts exactly; p within 0.1 % in log₁₀ (below 1e-300 where the source's is 0)."""
    rows = expected(dataset)["pairs"]
    assert len(rows) == ROWS[dataset]
    wrong = [row for row in rows if not agrees(row, finding_for(row, recorded))]
    assert wrong == []


def finding_for(row: dict[str, Any], recorded: Recorded) -> Finding:
    """Our finding of a row."""
    workflow, metric = METRICS[row["metric"]]
    report = recorded.compare(workflow, row["old_model"], row["new_model"])
    where = "".join(f"{name}={value}" for name, value in row["slice"].items())
    return next(one for one in report.findings if (one.metric, one.where) == (metric, where))


def agrees(row: dict[str, Any], found: Finding) -> bool:
    """Whether ours equals the published row. Rates are published to six digits."""
    assert found.old.mean is not None
    assert found.new.mean is not None
    # The source counts 1 → 0 as right → wrong also where 1 is the unwanted answer; ours turn with the metric.
    flips = (found.flips.only_old, found.flips.only_new)
    lost, gained = flips if found.better_is == "higher" else flips[::-1]
    p = row["mcnemar_exact_p"]
    close = found.log10_p < -300 if p == 0 else math.isclose(found.log10_p, math.log10(p), rel_tol=1e-3, abs_tol=1e-9)
    return (
        found.n == row["n"]
        and abs(found.old.mean - row["old"]) < 6e-7
        and abs(found.new.mean - row["new"]) < 6e-7
        and (lost, gained) == (row["right_to_wrong"], row["wrong_to_right"])
        and close
    )
