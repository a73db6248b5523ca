"""What differs between two bundles, in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.model import PARTS, Bundle
from segue.model.bundle_diff import diff_bundles

SUITE, OTHER = "a" * 64, "b" * 64


def a_bundle(**parts: Any) -> Bundle:
    return Bundle.model_validate({"workflow": "mail", "model": {"provider": "openai", "snapshot": "gpt-4-0314"}, **parts})


def said(old: Bundle, new: Bundle) -> tuple[str, ...]:
    return diff_bundles(old, new).sentences()


def a_tool(**changes: Any) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {"order": {"type": "string"}, "amount": {"type": "integer"}},
        "required": ["order"],
    }
    return {"name": "refund_order", "parameters": {**parameters, **changes}}


def test_identical_bundles_are_called_identical() -> None:
    """Equal digests, one sentence."""
    assert said(a_bundle(), a_bundle()) == ("The two bundles are identical.",)
    assert diff_bundles(a_bundle(), a_bundle()).is_identical


def test_every_part_is_told_in_the_order_of_the_parts() -> None:
    """What people look for first comes first."""
    old = a_bundle(prompt={"system": "a\nb\nc"}, parameters={"reasoning_effort": "low"}, suite=SUITE, retrieval={"top_k": 5})
    new = a_bundle(
        model={"provider": "azure", "snapshot": "gpt-4-0613"},
        prompt={"system": "a\nx\ny\nc\nd", "template": "Say {{input}}"},
        parameters={"reasoning_effort": "high", "temperature": 0.2, "stop": ("END",), "extra": {"top_k": 3}},
        retrieval={"top_k": 8, "filter": {"lang": "de"}},
        contract={"closing": ["Kind regards"]},
        suite=OTHER,
        fallback=SUITE,
    )
    assert said(old, new) == (
        "provider openai → azure",
        "model snapshot gpt-4-0314 → gpt-4-0613",
        "system instructions: 3 lines added, 1 removed",
        "prompt template: added, 1 line",
        "temperature not set → 0.2",
        'stop sequences not set → ["END"]',
        "reasoning effort low → high",
        "extra parameter top_k added (3)",
        "retrieval top_k 5 → 8",
        'retrieval filter added ({"lang": "de"})',
        "output contract added",
        "suite aaaaaaaaaa → bbbbbbbbbb",
        "fallback none → aaaaaaaaaa",
    )
    parts = [change.part for change in diff_bundles(old, new).changes]
    assert parts == sorted(parts, key=PARTS.index)


def test_a_prompt_diff_has_the_lines() -> None:
    """A reviewer reads them like a change of code."""
    (change,) = diff_bundles(a_bundle(prompt={"system": "a\nb"}), a_bundle(prompt={"system": "a\nc"})).changes
    assert change.diff_lines == (
        "--- old system instructions",
        "+++ new system instructions",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    )


def test_a_prompt_that_differs_in_white_space_says_so() -> None:
    """It is another bundle all the same: models see white space."""
    assert said(a_bundle(prompt={"system": "a b"}), a_bundle(prompt={"system": "a  b"})) == (
        "system instructions: 1 line added, 1 removed (only white space differs)",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"required": ["order", "amount"]}, "tool refund_order: parameter amount became required"),
        ({"required": []}, "tool refund_order: parameter order became optional"),
        ({"properties": {"order": {"type": "string"}}}, "tool refund_order: parameter amount removed"),
        (
            {"properties": {"order": {"type": "string"}, "amount": {"type": "number"}}},
            "tool refund_order: parameter amount: type integer → number",
        ),
        (
            {"properties": {"order": {"type": "string", "enum": ["a"]}, "amount": {"type": "integer"}}},
            'tool refund_order: parameter order: enum added (["a"])',
        ),
        ({"additionalProperties": False}, "tool refund_order: additionalProperties added (false)"),
    ],
)
def test_a_changed_tool_says_which_parameter(changes: dict[str, Any], sentence: str) -> None:
    """The parameter is what the application's code depends on."""
    assert said(a_bundle(tools=[a_tool()]), a_bundle(tools=[a_tool(**changes)])) == (sentence,)


