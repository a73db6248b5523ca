"""What is thin about a suite, and how many cases would do."""

from __future__ import annotations

import pytest

from segue.model import Case, Message, ScorerSpec, SliceSpec, Workflow
from segue.workspace import suite_stats
from segue.workspace.stats import SuiteStats


def a_workflow(**fields: object) -> Workflow:
    return Workflow.model_validate({"name": "mail", **fields})


def cases(n: int, prefix: str = "c", **fields: object) -> list[Case]:
    return [
        Case.model_validate(
            {
                "case_id": f"{prefix}-{number}",
                "messages": (Message(role="user", content=f"{prefix} {number}"),),
                "reference": "yes",
                **fields,
            }
        )
        for number in range(n)
    ]


def thin(stats: SuiteStats, kind: str) -> list[str]:
    return [one.sentence() for one in stats.thin if one.kind == kind]


def test_counts_by_task_kind_and_slice() -> None:
    """The task is a slice like the others."""
    suite = [*cases(3, "a", task="refund", slice={"lang": "de"}), *cases(2, "b", kind="edge", critical=True)]
    stats = suite_stats(a_workflow(), suite)
    assert stats.n_cases == 5
    assert stats.n_critical == 2
    assert stats.by_task == {"default": 2, "refund": 3}
    assert stats.by_kind == {"edge": 2, "representative": 3}
    assert stats.by_slice == {"lang": {"de": 3}, "task": {"default": 2, "refund": 3}}


def test_a_task_with_fewer_than_a_hundred_cases_is_thin() -> None:
    """A hundred is the default; the workflow's gate may ask for another number."""
    assert thin(suite_stats(a_workflow(), cases(60, task="refund")), "task") == [
        "The task 'refund' has 60 cases; 100 are wanted before an upgrade is judged. "
        "Add 40: from recorded traffic first, then the rare ones where a mistake costs most."
    ]
    assert not thin(suite_stats(a_workflow(gate={"min_cases": 60}), cases(60)), "task")


def test_says_how_many_cases_a_slice_needs_to_show_five_points() -> None:
    """n = 6.18 · churn / δ²: with 15 % churn, 371 cases show a drop of 5 points at 80 % power."""
    stats = suite_stats(a_workflow(slices={"lang": SliceSpec(values=("de",))}), cases(93, slice={"lang": "de"}))
    assert stats.needed_for_drop == 371
    assert thin(stats, "slice") == [
        "The slice 'lang=de' has 93 cases: no drop under 10 points would show, if 15 % of the cases change sides. "
        "Add 278 to see one of 5 points."
    ]


def test_the_drop_that_has_to_show_is_the_gates_own() -> None:
    """A wide margin for slices, a narrow one for critical ones, one of its own for French, and the suite's."""
    workflow = a_workflow(
        slices={"lang": SliceSpec(values=("de", "en", "fr"), critical=("en",))},
        gate={"primary": ("right",), "slice_margin": 0.1, "critical_margin": 0.03, "margin": 0.06, "margins": {"lang=fr": 0.2}},
    )
    suite = [case for lang in ("de", "en", "fr") for case in cases(20, lang, slice={"lang": lang})]
    stats = suite_stats(workflow, suite)
    assert [sentence.split(". ")[1] for sentence in thin(stats, "slice")] == [
        "Add 73 to see one of 10 points.",
        "Add 1,011 to see one of 3 points.",
        "Add 4 to see one of 20 points.",
    ]
    assert thin(stats, "suite") == [
        "The suite has 60 cases: no drop under 12 points would show, if 15 % of the cases change sides. "
        "Add 198 to see one of 6 points in total."
    ]
    assert (stats.total_drop, stats.needed_in_total, stats.drop, stats.needed_for_drop) == (0.06, 258, 0.1, 93)


def test_of_several_primary_metrics_the_strictest_margin_counts() -> None:
    """And a margin of none is one that no number of cases shows."""
    strict = a_workflow(gate={"primary": ("right", "kind"), "margins": {"kind": 0.01}})
    assert suite_stats(strict, cases(5)).total_drop == 0.01
    none = suite_stats(a_workflow(gate={"margin": 0.0, "slice_margin": 0.0}), cases(5, slice={"lang": "de"}))
    assert (none.needed_in_total, none.needed_for_drop, thin(none, "suite"), thin(none, "slice")) == (None, None, [], [])


