"""From findings to one outcome."""

from __future__ import annotations

import itertools

import pytest

from segue.evidence.quantiles import Spread
from segue.gates.decision import decide
from segue.gates.operations import compare_amounts, judge_operations
from segue.gates.recommendation import recommend
from segue.gates.report import ConfidenceFinding, HollowRise, JudgeStanding
from segue.gates.tally import Tally
from segue.gates.verdict import EXIT_CODES, WORST_FIRST, Reason, worst
from segue.gates.watch import choose_watch
from segue.model import Budgets, GateSettings
from tests.gates.builders import SETTINGS, a_run, a_tally, add, findings_of

NO_BUDGETS = Budgets()
GOOD = (1900, 20, 20, 60)
FELL = (300, 60, 3, 37)


def outcome_of(
    tally: Tally, *, critical: tuple[str, ...] = (), settings: GateSettings = SETTINGS, **more: object
) -> tuple[str, list[str]]:
    """The outcome and the codes of its reasons."""
    findings = tuple(findings_of(tally, settings, critical).values())
    outcome, reasons = decide(findings, settings=settings, by_task=tally.by_task, **more)  # type: ignore[arg-type]
    return outcome, [reason.code for reason in reasons]


def test_nothing_worse_and_everything_judged_passes() -> None:
    """Two large quiet slices."""
    assert outcome_of(a_tally({"lang=de": GOOD, "lang=en": GOOD})) == ("pass", [])


def test_a_slice_that_fell_under_a_total_that_holds_is_caution() -> None:
    """The aggregate rose; one slice got worse."""
    outcome, codes = outcome_of(a_tally({"lang=de": FELL, "lang=en": (1500, 20, 200, 180)}))
    assert outcome == "caution"
    assert "slice-worse" in codes


def test_a_critical_slice_that_fell_fails_outright() -> None:
    """The same numbers with the slice declared critical."""
    outcome, codes = outcome_of(a_tally({"lang=de": FELL, "lang=en": (1500, 20, 200, 180)}), critical=("lang=de",))
    assert (outcome, codes[0]) == ("fail", "critical-worse")


def test_a_total_that_fell_fails() -> None:
    """The aggregate fell."""
    outcome, codes = outcome_of(a_tally({"lang=de": FELL}))
    assert outcome == "fail"
    assert "total-worse" in codes


def test_holds_when_the_total_is_undecided() -> None:
    """Too few cases never pass."""
    outcome, codes = outcome_of(a_tally({"lang=de": (100, 5, 5, 30)}))
    assert outcome == "hold"
    assert "total-inconclusive" in codes


def test_holds_when_a_critical_slice_has_too_few_cases() -> None:
    """The total is fine; the critical slice is unknown."""
    outcome, codes = outcome_of(a_tally({"lang=de": (18, 1, 1, 0), "lang=en": GOOD}), critical=("lang=de",))
    assert outcome == "hold"
    assert "critical-inconclusive" in codes


def test_a_small_ordinary_slice_is_named_as_undecided() -> None:
    """It does not stop the upgrade, and it is not passed in silence."""
    outcome, codes = outcome_of(a_tally({"lang=de": (18, 1, 1, 0), "lang=en": GOOD}))
    assert (outcome, codes) == ("caution", ["slice-inconclusive"])


def test_holds_when_too_many_cases_cannot_be_compared() -> None:
    """A tenth of the answers are missing, as many on either arm; the rest look perfect."""
    tally = a_tally({"lang=de": GOOD})
    for _ in range(110):
        add(tally, 1.0, None, where="lang=de")
        add(tally, None, 1.0, where="lang=de")
    outcome, codes = outcome_of(tally)
    assert (outcome, codes) == ("hold", ["unusable", "slice-unusable"])


@pytest.mark.parametrize("arm", ["incumbent", "candidate"])
def test_an_arm_that_answered_nothing_is_the_one_reason(arm: str) -> None:
    """Every slice and metric would say it again, and none of it more."""
    tally = a_tally({})
    for where in ("lang=de", "lang=en"):
        for _ in range(150):
            silent, spoke = [a_run(None, failed=True)], [a_run(1.0)]
            old, new = (silent, spoke) if arm == "incumbent" else (spoke, silent)
            tally.add(task="reply", kind="representative", slices=(where,), applicable=None, cluster=None, old=old, new=new)
    findings = tuple(findings_of(tally, SETTINGS, ("lang=de",)).values())
    outcome, reasons = decide(findings, settings=SETTINGS, by_task=tally.by_task, critical=["lang=de"])
    assert (outcome, [one.code for one in reasons]) == ("hold", [f"{arm}-silent"])
    assert f"The {arm} answered none of 300 cases (300 errored)" in reasons[0].sentence


