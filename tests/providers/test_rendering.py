"""A bundle and a case become one request; nothing is guessed and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.model import Bundle, Case, Contract, ImagePart, Message, ModelRef, Parameters, TextPart, ToolSpec
from segue.providers.rendering import prompt_faults, prompt_variables, render_request, substitute

BundleOf = Callable[..., Bundle]
CaseOf = Callable[..., Case]


def faults_of(bundle: Bundle, case: Case) -> list[str]:
    """The sentences of all faults."""
    with pytest.raises(InputError) as caught:
        render_request(bundle, case, 0)
    return [fault.sentence() for fault in caught.value.faults]


def test_without_a_template_the_messages_go_as_they_are(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """The bundle adds its system instructions, parameters and tools."""
    case = a_case(
        messages=(Message(role="user", content="a"), Message(role="assistant", content="b"), Message(role="user", content="c"))
    )
    bundle = a_bundle(system="Be brief.", parameters=Parameters(temperature=0))
    request = render_request(bundle, case, 2)
    assert request.messages == case.messages
    assert (request.system, request.snapshot, request.case_id, request.repeat) == ("Be brief.", "some-model", "c1", 2)
    assert request.parameters.temperature == 0


def test_a_template_takes_the_place_of_the_last_user_message(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """What was said before stays before it."""
    before = (Message(role="user", content="Hello"), Message(role="assistant", content="How can I help?"))
    case = a_case(messages=(*before, Message(role="user", content="Where is it?")), variables={"customer": "Ann"})
    request = render_request(a_bundle(system="For {{ customer }}.", template="{{customer}} asks: {{input}}"), case, 0)
    assert request.system == "For Ann."
    assert request.messages == (*before, Message(role="user", content="Ann asks: Where is it?"))


def test_what_follows_the_last_user_message_stays_and_so_do_its_images(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """A picture is not lost because the text around it changes."""
    picture = ImagePart(url="https://x/y.png")
    after = Message(role="assistant", content="Let me see")
    case = a_case(messages=(Message(role="user", content=(TextPart(text="this"), picture)), after))
    request = render_request(a_bundle(template="<{{input}}>"), case, 0)
    assert request.messages == (Message(role="user", content=(TextPart(text="<this>"), picture)), after)


def test_a_template_needs_no_message_if_variables_fill_it(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """Extraction from a document, say."""
    request = render_request(a_bundle(template="Extract: {{document}}"), a_case(messages=(), variables={"document": "D"}), 0)
    assert request.messages == (Message(role="user", content="Extract: D"),)


def test_a_variable_called_input_is_the_cases_own(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """What is declared goes before what is derived."""
    request = render_request(a_bundle(template="{{input}}"), a_case(variables={"input": "mine"}), 0)
    assert request.messages[-1].text == "mine"


def test_missing_variables_are_all_named_with_what_the_case_has(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """Name, part of the prompt, the likely one."""
    bundle = a_bundle(system="{{brand}}", template="{{custmer}} {{input}}")
    system, template = faults_of(bundle, a_case(variables={"customer": "Ann"}))
    assert "prompt.system" in system
    assert "{{brand}}" in system
    assert "prompt.template" in template
    assert "it has: customer, input" in template
    assert "Did you mean {{customer}}?" in template
    assert "Ann" not in template


def test_input_without_a_user_message_is_told_in_so_many_words(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """It is the one variable nobody declares."""
    (fault,) = faults_of(a_bundle(template="{{input}}"), a_case(messages=()))
    assert "no user message" in fault


def test_nothing_to_ask_is_a_fault(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """Neither messages nor template."""
    assert "nothing to ask" in faults_of(a_bundle(), a_case(messages=()))[0]


def test_braces_that_are_no_variable_are_a_fault_with_its_line(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """Silence would send the braces to the model."""
    (fault,) = faults_of(a_bundle(template="one\ntwo {{ not a name }} {{input}}"), a_case())
    assert "line 2" in fault
    assert [one.path for one in prompt_faults("{{ open", "prompt.system")] == ["prompt.system"]


def test_four_braces_are_two_that_are_meant_as_such() -> None:
    """A prompt about templates, or about LaTeX."""
    assert substitute("{{{{name}} is {{name}}, and {}}}} stays", {"name": "Ann"}) == "{{name}} is Ann, and {}}}} stays"
    assert prompt_variables("{{{{name}} {{ other }} {{x y}}") == {"other"}


def test_json_in_a_prompt_needs_no_escaping() -> None:
    """It never opens two braces at once, and closing ones are left alone."""
    text = '{"a": {"b": {"c": {}}}}'
    assert prompt_faults(text, "prompt.system") == []
    assert substitute(text, {}) == text


@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=20), max_size=4),
    st.lists(st.text(max_size=10)),
)
def test_values_are_put_in_once_and_never_searched_again(values: dict[str, str], texts: list[str]) -> None:
    """A customer who writes {{system}} changes nothing."""
    texts = [text.replace("{", "(") for text in texts]
    template = "".join(texts) + "".join(f"{{{{{name}}}}}" for name in values)
    assert substitute(template, values) == "".join(texts) + "".join(values.values())
    assert prompt_variables(template) == set(values)


def test_system_messages_of_the_case_follow_the_bundles(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """One system text, in this order; the case's own braces are text."""
    turns = (Message(role="system", content="Case: {{x}}."), Message(role="user", content="Hi"))
    request = render_request(a_bundle(system="Bundle."), a_case(messages=turns), 0)
    assert request.system == "Bundle.\n\nCase: {{x}}."
    assert [turn.role for turn in request.messages] == ["user"]


