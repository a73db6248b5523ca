"""A plan is read as it is written, and written as it can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from segue.model.plan import PRESETS, Limit, Plan, PlanGate, PlanStep, plan_json
from segue.model.plan_text import days_text, read_days, read_limit, read_share, share_text

GATE = {"metric": "quality"}


def parsed(**fields: Any) -> Plan:
    return Plan.model_validate_json(json.dumps({"gates": [GATE], **fields}), strict=True)


limits = st.builds(Limit, amount=st.integers(1, 99).map(lambda n: n / 100), is_relative=st.booleans())
parts = st.integers(1, 100).map(lambda n: n / 100)
steps = st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True).map(
    lambda shares: tuple(PlanStep(share=share / 100, hold=float(share)) for share in sorted(shares))
)
gates = st.builds(
    lambda one, other, **rest: PlanGate(hold=one, rollback=one.times(other), **rest),
    limits,
    st.floats(1.0, 5.0),
    metric=st.sampled_from(["a", "b"]),
    source=st.sampled_from(["scorer", "outcome"]),
    better=st.sampled_from([None, "lower", "higher"]),
    sampled=parts,
    answered=parts,
    age=st.sampled_from([0.0, 0.5, 7.0]),
    required=st.booleans(),
)
plans = st.builds(
    Plan,
    steps=steps,
    gates=st.lists(gates, min_size=1, max_size=3).map(tuple),
    slices=st.dictionaries(st.sampled_from(["task=a", "lang=de"]), parts),
    holdback=st.sampled_from([0.0, 0.05]),
    soak=st.sampled_from([0.0, 14.0]),
)


def same(one: Plan, other: Plan) -> bool:
    """But for the last digits of a limit, which is written in points."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rounded(inner) for key, inner in value.items()}
        return [rounded(inner) for inner in value] if isinstance(value, list) else value

    # With defaults: one that is a digit short of a default is written as the default.
    return bool(rounded(one.model_dump(mode="json")) == rounded(other.model_dump(mode="json")))


@given(plans)
def test_a_plan_written_out_is_read_back(plan: Plan) -> None:
    """Limits as people write them, shares and days as numbers."""
    again = Plan.model_validate_json(json.dumps(plan_json(plan)), strict=True)
    assert same(again, plan)
    assert again.steps == plan.steps


