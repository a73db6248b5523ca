"""Building scorers from a workflow: every type, every fault, every metric."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.model import Contract, CountRule, Metric, ScorerSpec, SliceSpec
from segue.scoring.base import AsyncScorer, Scorer
from segue.scoring.context import ScoringContext
from segue.scoring.registry import SCORER_TYPES, build_pair_scorers, build_scorers, check_scorers, check_spec, wanted_metrics
from segue.scoring.when import applies
from tests.scoring.builders import a_case, a_scorer, a_spec, a_workflow, an_exchange

NEEDED = {
    "regex": {"pattern": "x"},
    "recorded_label": {"labeler": "human"},
    "callable": {"function": "os.path:isdir"},
    "confidence": {"pattern": r"(\d+)"},
    "contract": {"contract": {"required": ["x"], "counts": [{"of": "words", "at_most": 5}]}},
    "command": {"argv": ["true"]},
    "judge": {"provider": "p", "snapshot": "m-2024-01-01", "rubric": "Is it polite?"},
    "pairwise": {"provider": "p", "snapshot": "m-2024-01-01", "rubric": "Is it polite?"},
}
"""The settings without which a type cannot be built."""


class Unasked:
    """A provider that nobody may ask."""

    name = "p"

    async def ask(self, request):
        raise AssertionError("no scorer asks while it is built")

    async def close(self):
        pass


@pytest.fixture
def context(tmp_path):
    return ScoringContext(
        workflow_dir=tmp_path,
        labels=lambda labeler: lambda case_id, repeat: None,
        contract=Contract(banned=("x",), counts=(CountRule(of="words", at_least=1),)),
        providers={"p": Unasked()},
    )


@pytest.mark.parametrize("kind", SCORER_TYPES)
def test_every_type_is_built_from_its_declaration(kind, context):
    """Each has an identity with its type, and gives the metrics that were told beforehand."""
    spec = a_spec(kind, **NEEDED.get(kind, {}))
    workflow = a_workflow(spec)
    assert check_scorers(workflow) == []
    if SCORER_TYPES[kind].is_pair:
        ((declared, pair_scorer),) = build_pair_scorers(workflow, context=context)
        assert declared is spec
        assert pair_scorer.identity.type == kind
        assert build_scorers(workflow, context=context) == []
        assert wanted_metrics(workflow) == list(pair_scorer.metrics) == [Metric(name="metric", unit="score")]
        return
    (scorer,) = build_scorers(workflow, context=context)
    assert isinstance(scorer, Scorer | AsyncScorer)
    assert (scorer.identity.type, scorer.identity.name) == (kind, "metric")
    assert len(scorer.identity.digest) == 64
    assert wanted_metrics(workflow, contract=context.contract) == list(scorer.metrics)


@pytest.mark.parametrize("kind", SCORER_TYPES)
def test_the_identity_holds_every_setting(kind, context):
    """Whatever can change a score is part of it, also what was left at its default."""
    workflow = a_workflow(a_spec(kind, **NEEDED.get(kind, {})))
    built = [*build_scorers(workflow, context=context), *(one for _, one in build_pair_scorers(workflow, context=context))]
    settings = built[0].identity.settings
    known = set(SCORER_TYPES[kind].settings_model().model_fields) - {"role"}  # says who a labeler is, and changes no label
    if kind not in ("judge", "pairwise", "command", "contract"):
        assert known <= set(settings)


@pytest.mark.parametrize("kind", [one for one in SCORER_TYPES if one not in ("latency", "ttft", "cost")])
def test_another_setting_is_another_scorer(kind, context):
    """Two arms measured with different settings are not comparable, and their digests say so."""
    changed = {
        "exact": {"strip": True},
        "normalised": {"articles": ["en"]},
        "contains": {"any": ["x"]},
        "regex": {"pattern": "y"},
        "number": {"abs_tolerance": 0.5},
        "label": {"labels": ["a"]},
        "fields": {"lists": "set"},
        "tool_calls": {"types": "lenient"},
        "refusal": {"phrases": ["nope"]},
        "length": {"of": "words"},
        "tokens": {"of": "in"},
        "recorded_label": {"map": {"x": 1}},
        "callable": {"function": "os.path:isfile"},
        "confidence": {"percent": True},
        "format": {"language": "de"},
        "contract": {"allow_fence": True},
        "command": {"timeout_s": 2},
        "judge": {"rubric": "Is it rude?"},
        "pairwise": {"rubric": "Is it rude?"},
    }[kind]
    digests = set()
    for settings in (NEEDED.get(kind, {}), {**NEEDED.get(kind, {}), **changed}):
        workflow = a_workflow(a_spec(kind, **settings))
        built = [*build_scorers(workflow, context=context), *(one for _, one in build_pair_scorers(workflow, context=context))]
        digests.add(built[0].identity.digest)
    assert len(digests) == 2


def test_the_direction_is_no_part_of_the_identity():
    """Which way is better changes the verdict, not the score, so nothing is scored again."""
    assert a_scorer("exact").identity.digest == a_scorer("exact", better="lower").identity.digest
    assert a_scorer("exact", better="lower").metrics[0].better == "lower"


def test_all_faults_of_all_scorers_are_named_at_once(context):
    """Each with its path and the likely intent."""
    workflow = a_workflow(
        ScorerSpec.model_validate({"name": "a", "type": "exakt"}),
        ScorerSpec.model_validate({"name": "b", "type": "regex", "patern": "x"}),
        ScorerSpec.model_validate({"name": "c", "type": "regex", "pattern": "(a+)+$", "which": "middle"}),
        ScorerSpec.model_validate({"name": "d", "type": "number", "abs_tolerance": -1}),
        ScorerSpec.model_validate({"name": "e", "type": "fields", "fields": {"total": {"knd": "number"}}}),
        ScorerSpec.model_validate({"name": "f", "type": "exact"}),
        ScorerSpec.model_validate({"name": "g", "type": "regex", "pattern": "(a+)+$"}),
    )
    with pytest.raises(InputError) as caught:
        build_scorers(workflow, context=context)
    faults = {fault.path: fault for fault in caught.value.faults}
    assert set(faults) == {
        "scorers[0].type",
        "scorers[1].patern",
        "scorers[1].pattern",
        "scorers[2].which",
        "scorers[3].abs_tolerance",
        "scorers[4].fields.total.knd",
        "scorers[6].pattern",
    }
    assert faults["scorers[0].type"].likely == "'exact'"
    assert faults["scorers[1].patern"].likely == "'pattern'"
    assert faults["scorers[4].fields.total.knd"].likely == "'kind'"
    assert "possessive" in faults["scorers[6].pattern"].what
    assert list(caught.value.faults) == check_scorers(workflow)


def test_checking_one_declaration_needs_nothing_else():
    """`segue check` asks no provider and imports no code of the team's."""
    assert check_spec(a_spec("callable", function="no_such_module:f")) == []
    assert [fault.path for fault in check_spec(a_spec("judge"))] == ["provider", "snapshot"]
    assert check_spec(a_spec("length", of="pages"), path="scorers[3]")[0].path == "scorers[3].of"


