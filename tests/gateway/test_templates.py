"""A template in a conversation with tools: it stands where the user spoke, and results of tools stay where they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from segue.gateway.applied import AppliedBundle, read_fields
from segue.model import Bundle, Case, Message, ModelRef, Parameters, Prompt, ToolCall, ToolSpec
from segue.model.serving import Serving
from segue.providers.dialects import DIALECTS
from segue.providers.rendering import render_request
from segue.standin import anthropic_front
from segue.standin.said import Refused
from segue.standin.seals import Scope
from segue.standin.settings import StandInSettings
from segue.wire.neutral.conversation import Dialect
from segue.wire.profiles import ANTHROPIC, OPENAI, OPENAI_RESPONSES
from tests.gateway.conversants import an_app
from tests.gateway.test_conversations import DIALECTS as CODECS
from tests.gateway.wiring import a_gateway

PROFILES = {"openai": OPENAI, "openai_responses": OPENAI_RESPONSES, "anthropic": ANTHROPIC["2023-06-01"]}
FIND = ToolSpec(name="find", description="Finds.", parameters={"type": "object", "properties": {}})
TURNS = (
    Message(role="user", content="Where is it?"),
    Message(role="assistant", content=None, tool_calls=(ToolCall(id="call_1", name="find", arguments="{}"),)),
    Message(role="tool", content="7", tool_call_id="call_1"),
)
FIELD = {"openai": "messages", "openai_responses": "input", "anthropic": "messages"}
SCOPE = Scope("anthropic", "here", "", "m")
USED = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "7"}
TEXT = {"type": "text", "text": "And now?"}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://pictures.test/a.png"}}


def a_bundle(**prompt: str) -> Bundle:
    """One with a tool."""
    parameters = Parameters(max_output_tokens=300)
    return Bundle(
        workflow="mail",
        model=ModelRef(provider="p", snapshot="m"),
        prompt=Prompt(**prompt),
        tools=(FIND,),
        parameters=parameters,
    )


def in_eval(bundle: Bundle, dialect: str, turns: tuple[Message, ...]) -> Any:
    """What an eval asks for these turns."""
    case = Case(case_id="c", messages=turns)
    return json.loads(
        json.dumps(DIALECTS[dialect].encode(render_request(bundle, case, 0), profile=PROFILES[dialect], stream=False).body)
    )


def served(bundle: Bundle, dialect: str, turns: Any) -> Any:
    """What the upstream is asked for these turns of a client of the same dialect."""
    applied = AppliedBundle.of(bundle, dialect, PROFILES[dialect], Serving())
    return json.loads(applied.apply(read_fields(json.dumps({"model": "mail", FIELD[dialect]: turns}).encode())))


def placed(*content: Any) -> tuple[list[Any], str]:
    """The turns towards Anthropic where the user's last one holds this, and what the system instructions took for its text."""
    bundle = a_bundle(system="Asked: {{input}}", template="Look: {{input}}")
    assistant = {"role": "assistant", "content": [USED]}
    body = served(bundle, "anthropic", [{"role": "user", "content": "Where?"}, assistant, {"role": "user", "content": content}])
    return body["messages"], body["system"]


@pytest.mark.parametrize("then", [(), (Message(role="user", content="And now?"),)], ids=["after-results", "spoken-again"])
@pytest.mark.parametrize("dialect", list(PROFILES))
def test_what_is_served_after_a_call_of_a_tool_is_what_was_measured(dialect: str, then: tuple[Message, ...]) -> None:
    """In each dialect the template stands in the user's own last message, and the variable says its text."""
    bundle = a_bundle(system="Asked: {{input}}", template="Look: {{input}}")
    plain = in_eval(a_bundle(), dialect, (*TURNS, *then))[FIELD[dialect]]
    measured = in_eval(bundle, dialect, (*TURNS, *then))
    assert served(bundle, dialect, plain) == measured
    assert f"Look: {'And now?' if then else 'Where is it?'}" in json.dumps(measured)


def test_a_turn_that_only_brings_results_is_not_the_users() -> None:
    """It stays as it is; what the user said last is before it."""
    turns, system = placed(RESULT)
    assert (turns[0]["content"], turns[2]["content"], system) == ("Look: Where?", [RESULT], "Asked: Where?")


def test_a_picture_beside_results_is_no_text_of_the_users() -> None:
    """As tools have them that look at a screen."""
    turns, system = placed(RESULT, IMAGE)
    assert (turns[0]["content"], turns[2]["content"], system) == ("Look: Where?", [RESULT, IMAGE], "Asked: Where?")


@pytest.mark.parametrize(
    "content", [(RESULT, TEXT, IMAGE), (RESULT, IMAGE, TEXT), (TEXT, RESULT, IMAGE)], ids=["behind", "last", "before"]
)
def test_what_the_user_says_behind_results_stays_behind_them(content: tuple[Any, ...]) -> None:
    """SDKs put both into one turn, and Anthropic refuses one in which anything stands before the results."""
    turns, system = placed(*content)
    assert turns[0]["content"] == "Where?"
    assert turns[2]["content"] == [RESULT, {"type": "text", "text": "Look: And now?"}, IMAGE]
    assert system == "Asked: And now?"


@pytest.mark.parametrize("client", CODECS)
@pytest.mark.parametrize("target", CODECS)
async def test_a_template_breaks_no_call_of_a_tool(client: Dialect, target: Dialect) -> None:
    """Two rounds, whoever speaks which dialect: the provider refuses what stands before its results, and never has to."""
    vendor: Any = "anthropic" if target == "anthropic_messages" else "openai"
    settings = StandInSettings(dialect=vendor, text="Found {results}.")
    parts = {"old": {"system": "Asked: {{input}}", "template": "Look: {{input}}", "tools": (FIND,)}}
    entries = {"old": {"api": "responses"}} if target == "openai_responses" else {}
    async with a_gateway({"old": settings}, entries=entries, parts=parts) as (wired, _), an_app(wired, client) as app:
        bodies: list[Any] = []
        wired.stand_ins["old"].on_body = bodies.append
        for asked in ("Where is it?", "And the other?"):
            heard = await app.say(asked)
            assert (await app.answer(heard.calls, "7")).text == "Found 7."
            said = [json.dumps(body) for body in bodies[-2:]]
            assert all(f"Asked: {asked}" in one and one.count(f"Look: {asked}") == 1 for one in said)
        assert len(wired.log) == 4


@pytest.mark.parametrize("before", [TEXT, IMAGE], ids=["text", "picture"])
def test_the_stand_in_refuses_what_stands_before_results(before: dict[str, Any]) -> None:
    """As Anthropic's API does, so that a test sees it; behind them it may stand."""
    asked: dict[str, Any] = {"role": "user", "content": "Where?"}
    calls = {"role": "assistant", "content": [USED]}

    def told(*content: Any) -> Refused | None:
        return anthropic_front.refuse_turns({"messages": [asked, calls, {"role": "user", "content": list(content)}]}, SCOPE)

    refused = told(before, RESULT)
    assert refused is not None
    assert "immediately after: toolu_1" in refused.message
    assert (told(RESULT), told(RESULT, before)) == (None, None)