def test_tools_are_added_removed_renamed_and_reordered() -> None:
    """A renamed tool is not a lost one."""
    one, two = a_tool(), {"name": "look_up"}
    assert said(a_bundle(tools=[one]), a_bundle(tools=[one, two])) == ("tool look_up added",)
    assert said(a_bundle(tools=[one, two]), a_bundle(tools=[one])) == ("tool look_up removed",)
    assert said(a_bundle(tools=[one]), a_bundle(tools=[{**one, "name": "pay_back"}])) == (
        "tool refund_order renamed to pay_back",
    )
    assert said(a_bundle(tools=[one, two]), a_bundle(tools=[two, one])) == (
        "the tools stand in another order, or one of them twice",
    )
    assert said(a_bundle(tools=[one]), a_bundle(tools=[{**one, "effects": True}])) == (
        "tool refund_order: now marked as having effects",
    )


def test_a_changed_contract_says_what_downstream_gets() -> None:
    """Fields, phrases and counts."""
    old = {
        "json_schema": {"properties": {"topic": {"enum": ["a", "b"]}}},
        "banned": ["cheap"],
        "counts": [{"of": "bullets", "exactly": 3}],
    }
    new = {
        "json_schema": {"properties": {"topic": {"enum": ["b", "c"]}, "reply": {}}, "required": ["reply"]},
        "closing": ["Kind regards"],
        "counts": [{"of": "bullets", "at_least": 2, "at_most": 4}],
        "ignore_case": True,
    }
    assert said(a_bundle(contract=old), a_bundle(contract=new)) == (
        "contract: field topic: allowed values added: c",
        "contract: field topic: allowed values removed: a",
        "contract: field reply added, required",
        'contract: closing phrase "Kind regards" added',
        "contract: banned phrase cheap removed",
        "contract: number of bullets: exactly 3 → at least 2 and at most 4",
        "contract: upper and lower case no longer matter",
    )


def test_another_suite_leaves_the_behaviour_the_same() -> None:
    """Stored results hold for both."""
    diff = diff_bundles(a_bundle(suite=SUITE), a_bundle(suite=OTHER))
    assert diff.same_behaviour
    assert not diff.is_identical


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "properties", "required", "items", "enum", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_objects = st.dictionaries(st.sampled_from(["type", "properties", "required", "items", "enum", "a"]), _json, max_size=4)
_bundles = st.builds(
    a_bundle,
    prompt=st.fixed_dictionaries({}, optional={"system": st.text(max_size=8), "template": st.text(max_size=8)}),
    parameters=st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from([0, 1]),
            "logprobs": st.booleans(),
            "extra": _objects,
            "stop": st.lists(st.text(max_size=2), max_size=2).map(tuple),
        },
    ),
    tools=st.lists(st.fixed_dictionaries({"name": st.sampled_from("ab"), "parameters": _objects}), max_size=3),
    retrieval=_objects,
    contract=st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "json_schema": _objects | st.booleans(),
            "required": st.lists(st.sampled_from("xy"), max_size=3),
            "counts": st.lists(st.sampled_from([{"of": "words", "exactly": 1}, {"of": "words", "at_most": 2}]), max_size=3),
        },
    ),
)


@given(_bundles, _bundles)
def test_whatever_differs_is_put_into_words(old: Bundle, new: Bundle) -> None:
    """Every part with another digest has at least one sentence, and no other part has any."""
    diff = diff_bundles(old, new)
    before, after = old.part_digests(), new.part_digests()
    assert [change.part for change in diff.changes] == [part for part in PARTS if before[part] != after[part]]
    assert all(change.sentences for change in diff.changes)
    assert diff.is_identical == (old.digest == new.digest)