def test_an_arm_with_one_answer_is_no_silent_one() -> None:
    """Then there is something to compare, and the usual reasons say how little."""
    tally = a_tally({"lang=de": (1, 0, 0, 0)})
    for _ in range(150):
        add(tally, 1.0, None, where="lang=de")
    _, codes = outcome_of(tally)
    assert "candidate-loses-cases" in codes


def test_holds_when_a_task_has_fewer_cases_than_asked() -> None:
    """The default asks for a hundred a task."""
    tally = a_tally({"lang=de": GOOD})
    for _ in range(12):
        add(tally, 1.0, 1.0, where="lang=de", task="rare")
    assert outcome_of(tally) == ("hold", ["thin-suite"])


def test_a_guardrail_that_no_case_was_judged_by_holds() -> None:
    """It is in the gate, so its silence does not pass."""
    settings = GateSettings(primary=("correct",), guardrails=("polite",))
    outcome, codes = outcome_of(a_tally({"lang=de": GOOD}), settings=settings)
    assert (outcome, codes) == ("hold", ["metric-not-judged"])


def test_a_critical_slice_without_a_case_holds() -> None:
    """A slip in its name would otherwise take it out of the gate."""
    tally = a_tally({"lang=de": GOOD})
    findings = tuple(findings_of(tally).values())
    outcome, reasons = decide(findings, settings=SETTINGS, by_task=tally.by_task, critical=["task=refund"])
    assert (outcome, [one.code for one in reasons]) == ("hold", ["critical-not-judged"])


def test_a_part_of_the_suite_never_passes_outright() -> None:
    """With --only, the report says that it is a part."""
    tally = a_tally({"lang=de": GOOD})
    findings = tuple(findings_of(tally).values())
    outcome, reasons = decide(findings, settings=SETTINGS, by_task=tally.by_task, only={"lang": {"de"}})
    assert (outcome, reasons[0].sentence) == ("caution", "Only lang=de was judged.")


def test_holds_when_the_candidate_loses_cases_that_could_break_the_margin() -> None:
    """Three per cent of its answers are missing, and the margin is two points."""
    tally = a_tally({"lang=de": GOOD})
    for _ in range(62):
        add(tally, 1.0, None, where="lang=de")
    outcome, codes = outcome_of(tally)
    assert (outcome, codes[0]) == ("hold", "candidate-loses-cases")


def test_a_drop_below_the_margin_is_said() -> None:
    """Shown beyond doubt, smaller than two points: caution, and not merely equal."""
    outcome, codes = outcome_of(a_tally({"lang=de": (3900, 36, 0, 64)}))
    assert (outcome, set(codes)) == ("caution", {"small-drop"})


def test_a_cost_that_is_known_of_the_incumbent_alone_is_said() -> None:
    """Unknown is not cheap."""
    assert [one.code for one in reasons_for(spread_of(100, 100), None)] == ["cost-unknown"]


def test_holds_without_any_gated_metric() -> None:
    """A gate that judges nothing does not pass."""
    outcome, codes = outcome_of(a_tally({"lang=de": GOOD}), settings=GateSettings(primary=("other",)))
    assert (outcome, codes[0]) == ("hold", "nothing-gated")


def test_an_empty_suite_never_passes() -> None:
    """No case at all."""
    assert outcome_of(Tally(bounded=["correct"], better={"correct": "higher"}))[0] == "hold"


def test_a_judge_that_may_not_gate_holds_and_its_numbers_decide_nothing() -> None:
    """The judged metric fell, but the judge is not calibrated: hold, not fail."""
    refused = JudgeStanding("correct", False, ("It agrees with people on 79 % of the answers.",))
    outcome, codes = outcome_of(a_tally({"lang=de": FELL}), judges=[refused])
    assert (outcome, codes) == ("hold", ["judge-refused"])


def test_a_judge_that_may_gate_holds_while_its_own_errors_leave_harm_open() -> None:
    """The verdicts alone would pass; corrected for the judge's errors, four points of loss are not excluded."""
    uncertain = JudgeStanding("correct", True, (), None, -0.01, -0.04, 0.02)
    certain = JudgeStanding("correct", True, (), None, 0.0, -0.015, 0.015)
    unknown = JudgeStanding("correct", True, ())
    tally = a_tally({"lang=de": GOOD})
    assert outcome_of(tally, judges=[uncertain]) == ("hold", ["judge-uncertain"])
    assert outcome_of(tally, judges=[unknown]) == ("hold", ["judge-uncertain"])
    assert outcome_of(tally, judges=[certain]) == ("pass", [])


