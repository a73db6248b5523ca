"""Clients of one dialect before bundles of another: asked with the official SDKs, answered by stand-ins."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from segue.model.serving import Serving
from segue.standin.settings import StandInSettings, Trouble, TroubleKind
from tests.gateway.test_serving import HELLO, OLD, ask, chat, messages, stream
from tests.gateway.wiring import Wired, a_gateway

CLAUDE = StandInSettings(dialect="anthropic", text="Claude answers.")
TOOL: Any = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
CALLED: Any = [
    *HELLO,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "7 found"},
]


async def respond(wired: Wired, **given: Any) -> Any:
    """An answer of the Responses API."""
    async with chat(wired) as client:
        return await client.responses.create(**{"model": "mail", "input": "Hello", **given})


async def test_a_chat_client_before_an_anthropic_bundle() -> None:
    """Whole and streamed; the log keeps what the provider really said."""
    async with a_gateway({"old": CLAUDE}) as (wired, _):
        assert await ask(wired) == CLAUDE.text
        assert await stream(wired) == CLAUDE.text
        assert [(one.record.dialect_in, one.record.dialect_out) for one in wired.log] == [("openai_chat", "anthropic")] * 2
        assert json.loads(wired.log[0].response)["content"][0]["text"] == CLAUDE.text


async def test_an_anthropic_client_before_an_openai_bundle() -> None:
    """The other way round."""
    async with a_gateway({"old": OLD}) as (wired, _), messages(wired) as client:
        found: Any = await client.messages.create(model="mail", max_tokens=9, messages=HELLO, system="I am Ada.")
        assert (found.content[0].text, found.stop_reason, found.model) == (OLD.text, "end_turn", "mail")
        async with client.messages.stream(model="mail", max_tokens=9, messages=HELLO) as pieces:
            assert await pieces.get_final_text() == OLD.text


@pytest.mark.parametrize("provider", [OLD, CLAUDE], ids=["openai", "anthropic"])
async def test_a_responses_client_before_either(provider: StandInSettings) -> None:
    """Whole and streamed, with its own events."""
    async with a_gateway({"old": provider}) as (wired, _):
        found = await respond(wired, user="ada")
        assert (found.output_text, found.status) == (provider.text, "completed")
        async with chat(wired) as client, client.responses.stream(model="mail", input="Hello") as events:
            kinds = [event.type async for event in events]
        assert kinds[0] == "response.created"
        assert kinds[-1] == "response.completed"
        assert wired.log[0].record.unit == "ada"


async def test_a_candidate_of_another_dialect_falls_back_to_the_incumbent_of_this_one() -> None:
    """An upgrade from one vendor to another is a flip like any other, and so is its fallback."""
    burning = StandInSettings(dialect="anthropic", troubles=(Trouble(kind="overloaded"),))
    async with a_gateway({"old": OLD, "new": burning}, candidate="new", share=1.0) as (wired, bundles):
        assert await ask(wired) == OLD.text
        assert await stream(wired) == OLD.text
        assert {one.record.fallback_from for one in wired.log} == {bundles["new"].digest}


@pytest.mark.parametrize("kind", ["drop", "truncate", "error_in_stream", "malformed"])
async def test_a_translated_stream_that_breaks_off_never_looks_complete(kind: TroubleKind) -> None:
    """The SDK raises, whatever broke."""
    burning = StandInSettings(dialect="anthropic", text="Some words that will not end", troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": burning}) as (wired, _):
        with pytest.raises(openai.APIError):
            await stream(wired)
        assert wired.log[0].record.failure


async def test_calls_of_tools_and_their_results_cross() -> None:
    """A conversation that called a tool goes on with a bundle of the other dialect."""
    serving = Serving(may_set=("tools",))
    async with a_gateway({"old": CLAUDE}, serving=serving) as (wired, _):
        assert await ask(wired, messages=CALLED, tools=[TOOL]) == CLAUDE.text
    async with a_gateway({"old": OLD}, serving=serving) as (wired, _), messages(wired) as client:
        history: Any = [
            *HELLO,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "7 found"}]},
        ]
        tools: Any = [{"name": "find", "input_schema": {"type": "object"}}]
        found: Any = await client.messages.create(model="mail", max_tokens=9, messages=history, tools=tools)
        assert found.content[0].text == OLD.text


async def test_what_the_other_dialect_has_no_place_for_is_refused_by_name() -> None:
    """Before anybody is asked, and never left out in silence."""
    async with a_gateway({"old": CLAUDE}, serving=Serving(may_set=("logit_bias",))) as (wired, _):
        with pytest.raises(openai.BadRequestError, match="logit_bias"):
            await ask(wired, logit_bias={"7": 1})
        with pytest.raises(openai.BadRequestError, match="previous_response_id"):
            await respond(wired, previous_response_id="resp_1")
        assert wired.stand_ins["old"].ledger.as_json()["calls"] == 0


async def test_a_fault_of_the_gateway_is_told_in_each_dialect() -> None:
    """Every SDK raises its own class of it."""
    async with a_gateway({"old": OLD}) as (wired, _):
        with pytest.raises(openai.NotFoundError):
            await respond(wired, model="mial")
        async with messages(wired) as client:
            with pytest.raises(anthropic.NotFoundError):
                await client.messages.create(model="mial", max_tokens=9, messages=HELLO)