@pytest.mark.parametrize(
    ("text", "value"),
    [("5%", 0.05), ("0.5 %", 0.005), (0.05, 0.05), ("100%", 1.0)],
)
def test_reads_shares(text: Any, value: float) -> None:
    """In per cent, or as a number."""
    assert read_share(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value"), [("2d", 2.0), ("36h", 1.5), ("30m", 1 / 48), ("1w", 7.0), ("48 hours", 2.0), ("90s", 1 / 960), (3, 3)]
)
def test_reads_lengths_of_time(text: Any, value: float) -> None:
    """With a unit, or in days."""
    assert read_days(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value"), [("2 points", (0.02, False)), ("2pts", (0.02, False)), ("+20%", (0.2, True)), (0.02, (0.02, False))]
)
def test_reads_limits(text: Any, value: tuple[float, bool]) -> None:
    """In points, or relative to the incumbent's own rate."""
    assert read_limit(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "steps or a preset"),
        ({"preset": "1-5-25-100", "steps": [{"share": "5%", "hold": "1d"}]}, "not both"),
        ({"steps": [{"share": 5, "hold": "1d"}]}, "write 5%"),
        ({"steps": [{"share": "100%", "hold": "1d"}]}, "less than 1"),
        (
            {"steps": [{"share": "5%", "hold": "1d", "limits": {"quality": {"hold": "9 points"}}}]},
            "of quality in step 1, the hold",
        ),
        ({"preset": "1-5-25-100", "gates": [{"metric": "costs", "source": "served"}]}, "served knows error, fallback"),
        ({"preset": "1-5-25-100", "gates": [{"metric": "cost", "source": "served", "hold": "1 point"}]}, "limits of cost"),
        ({"preset": "1-5-25-100", "gates": [{"metric": "slow", "source": "served", "better": "higher"}]}, "lower is better"),
        ({"preset": "1-5-25-100", "gates": [{**GATE, "factor": 2}]}, "factor belongs to slow and slow_start"),
        ({"preset": "1-5-25-100", "approvals": [{"name": "legal", "who": ["ada"], "before": "step 0"}]}, "before is everyone"),
        ({"preset": "1-5-25-100", "approvals": [{"name": "legal", "who": []}]}, "at least 1 item"),
        ({"preset": "1-5-25-100", "operators": [" "]}, "match pattern"),
        ({"preset": "1-5-25-100", "segments": {"internal": {"where": {"staff": []}}}}, "at least 1 item"),
        ({"preset": "1-5-25-100", "budgets": {"usd_per_day": 0}}, "greater than 0"),
        ({"preset": "1-5-25-100", "notify": [{"url": "http://example.com/x", "secret": "$KEY"}]}, "begins with https://"),
        ({"preset": "1-5-25-100", "notify": [{"url": "https://ada:pw@example.com", "secret": "$KEY"}]}, "holds no password"),
        ({"preset": "1-5-25-100", "notify": [{"url": "$HOOK", "secret": "key"}]}, "reference to the environment"),
        ({"preset": "1-5-25-100", "notify": [{"url": "$HOOK", "secret": "$KEY", "on": ["lunch"]}]}, "'stage', 'hold'"),
        ({"steps": [{"share": "5%", "hold": "2 moons"}]}, "30m, 36h, 2d or 1w"),
        ({"steps": [{"share": "5%", "hold": "1d"}, {"share": "1%", "hold": "1d"}]}, "shares of steps grow"),
        ({"steps": [{"share": "5%", "hold": "3d", "longest": "2d"}]}, "longest is shorter than hold"),
        ({"preset": "1-5-25-100", "gates": [{**GATE, "hold": "6 points"}]}, "hold limit lies beyond"),
        ({"preset": "1-5-25-100", "gates": [{**GATE, "hold": 2}]}, "write '2 points'"),
        ({"preset": "1-5-25-100", "gates": [{**GATE, "watch": "total", "only": ["a=b"]}]}, "looks at none"),
        ({"preset": "1-5-25-100", "likeness": 0.2}, "belong to unit: user"),
        ({"preset": "1-5-25-100", "weights": {"pooled": {"quality": 0.7}}}, "add up to 1, not to 0.7"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses_what_means_nothing(fields: dict[str, Any], says: str) -> None:
    """With the words that its author can use."""
    with pytest.raises(ValidationError) as found:
        parsed(**fields)
    assert says in str(found.value)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_are_steps_of_stage_four(name: str) -> None:
    """Their shares are their names; 100 % follows by itself, and the last rung is the hold limit."""
    plan = parsed(preset=name)
    places = [step.segment or f"{step.share * 100:g}" for step in plan.canary]
    assert "-".join([*places, "everyone" if plan.canary[-1].segment else "100"]) == name
    assert all(step.share == 0.5 for step in plan.canary if step.segment)
    assert plan.rungs()[-1] == 1.0
    everyones = [rung for rung, step in zip(plan.rungs(), plan.canary, strict=True) if step.segment is None]
    assert everyones == sorted(everyones, reverse=True)


def test_the_first_preset_reaches_its_shares_on_the_days_of_the_product() -> None:
    """On days 1, 3, 7 and 14."""
    days, starts = 1.0, [1.0]
    for step in PRESETS["1-5-25-100"]:
        days += step.hold
        starts.append(days)
    assert starts == [1.0, 3.0, 7.0, 14.0]


def test_says_lengths_and_shares_as_people_do() -> None:
    """With a unit, in the singular where there is one."""
    assert [days_text(days) for days in (0, 1 / 48, 0.5, 1, 1.5, 2, 9)] == [
        "no time",
        "30 minutes",
        "12 hours",
        "1 day",
        "36 hours",
        "2 days",
        "9 days",
    ]
    assert [share_text(share) for share in (0.01, 0.125, 1.0)] == ["1 %", "12.5 %", "100 %"]


WHOLE: dict[str, Any] = {
    "steps": [
        {"share": "50%", "hold": "90s", "segment": "internal"},
        {"share": "5%", "hold": "2d", "limits": {"quality": {"hold": "3 points"}, "error": {"rollback": "9 points"}}},
    ],
    "segments": {"internal": {"share": "2%", "where": {"staff": "yes", "region": ["de", "at"]}}, "beta": "1%"},
    "gates": [GATE, {"metric": "error", "source": "served"}, {"metric": "negative_feedback", "source": "outcome"}],
    "shadow": {"length": "7d", "usd_per_day": 20},
    "approvals": [{"name": "legal", "who": ["lea", "max@example.com"], "before": "soak"}],
    "operators": ["ada"],
    "roll_back": ["on-call"],
    "staging": {"integration": ["make", "integration"], "least": 500},
    "budgets": {"latency_p99_ms": 900, "ttft_p95_ms": 400, "cost_usd_per_request": 0.02, "usd_per_day": 150},
    "eval_usd": 40,
    "notify": [{"url": "$HOOK", "secret": "$HOOK_KEY", "on": ["rollback", "approval"]}],
}


def test_everything_a_plan_may_say_is_kept() -> None:
    """Written out short, in full, and as the store keeps it."""
    plan = parsed(**WHOLE)
    again = Plan.model_validate_json(json.dumps(plan_json(plan)), strict=True)
    assert again == plan
    assert plan_json(again) == plan_json(plan)
    assert Plan.model_validate(plan.model_dump(mode="json")) == plan
    assert Plan.model_validate_json(plan.model_dump_json(), strict=True) == plan


def test_a_number_of_labels_that_is_the_usual_one_is_still_written() -> None:
    """Of a gate that is only watched, 50 says that silence keeps the upgrade waiting; without it, it does not."""
    for fields, least in (({}, 50), ({"required": False}, 0), ({"required": False, "min_exposed": 50}, 50)):
        plan = parsed(preset="1-5-25-100", gates=[{**GATE, **fields}])
        assert plan.gates[0].least_exposed == least
        for body in (plan_json(plan), plan.model_dump(mode="json")):
            assert Plan.model_validate_json(json.dumps(body), strict=True).gates[0].least_exposed == least
    assert parsed(preset="1-5-25-100", gates=[{**GATE, "min_exposed": 0}]).gates[0].least_exposed == 0


def test_usual_limits_are_those_of_stage_four_unless_the_plan_has_its_own() -> None:
    """2 points of quality, 0.5 of satisfaction, 20 % more negative feedback; a doubling of cost."""
    quality, error, feedback = parsed(**WHOLE).gates
    assert (quality.hold.words, quality.rollback.words) == ("2 points", "5 points")
    assert (error.better, error.age, error.hold.words, error.rollback.words) == ("lower", 0.0, "1 point", "3 points")
    assert (feedback.better, feedback.hold.words, feedback.rollback.words) == ("lower", "10 %", "20 %")
    (own,) = parsed(preset="1-5-25-100", gates=[{**GATE, "metric": "satisfaction", "source": "outcome", "hold": "1%"}]).gates
    assert (own.better, own.hold.words) == ("higher", "1 %")
    (cost,) = parsed(preset="1-5-25-100", gates=[{"metric": "cost", "source": "served"}]).gates
    assert (cost.hold.words, cost.rollback.words, cost.baseline) == ("20 %", "100 %", 0.1)


def test_a_step_may_have_limits_of_its_own() -> None:
    """Of the gates it names, one or both; everywhere else the gate's own hold."""
    plan = parsed(**WHOLE)
    quality, error, _ = plan.gates
    shown = [[one.words for one in plan.limits_of(gate, place)] for gate in (quality, error) for place in (None, 0, 1)]
    assert shown == [
        ["2 points", "5 points"],
        ["2 points", "5 points"],
        ["3 points", "5 points"],
        ["1 point", "3 points"],
        ["1 point", "3 points"],
        ["1 point", "9 points"],
    ]


def test_a_rung_goes_by_the_share_of_all_traffic() -> None:
    """Half of a small segment is as small as 1 % of everyone; of unknown size it counts as small."""
    big = parsed(**{**WHOLE, "segments": {"internal": {"share": "60%", "where": {"staff": "yes"}}}})
    unknown = parsed(**{**WHOLE, "segments": {"internal": {"where": {"staff": "yes"}}}})
    assert [one.rungs()[0] for one in (parsed(**WHOLE), unknown, big)] == [5.0, 5.0, 1.5]


def test_a_share_of_a_segment_grows_through_other_steps_too() -> None:
    """Nobody is taken back in the middle of a canary."""
    steps = [
        {"share": "50%", "hold": "1d", "segment": "internal"},
        {"share": "5%", "hold": "1d"},
        {"share": "20%", "hold": "1d", "segment": "internal"},
    ]
    with pytest.raises(ValidationError, match=r"the shares of steps grow; 0\.2 follows 0\.5"):
        parsed(steps=steps, segments={"internal": "2%"})


def test_a_secret_is_in_no_message() -> None:
    """What was written in its place may be the secret itself."""
    with pytest.raises(ValidationError) as found:
        parsed(preset="1-5-25-100", notify=[{"url": "$HOOK", "secret": "hunter2"}])
    assert "hunter2" not in "; ".join(one["msg"] for one in found.value.errors())