def test_a_judge_whose_errors_could_not_be_taken_out_holds_over_several_runs_too() -> None:
    """Averages of repeats are no way round the correction."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    for index in range(2000):
        old, new = ([a_run(float(index % 40 > half), repeat) for repeat in range(2)] for half in (0, 1))
        tally.add(task="reply", kind="edge", slices=(), applicable=None, cluster=None, old=old, new=[old[0], new[1]])
    unknown = JudgeStanding("correct", True, ())
    certain = JudgeStanding("correct", True, (), None, -0.0125, -0.019, 0.0)
    assert findings_of(tally)[""].verdict == "not worse"
    assert outcome_of(tally, judges=[unknown])[1][0] == "judge-uncertain"
    assert "judge-uncertain" not in outcome_of(tally, judges=[certain])[1]


def test_a_confidence_that_tells_less_than_it_did_is_caution_with_the_new_threshold() -> None:
    """The remedy is a number."""
    moved = ConfidenceFinding("sure", 0.02, 0.2, True, 0.8, 0.93, ())
    tally = a_tally({"lang=de": GOOD})
    findings = tuple(findings_of(tally).values())
    outcome, reasons = decide(findings, settings=SETTINGS, by_task=tally.by_task, confidence=[moved])
    assert (outcome, reasons[0].code) == ("caution", "confidence-moved")
    assert "0.93 on instead of 0.8" in reasons[0].next_step


def test_a_hollow_rise_is_not_celebrated() -> None:
    """A rate that rose because outputs stopped parsing asks for a reader."""
    rise = HollowRise("correct", "", "It rose because outputs stopped parsing.", 10, 9, 0.9)
    assert outcome_of(a_tally({"lang=de": GOOD}), hollow=[rise]) == ("caution", ["hollow-rise"])


def test_the_worst_wins_in_the_declared_order() -> None:
    """Every combination of outcomes gives the first of the declared order that is in it."""
    for size in range(4):
        for some in itertools.combinations(WORST_FIRST, size):
            assert worst(some) == (some[0] if some else "pass")
    assert len(set(EXIT_CODES.values())) == 4


def spread_of(*values: float) -> Spread:
    """A spread of these values."""
    spread = Spread()
    spread.extend(values)
    return spread


def reasons_for(
    old: Spread | None, new: Spread | None, budgets: Budgets = NO_BUDGETS, signed_off: bool = False
) -> list[Reason]:
    """Reasons from cost alone."""
    operations = {"cost": compare_amounts("cost", "microusd", old, new)}
    return judge_operations(operations, budgets, SETTINGS, signed_off=signed_off)


def test_a_doubled_cost_asks_for_a_named_person() -> None:
    """Twice the cost holds until somebody signs."""
    assert [one.code for one in reasons_for(spread_of(100, 100), spread_of(200, 200))] == ["cost-sign-off"]
    assert reasons_for(spread_of(100, 100), spread_of(200, 200), signed_off=True) == []


def test_an_absolute_budget_holds_whatever_the_incumbent_costs() -> None:
    """The incumbent is over the budget too; that excuses nothing."""
    budgets = Budgets(cost_usd_per_request=0.0001)
    assert [one.code for one in reasons_for(spread_of(150), spread_of(140), budgets)] == ["over-budget"]


def test_a_budget_on_something_not_recorded_holds() -> None:
    """Unknown is not zero."""
    assert [one.code for one in reasons_for(None, None, Budgets(latency_p95_ms=100))] == ["budget-unknown"]


@pytest.mark.parametrize(
    ("table", "old_cost", "new_cost", "sunset", "expected"),
    [
        (GOOD, 100, 100, None, "defer"),
        (GOOD, 100, 50, None, "migrate"),
        (GOOD, 100, 100, "2027-01-31", "migrate"),
        ((1500, 20, 200, 180), 100, 100, None, "migrate"),
        (FELL, 100, 10, "2027-01-31", "not on these grounds"),
        ((18, 1, 1, 0), 100, 10, "2027-01-31", "undecided"),
    ],
)
def test_good_reasons_and_others(
    table: tuple[int, int, int, int], old_cost: float, new_cost: float, sunset: str | None, expected: str
) -> None:
    """Merely equal is deferred; cheaper but worse is no reason; too little evidence decides nothing."""
    findings = tuple(findings_of(a_tally({"lang=de": table})).values())
    operations = {"cost": compare_amounts("cost", "microusd", spread_of(old_cost), spread_of(new_cost))}
    assert recommend(findings, operations, SETTINGS, sunset=sunset, outcome="pass")[0] == expected


def test_the_slice_to_watch_is_where_harm_hides() -> None:
    """A small slice that lost a lot, under a total that rose."""
    findings = tuple(
        findings_of(
            a_tally({"task=refund": (80, 12, 1, 7), "task=ship": (900, 5, 60, 35), "task=hello": (400, 1, 1, 2)})
        ).values()
    )
    watch = choose_watch(findings, SETTINGS)
    assert watch is not None
    assert watch.where == "task=refund"
