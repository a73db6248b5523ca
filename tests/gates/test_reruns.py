"""What is said of flips that were run again, and of those that were not."""

from __future__ import annotations

import pytest

from segue.gates.findings import judge_findings
from segue.gates.reruns import tell_reruns
from segue.gates.tally import CONFIRMATION, Observed, Tally
from segue.model import GateSettings

SETTINGS = GateSettings(primary=("right", "kind"), guardrails=("safe",))
METRICS = ("right", "kind", "safe")


def told(flips: int, again: int = 0, held: int = 0, *, runs: int = 1) -> list[str]:
    """What is told where `flips` of sixty cases turn wrong on every metric, `again` are run again and `held` hold."""
    tally = Tally(bounded=METRICS, better=dict.fromkeys(METRICS, "higher"))
    for index in range(60):
        new_value = 0.0 if index < flips else 1.0
        old = [Observed(repeat, dict.fromkeys(METRICS, 1.0)) for repeat in range(runs)]
        new = [Observed(repeat, dict.fromkeys(METRICS, new_value)) for repeat in range(runs)]
        if index < again:
            old.append(Observed(CONFIRMATION, dict.fromkeys(METRICS, 1.0)))
            new.append(Observed(CONFIRMATION, dict.fromkeys(METRICS, 0.0 if index < held else 1.0)))
        tally.add(task="t", kind="edge", slices=("s=a",), applicable=None, cluster=None, old=old, new=new)
    findings = judge_findings(tally, SETTINGS, gated=METRICS, critical=frozenset())
    return list(tell_reruns(findings, SETTINGS.primary, runs=runs))


def test_one_sentence_on_the_first_primary_metric() -> None:
    """The re-runs were chosen by its flips; of other metrics they tell nothing."""
    assert told(10, 10, 6) == ["6 of 10 negative flips of right held when they were run again."]


@pytest.mark.parametrize(
    ("flips", "again", "held", "sentence"),
    [
        (29, 2, 1, "Of 29 negative flips of right 2 were run again, and 1 held; the others were not, or got no answer."),
        (2, 1, 1, "Of 2 negative flips of right 1 was run again, and 1 held; the other was not, or got no answer."),
    ],
)
def test_flips_without_a_re_run_are_counted_beside_the_others(flips: int, again: int, held: int, sentence: str) -> None:
    """So that the numbers add up to the table's."""
    assert told(flips, again, held) == [sentence]


def test_flips_that_nobody_ran_again_are_said_to_be_open() -> None:
    """With `--repeats 1` or 2, and where single runs were recorded."""
    assert told(10) == [
        "10 negative flips of right were seen in a single run of each case and not run again; how many would hold is not known."
    ]
    assert told(1, runs=2) == [
        "1 negative flip of right was seen in 2 runs of each case and not run again; how many would hold is not known."
    ]


def test_three_runs_of_every_case_speak_for_themselves() -> None:
    """A flip is the majority's then; and without a flip there is nothing to say."""
    assert told(10, runs=3) == []
    assert told(0) == []
