"""Stand-ins verify what they sealed, as providers do, and the official SDKs read what they send."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import orjson
import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawMessageStreamEvent
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from segue.model import Case, Message
from segue.providers.scripted_config import ScriptedConfig
from segue.standin import Script, StandIn, StandInSettings, anthropic_front, responses_front
from segue.standin.said import Asked, Call, Said
from segue.standin.seals import Scope
from segue.wire.sse import SseDecoder

SCOPE = Scope("p", "http://here", "key", "m")
ASKED = Asked("m", "", False, {}, "auto", None, None, None, True, True, False, 0, scope=SCOPE)
SAID = {
    "text": Said("Grüße.", reasoning_tokens=30, output_tokens=31),
    "calls": Said("", (Call("1", "find", '{"id":7}'), Call("2", "stop", "{}")), reasoning_tokens=30, output_tokens=38),
    "cut": Said("As I was", is_cut=True, output_tokens=2),
    "refusal": Said("", refusal="No.", output_tokens=2),
}
TOOL: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "integer"}}}
THINKING: Any = {"type": "enabled", "budget_tokens": 1024}
SETTINGS = StandInSettings(reasoning_tokens=30, pieces=3)
CLAUDE = StandInSettings(dialect="anthropic", reasoning_tokens=30)


@pytest.mark.parametrize("other", [Scope("q", "http://here", "key", "m"), Scope("p", "http://there", "key", "m")])
def test_a_seal_holds_where_it_was_made_for_what_was_said(other: Scope) -> None:
    """Nowhere else, and for nothing else."""
    seal = SCOPE.seal("one", "two")
    assert SCOPE.holds(seal, "one", "two")
    assert not other.holds(seal, "one", "two")
    assert not any(SCOPE.holds(wrong, *said) for wrong, said in ((seal, ("one",)), (None, ("one", "two")), ("é", ("one",))))
    for field in ("credential", "model"):
        changed = {name: getattr(SCOPE, name) for name in ("provider", "origin", "credential", "model")} | {field: "another"}
        assert not Scope(**changed).holds(seal, "one", "two")


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("front", [responses_front, anthropic_front], ids=["responses", "messages"])
def test_the_sdks_own_types_take_every_answer(front: Any, name: str) -> None:
    """Whole and event by event, strictly."""
    whole: type[BaseModel] = Response
    events: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    if front is anthropic_front:
        whole, events = AnthropicMessage, TypeAdapter[Any](RawMessageStreamEvent)
    said = SAID[name]
    whole.model_validate_json(orjson.dumps(front.reply_body(SETTINGS, ASKED, said, "1")), strict=True)
    frames = SseDecoder().feed(b"".join(front.stream_pieces(SETTINGS, ASKED, said, "1")))
    for _, data in frames:
        if b'"ping"' not in data:
            events.validate_json(data, strict=True)
    assert len(frames) >= 4


async def claude_conversation(client: Any, **given: Any) -> tuple[list[Any], Any]:
    """A conversation up to the result of a tool, as the SDK has it."""
    tools = [{"name": "find", "input_schema": TOOL}]
    asked: dict[str, Any] = {"model": "m", "max_tokens": 2000, "thinking": THINKING, "tools": tools, **given}
    turns: list[Any] = [{"role": "user", "content": "Hi"}]
    found = await client.messages.create(**asked, messages=turns)
    call = found.content[-1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "7"}
    return [*turns, {"role": "assistant", "content": found.content}, {"role": "user", "content": [result]}], asked


@pytest.mark.parametrize("hides", [False, True], ids=["shown", "hidden"])
async def test_anthropics_thinking_comes_back_as_it_was_or_not_at_all(hides: bool) -> None:
    """Changed, from another account, left out, or with calls and results that do not match: each is refused by name."""
    settings = CLAUDE.model_copy(update={"hides_thought": hides})
    async with StandIn(settings) as base_url, anthropic.AsyncAnthropic(base_url=base_url, api_key="k", max_retries=0) as client:
        turns, asked = await claude_conversation(client)
        assert (await client.messages.create(**asked, messages=turns)).stop_reason == "end_turn"
        thought = turns[1]["content"][0]
        wrong = {"data": "x"} if hides else {"signature": "x"}
        changed = [thought.model_copy(update=wrong), *turns[1]["content"][1:]]
        for content, said in ((changed, "Invalid"), (turns[1]["content"][1:], "Expected `thinking`")):
            with pytest.raises(anthropic.BadRequestError, match=said):
                await client.messages.create(**asked, messages=[turns[0], {"role": "assistant", "content": content}, turns[2]])
        rests = {**asked, "thinking": {"type": "disabled"}}
        bare = [turns[0], {"role": "assistant", "content": turns[1]["content"][1:]}, turns[2]]
        assert [block.type for block in (await client.messages.create(**rests, messages=bare)).content] == ["text"]
        for cut, said in (
            ([*turns[:2], turns[0]], "without `tool_result`"),
            ([turns[0], turns[2]], "unexpected `tool_use_id`"),
        ):
            with pytest.raises(anthropic.BadRequestError, match=said):
                await client.messages.create(**rests, messages=cut)
        with pytest.raises(anthropic.BadRequestError, match="Invalid"):
            await client.with_options(api_key="other").messages.create(**asked, messages=turns)
        with pytest.raises(anthropic.BadRequestError, match="Invalid"):
            await client.messages.create(**{**asked, "model": "n"}, messages=turns)


async def test_openais_reasoning_comes_back_as_it_was_with_what_it_was_for() -> None:
    """Changed, without what follows it, or missing before an item that is named by its id: each is refused."""
    tools: Any = [{"type": "function", "name": "find", "parameters": TOOL, "strict": False}]
    asked: dict[str, Any] = {"model": "m", "tools": tools, "store": False, "include": ["reasoning.encrypted_content"]}
    async with StandIn(SETTINGS) as base_url, openai.AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
        create: Any = client.responses.create
        first = await create(**asked, input="Hi")
        user, result = {"role": "user", "content": "Hi"}, {"type": "function_call_output", "output": "7"}
        thought, call = first.output
        result["call_id"] = call.call_id
        assert (await create(**asked, input=[user, thought, call, result])).output_text
        changed = thought.model_copy(update={"encrypted_content": "x"})
        nameless = {name: value for name, value in call.to_dict().items() if name != "id"}
        assert (await create(**asked, input=[user, nameless, result])).output_text
        for items, said in (
            ([user, changed, call, result], "could not be verified"),
            ([user, thought, user], "without its required following item"),
            ([user, call, result], "without its required 'reasoning' item"),
            ([user, thought, call], "No tool output found"),
            ([user, result], "No tool call found"),
        ):
            with pytest.raises(openai.BadRequestError, match=said):
                await create(**asked, input=items)
        with pytest.raises(openai.BadRequestError) as refused:
            await create(**{**asked, "model": "n"}, input=[user, thought, call, result])
        assert refused.value.code == "invalid_encrypted_content"
        with pytest.raises(openai.NotFoundError):
            await create(**asked, input=[user, thought.model_copy(update={"encrypted_content": None}), call, result])
        assert (await create(**{**asked, "reasoning": {"effort": "none"}}, input="Hi")).output[0].type == "function_call"


async def test_chat_takes_no_call_without_its_result_and_no_field_it_does_not_know() -> None:
    """The rules of the API for what an application says again."""
    user: Any = {"role": "user", "content": "Hi"}
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    said: Any = {"role": "assistant", "content": None, "tool_calls": [call]}
    result: Any = {"role": "tool", "tool_call_id": "call_1", "content": "7"}
    async with StandIn() as base_url, openai.AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0) as client:
        create = client.chat.completions.create
        assert (await create(model="m", messages=[user, said, result])).choices
        for messages, told in (
            ([user, said], "must be followed by tool messages"),
            ([user, said, user], "must be followed by tool messages"),
            ([user, result], "must be a response to"),
            ([user, said, {**result, "tool_call_id": "call_2"}], "must be a response to"),
            ([user, {"role": "assistant", "content": "Yes", "reasoning_details": []}], "Unknown parameter"),
        ):
            with pytest.raises(openai.BadRequestError, match=told):
                await create(model="m", messages=messages)


async def test_a_scripted_model_may_reason_and_its_reasoning_is_sealed() -> None:
    """It shows what it thinks where the dialect shows it."""
    config = ScriptedConfig.model_validate({"type": "scripted", "models": {"m": {"thought": "Ada ponders it."}}})
    case = Case(case_id="c", messages=(Message(role="user", content="Hi"),), reference="Yes.")
    async with (
        StandIn(CLAUDE, script=Script(config, [case])) as base_url,
        anthropic.AsyncAnthropic(base_url=base_url, api_key="k", max_retries=0) as client,
    ):
        turns: Any = [{"role": "user", "content": "Hi"}]
        found: Any = await client.messages.create(model="m", max_tokens=2000, messages=turns)
        assert [block.type for block in found.content] == ["thinking", "text"]
        assert (found.content[0].thinking, found.content[1].text) == ("Ada ponders it.", "Yes.")
        again = [*turns, {"role": "assistant", "content": found.content}, *turns]
        assert (await client.messages.create(model="m", max_tokens=2000, messages=again)).content
