"""A bundle whose provider is asked through the Responses API: measured and served alike, passed on as it is to its clients."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from segue.errors import InputError
from segue.gateway.applied import AppliedBundle, read_fields
from segue.model import Case, Contract, Message, Parameters, Prompt, ToolSpec
from segue.model.serving import Serving
from segue.providers.clock import ManualClock
from segue.providers.config import open_provider, parse_provider
from segue.providers.dialects import DIALECTS
from segue.providers.rendering import render_request
from segue.standin import StandIn
from segue.standin.settings import StandInSettings, Trouble, TroubleKind
from segue.wire.profiles import OPENAI_RESPONSES
from tests.gateway.conversants import an_app
from tests.gateway.test_applied import a_bundle as plain_bundle
from tests.gateway.test_applied import faults, sent
from tests.gateway.wiring import KEY, a_bundle, a_gateway

NAME = "openai_responses"
RESPONSES = {"old": {"api": "responses"}}
THINKER = StandInSettings(text="Found it.", reasoning_tokens=30, thought="Ada ponders it.")
TOOLS = (ToolSpec(name="find", description="Finds.", parameters={"type": "object", "properties": {}}),)


def applied(prompt: Prompt, serving: Serving | None = None, **given: Any) -> AppliedBundle:
    """A bundle made ready for requests of this dialect."""
    bundle = a_bundle("old", **given).model_copy(update={"prompt": prompt})
    return AppliedBundle.of(bundle, NAME, OPENAI_RESPONSES, serving or Serving())


def asked(ready: AppliedBundle, **body: Any) -> dict[str, Any]:
    """What the upstream is asked for a request of the application."""
    found: dict[str, Any] = json.loads(ready.apply(read_fields(json.dumps({"model": "mail", **body}).encode())))
    return found


@pytest.mark.parametrize("system", ["", "Be brief.", "Be {{tone}}."])
@pytest.mark.parametrize("template", ["", "Answer {{input}} of {{topic}}."])
def test_what_is_served_is_what_was_measured(system: str, template: str) -> None:
    """The same conversation, asked in an eval and through the gateway, is the same request."""
    prompt = Prompt(system=system, template=template)
    ready = applied(prompt, tools=TOOLS, parameters=Parameters(max_output_tokens=300, temperature=0.5, reasoning_effort="low"))
    turns = (Message(role="user", content="Hi"), Message(role="assistant", content="Yes?"), Message(role="user", content="Tea"))
    case = Case(case_id="c", messages=turns, variables={"topic": "tea", "tone": "kind"})
    in_eval = DIALECTS[NAME].encode(render_request(ready.bundle, case, 0), profile=OPENAI_RESPONSES, stream=False).body
    said = [{"type": "message", "role": turn.role, "content": turn.content} for turn in turns]
    served = asked(ready, input=said, segue={"variables": dict(case.variables)})
    assert served == json.loads(json.dumps(in_eval))
    assert served["store"] is False
    assert served["max_output_tokens"] == 300


def test_the_applications_instructions_stand_behind_the_bundles() -> None:
    """Texts both; anything else is refused by name."""
    ready = applied(Prompt(system="Be brief."))
    assert asked(ready, input="Hi")["instructions"] == "Be brief."
    assert asked(ready, input="Hi", instructions="I am Ada.")["instructions"] == "Be brief.\n\nI am Ada."
    for body, path in (({"input": "Hi", "instructions": [1]}, "instructions"), ({"input": 7}, "input"), ({}, "input")):
        with pytest.raises(InputError) as refused:
            asked(ready, **body)
        assert [fault.path for fault in refused.value.faults] == [path]


def test_a_template_takes_the_place_of_the_text_and_leaves_the_image() -> None:
    """As in the other dialects; a text alone is a message of the user."""
    ready = applied(Prompt(template="Look: {{input}}"))
    image = {"type": "input_image", "image_url": "data:image/png;base64,aGk="}
    parts = [{"type": "input_text", "text": "this"}, image]
    found = asked(ready, input=[{"role": "user", "content": parts}])["input"]
    assert found == [{"role": "user", "content": [{"type": "input_text", "text": "Look: this"}, image]}]
    assert asked(ready, input="this")["input"] == [{"role": "user", "content": "Look: this"}]


def test_what_a_conversation_needs_to_go_on_is_always_included() -> None:
    """Beside what the client asks for; and nothing is kept at the provider."""
    ready = applied(Prompt())
    sources = "file_search_call.results"
    assert asked(ready, input="Hi", include=[sources], store=True)["include"] == [sources, "reasoning.encrypted_content"]
    assert asked(ready, input="Hi", include=None)["include"] == ["reasoning.encrypted_content"]
    assert asked(ready, input="Hi", store=True)["store"] is False


@pytest.mark.parametrize("otherwise", ["refuse", "ignore"])
@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("previous_response_id", "resp_1", "Send the whole conversation as input."),
        ("conversation", {"id": "conv_1"}, "Send the whole conversation as input."),
        ("background", True, "Leave it out, and wait for the answer."),
    ],
)
def test_a_conversation_that_the_provider_would_keep_is_refused_whatever_is_allowed(
    name: str, value: Any, fix: str, otherwise: Any
) -> None:
    """Nothing is stored there, and an answer without what was said before would be to another question."""
    for may_set in ((), (name,)):
        ready = applied(Prompt(), Serving(may_set=may_set, otherwise=otherwise))
        with pytest.raises(InputError) as refused:
            asked(ready, input="Hi", **{name: value})
        assert [(fault.path, fault.fix) for fault in refused.value.faults] == [(name, fix)]
        assert asked(ready, input="Hi", **{name: None}) == asked(ready, input="Hi")
    assert asked(ready, input="Hi", background=False) == asked(ready, input="Hi")


def test_such_a_field_is_told_with_all_others_at_once() -> None:
    """And in another dialect's request the name means nothing special."""
    with pytest.raises(InputError) as refused:
        asked(applied(Prompt()), input="Hi", previous_response_id="resp_1", seed=7)
    assert [fault.path for fault in refused.value.faults] == ["previous_response_id", "seed"]
    assert sent(plain_bundle(), {"model": "mail", "messages": [], "background": True}, may_set=["background"])["background"]