_KEYS = sorted({key for kind in SCORER_TYPES.values() for key in kind.settings_model().model_fields})
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.lists(st.integers() | st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=3), max_size=2),
)


@given(st.sampled_from(sorted(SCORER_TYPES)), st.dictionaries(st.sampled_from([*_KEYS, "typo", "", "ü"]), _VALUES, max_size=4))
def test_any_settings_are_checked_without_raising(kind, settings):
    """Wrong keys and wrong types are faults, never tracebacks."""
    for fault in check_spec(a_spec(kind, **settings)):
        assert fault.what
        assert fault.fix
        assert fault.path is not None


def test_when_limits_a_scorer_to_some_cases():
    """By slice, kind of case or critical flag; other cases have no score at all, not a 0."""
    scorer = a_scorer("exact", when={"lang": ["de", "fr"], "case_kind": "edge", "critical": True})
    fits = {"slice": {"lang": "de"}, "kind": "edge", "critical": True}
    assert len(scorer.score(a_case("x", **fits), an_exchange("x"))) == 1
    for other in ({"slice": {"lang": "en"}}, {"slice": {}}, {"kind": "regression"}, {"critical": False}):
        assert scorer.score(a_case("x", **{**fits, **other}), an_exchange("x")) == ()
    assert scorer.identity.settings["when"] == {"lang": ["de", "fr"], "case_kind": ["edge"], "critical": ["true"]}
    assert scorer.identity.digest != a_scorer("exact").identity.digest


def test_when_may_name_the_task():
    """A case's task is a slice like any other."""
    assert applies({"task": "refund"}, a_case(task="refund"))
    assert not applies({"task": "refund"}, a_case(task="other"))


async def test_when_keeps_a_scorer_with_effects_from_being_asked(context):
    """A case that is left out costs nothing."""
    spec = a_spec("judge", **NEEDED["judge"], when={"case_kind": "red-team"})
    (scorer,) = build_scorers(a_workflow(spec), context=context)
    assert isinstance(scorer, AsyncScorer)
    assert await scorer.score_async(a_case(), an_exchange("x")) == ()


def test_when_is_checked_against_the_declared_slices(context):
    """A slice, value or kind nobody declared is a fault with the likely one; without declared slices any may be named."""
    spec = a_spec("exact", when={"langg": "de", "lang": ["dee", "fr"], "case_kind": "edgy", "critical": "maybe"})
    workflow = a_workflow(spec, slices={"lang": SliceSpec(values=("de", "fr"))})
    faults = {fault.path: fault.likely for fault in check_scorers(workflow)}
    assert faults == {
        "scorers[0].when.langg": "'lang'",
        "scorers[0].when.lang": "'de'",
        "scorers[0].when.case_kind": "'edge'",
        "scorers[0].when.critical": None,
    }
    assert check_scorers(a_workflow(a_spec("exact", when={"anything": "x"}))) == []


def test_a_setting_no_identity_can_carry_is_a_fault():
    """What cannot be written as canonical JSON cannot be compared later."""
    with pytest.raises(InputError) as caught:
        a_scorer("fields", json_schema={"const": 2**60})
    assert caught.value.faults[0].path == "scorers[0]"