def test_enough_cases_are_not_thin() -> None:
    """With the churn a team has measured, the number is its own."""
    workflow = a_workflow(slices={"lang": SliceSpec(values=("de",))})
    assert not thin(suite_stats(workflow, cases(371, slice={"lang": "de"})), "slice")
    assert not thin(suite_stats(workflow, cases(124, slice={"lang": "de"}), churn=0.05), "slice")


def test_slices_nobody_declared_are_judged_as_they_come() -> None:
    """As in a comparison."""
    assert "'lang=de' has 5 cases" in thin(suite_stats(a_workflow(), cases(5, slice={"lang": "de"})), "slice")[0]


def test_a_slice_with_a_value_for_every_case_is_an_identifier() -> None:
    """Five hundred sentences about slices of one case help nobody."""
    suite = [case.model_copy(update={"slice": {"user": case.case_id}}) for case in cases(500)]
    (sentence,) = thin(suite_stats(a_workflow(), suite), "slice")
    assert sentence.startswith("The slice 'user' has 500 values: it is an identifier, and is not judged.")


def test_an_empty_critical_slice_comes_under_its_own_name() -> None:
    """The gate could not judge it."""
    workflow = a_workflow(slices={"tier": SliceSpec(values=("free", "gold"), critical=("gold",))})
    stats = suite_stats(workflow, cases(10, slice={"tier": "free"}))
    assert thin(stats, "critical-slice") == [
        "The critical slice 'tier=gold' has no cases: the gate could not judge it. Add cases with tier=gold."
    ]


def test_a_suite_without_red_team_or_regression_cases_is_thin() -> None:
    """Each kind guards against a mistake of its own."""
    stats = suite_stats(a_workflow(), cases(5))
    assert len(thin(stats, "no-red-team")) == 1
    assert len(thin(stats, "no-regression")) == 1
    full = suite_stats(a_workflow(), [*cases(5, "a", kind="red-team"), *cases(5, "b", kind="regression")])
    assert not thin(full, "no-red-team")
    assert not thin(full, "no-regression")


def test_the_same_input_twice_is_counted_once_too_often() -> None:
    """One answer would count as two cases."""
    suite = cases(3)
    suite.append(suite[0].model_copy(update={"case_id": "again"}))
    stats = suite_stats(a_workflow(), suite)
    assert stats.duplicate_inputs == (("c-0", "again"),)
    assert thin(stats, "duplicates")[0].startswith("1 case repeats the input of another case, such as c-0, again.")


@pytest.mark.parametrize(
    ("scorer", "lacking"),
    [
        ({"type": "exact"}, 2),
        ({"type": "exact", "reference_field": "answer"}, 5),
        ({"type": "label", "labels": ["yes"]}, 2),
        ({"type": "label", "expect": "yes"}, 0),
        ({"type": "regex", "pattern": "x"}, 0),
        ({"type": "regex", "pattern": "(x)", "expect": "reference"}, 2),
        ({"type": "contains", "all": ["x"]}, 0),
        ({"type": "contains"}, 2),
        ({"type": "refusal"}, 2),
        ({"type": "refusal", "mode": "refused"}, 0),
        ({"type": "length"}, 0),
        ({"type": "exact", "when": {"task": "other"}}, 0),
    ],
)
def test_cases_a_scorer_cannot_score_are_named(scorer: dict[str, object], lacking: int) -> None:
    """Unscored is not wrong, and not right: it is a case less."""
    workflow = a_workflow(scorers=(ScorerSpec.model_validate({"name": "right", **scorer}),))
    suite = [*cases(3, "a"), *cases(2, "b", reference=None)]
    found = thin(suite_stats(workflow, suite), "no-reference")
    assert bool(found) == bool(lacking)
    if found:
        assert f"'right' finds no reference in {lacking} of 5 cases" in found[0]


def test_an_empty_suite_is_one_finding() -> None:
    """Not a list of everything it lacks."""
    stats = suite_stats(a_workflow(slices={"lang": SliceSpec(values=("de",))}), [])
    assert [one.kind for one in stats.thin] == ["empty"]