def test_parameters_it_has_no_place_for_are_told_when_the_bundle_is_loaded() -> None:
    """By name, all at once."""
    wrong = Parameters(seed=7, stop=("x",), presence_penalty=0.5, thinking_budget_tokens=2000)
    with pytest.raises(InputError) as refused:
        applied(Prompt(), parameters=wrong)
    paths = {fault.path for fault in refused.value.faults}
    assert paths == {f"parameters.{name}" for name in ("seed", "stop", "presence_penalty", "thinking_budget_tokens")}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_an_answer_to_its_own_client_is_the_providers_but_for_the_seal(streams: bool) -> None:
    """Ids, usage and texts are the provider's own."""
    async with a_gateway({"old": THINKER}, entries=RESPONSES) as (wired, _):
        async with an_app(wired, "openai_responses", streams=streams) as app:
            assert (await app.say("Where is it?")).text == "Found it."
        thought, message = app.history[1:]
        assert (thought.id, message.id) == ("rs_1", "msg_1_0r")
        assert thought.encrypted_content.startswith("segue1.")
        kept = wired.log[0]
        assert kept.record.dialect_out == NAME
        assert b"segue1." not in kept.response


@pytest.mark.parametrize("kind", ["drop", "truncate", "error_in_stream", "malformed", "wrong_types"])
async def test_a_stream_that_breaks_off_never_looks_complete(kind: TroubleKind) -> None:
    """The SDK raises, whatever broke."""
    burning = StandInSettings(text="Some words that will not end", troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": burning}, entries=RESPONSES) as (wired, _):
        given: Any = {"base_url": f"{wired.origin}/v1", "api_key": KEY, "max_retries": 0, "_strict_response_validation": True}
        async with openai.AsyncOpenAI(**given) as client:
            with pytest.raises((openai.APIError, RuntimeError, ValueError)):
                async with client.responses.stream(model="mail", input="Hi") as stream:
                    await stream.get_final_response()
        # What is wrong within a frame that passes is the SDK's to see, and is read out of the record when it is shipped.
        assert kind in ("wrong_types", "malformed") or wired.log[0].record.failure


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_eval_asks_it_too(stream: bool) -> None:
    """Reply, tokens and the first visible word, whole and streamed."""
    async with StandIn(THINKER) as base_url:
        config = parse_provider("p", {"type": "openai", "api": "responses", "base_url": base_url, "stream": stream})
        provider = open_provider("p", config, environ={}, clock=ManualClock())
        bundle = a_bundle("p", tools=TOOLS, contract=Contract(json_schema={"type": "object"}))
        case = Case(case_id="c", messages=(Message(role="user", content="Where is it?"),))
        called = await provider.ask(render_request(bundle, case, 0))
        said = await provider.ask(render_request(a_bundle("p"), case, 0))
        await provider.close()
    assert called.reply is not None
    assert said.reply is not None
    assert [(call.name, call.arguments) for call in called.reply.tool_calls] == [("find", "{}")]
    assert (said.reply.text, said.reply.finish_reason, said.usage.reasoning_tokens) == ("Found it.", "stop", 30)


def test_the_other_dialects_are_as_they_were() -> None:
    """A conversation is `messages` there, and has to be a list."""
    assert faults(a_bundle("old"), {"model": "mail", "input": "Hi"}) == ["input"]
    assert sent(a_bundle("old"), {"model": "mail", "messages": []})["messages"][0]["role"] == "system"


def test_tools_in_the_middle_of_an_input_are_the_bundles_to_set_too() -> None:
    """An item may bring them; without leave they are refused by place, or left out."""
    brought = {"type": "additional_tools", "role": "developer", "tools": [{"type": "mcp", "server_label": "x"}]}
    said = {"role": "user", "content": "Hi, additional_tools"}
    with pytest.raises(InputError) as refused:
        asked(applied(Prompt()), input=[said, brought])
    assert [fault.path for fault in refused.value.faults] == ["input[1]"]
    assert asked(applied(Prompt(), Serving(otherwise="ignore")), input=[said, brought])["input"] == [said]
    assert asked(applied(Prompt(), Serving(may_set=("tools",))), input=[said, brought])["input"] == [said, brought]
    assert (
        asked(applied(Prompt()), input='"additional_tools"')["input"]
        == asked(applied(Prompt()), input='"additional_tools"')["input"]
    )
    assert asked(applied(Prompt()), input=[said])["input"] == [said]