def test_tools_of_the_case_replace_or_join_the_bundles(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """By name, in the bundle's order."""
    bundle = a_bundle(tools=(ToolSpec(name="a"), ToolSpec(name="b")))
    case = a_case(tools=(ToolSpec(name="c"), ToolSpec(name="a", description="the case's")))
    tools = render_request(bundle, case, 0).tools
    assert [(tool.name, tool.description) for tool in tools] == [("a", "the case's"), ("b", ""), ("c", "")]


def test_the_contracts_schema_goes_along_only_where_the_bundle_asks(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """A contract checks outputs; holding the model to it is a dial of the bundle."""
    schema = {"type": "object"}
    bundle = a_bundle(contract=Contract(json_schema=schema))
    assert render_request(bundle, a_case(), 0).response_schema is None
    asking = bundle.model_copy(update={"parameters": Parameters(structured_output=True)})
    assert render_request(asking, a_case(), 0).response_schema == schema
    assert "structured_output" in faults_of(a_bundle(parameters=Parameters(structured_output=True)), a_case())[0]


def test_the_key_is_the_same_for_the_same_call_and_another_for_any_other(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """Behaviour, case, its input and the repeat; the suite and what is expected do not matter."""
    bundle, case = a_bundle(), a_case()
    key = render_request(bundle, case, 0).idempotency_key
    assert key == render_request(bundle.model_copy(update={"suite": "0" * 64}), a_case(reference="yes"), 0).idempotency_key
    others = {
        render_request(bundle, case, 1).idempotency_key,
        render_request(a_bundle(system="x"), case, 0).idempotency_key,
        render_request(bundle, a_case("other"), 0).idempotency_key,
        render_request(bundle, a_case(case_id="c2"), 0).idempotency_key,
    }
    assert len(others | {key}) == 5


def test_simulations_and_recordings_are_told_about_the_case(a_bundle: BundleOf, a_case: CaseOf) -> None:
    """Attributes and the recording's name, which no real provider sends."""
    bundle = a_bundle(model=ModelRef(provider="p", snapshot="s", recording="gpt-4-0314"))
    request = render_request(bundle, a_case(reference="yes", slice={"lang": "de"}, metadata={"name": "Ann"}), 0)
    assert request.recording == "gpt-4-0314"
    assert request.attributes["slices"] == {"task": "default", "lang": "de"}
    assert request.attributes["reference"] == "yes"
