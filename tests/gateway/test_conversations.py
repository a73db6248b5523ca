"""A conversation that moves from bundle to bundle and back, in the middle of its calls of tools, whoever speaks which dialect.

The providers are stand-ins that verify what they sealed and refuse what others did, as the real ones do; the clients are the
official SDKs, which say again what they were given.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest

from segue.model import Bundle, Parameters, ToolSpec
from segue.model.route import Route
from segue.standin.settings import StandInSettings
from segue.wire.neutral.conversation import Dialect
from tests.gateway.conversants import Conversant, Heard, an_app, plain
from tests.gateway.wiring import Wired, a_gateway

DIALECTS: tuple[Dialect, ...] = ("openai_chat", "openai_responses", "anthropic_messages")
THOUGHTS = {"old": "Ada ponders it.", "new": "Bob ponders it."}
FIND = ToolSpec(name="find", description="Finds.", parameters={"type": "object", "properties": {"id": {"type": "integer"}}})
PARAMETERS: dict[Dialect, Parameters] = {
    "openai_chat": Parameters(max_output_tokens=3000),
    "openai_responses": Parameters(max_output_tokens=3000, reasoning_effort="low"),
    "anthropic_messages": Parameters(max_output_tokens=3000, thinking_budget_tokens=1024),
}
SHOWN: dict[Dialect, tuple[list[int], list[int]]] = {
    "openai_chat": ([0, 0, 0, 0], [0, 0]),
    "openai_responses": ([0, 1, 2, 3], [0, 1]),
    "anthropic_messages": ([0, 1, 1, 2], [0, 0]),
}
"""How many of its own reasoning items a provider is shown, request by request, as the incumbent and as the candidate.

What it thought before the conversation left it is shown to it again. Chat has no such thing. Anthropic does not think where it
goes on from another's call of a tool, so it has one thought less to be shown.
"""
CLIENT = pytest.mark.parametrize("client", DIALECTS)
STREAMS = pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])


def thinker(name: str, dialect: Dialect, **given: Any) -> StandInSettings:
    """A provider that thinks before each answer, and seals it."""
    vendor: Any = "anthropic" if dialect == "anthropic_messages" else "openai"
    said = f"{name} found {{results}}."
    return StandInSettings(dialect=vendor, reasoning_tokens=30, thought=THOUGHTS[name], text=said, pieces=3, **given)


@dataclass
class Stage:
    """Two bundles on the gateway, and what each provider was asked."""

    wired: Wired
    bundles: dict[str, Bundle]
    bodies: dict[str, list[dict[str, Any]]]

    def move(self, name: str) -> None:
        """From here on this bundle answers, and nobody else does where it fails."""
        self.wired.flip(Route.model_validate({"workflow": "mail", "incumbent": self.bundles[name].digest}))

    def last(self, name: str) -> dict[str, Any]:
        """What this provider was asked last."""
        return self.bodies[name][-1]


@asynccontextmanager
async def stage(old: Dialect, new: Dialect, **given: Any) -> AsyncIterator[Stage]:
    """The incumbent's bundle and the candidate's, each in its dialect."""
    dialects = {"old": old, "new": new}
    entries = {name: {"api": "responses"} for name, dialect in dialects.items() if dialect == "openai_responses"}
    parts = {name: {"parameters": PARAMETERS[dialect], "tools": (FIND,)} for name, dialect in dialects.items()}
    settings = {name: thinker(name, dialect, **given) for name, dialect in dialects.items()}
    async with a_gateway(settings, entries=entries, parts=parts, candidate="new") as (wired, bundles):
        bodies: dict[str, list[dict[str, Any]]] = {"old": [], "new": []}
        for name, stand_in in wired.stand_ins.items():
            stand_in.on_body = bodies[name].append
        found = Stage(wired, bundles, bodies)
        found.move("old")
        yield found


async def converse(at: Stage, app: Conversant) -> list[Heard]:
    """Three questions, each answered after a call of a tool; twice the bundle changes between a call and its result."""
    heard = [await app.say("Where is it?")]
    at.move("new")
    heard += [await app.answer(heard[-1].calls, "7"), await app.say("And the other?")]
    at.move("old")
    heard += [await app.answer(heard[-1].calls, "8"), await app.say("And the third?")]
    heard.append(await app.answer(heard[-1].calls, "9"))
    return heard


def sealed(body: dict[str, Any]) -> list[Any]:
    """The reasoning items in what a provider was asked."""
    turns = body.get("messages") or body["input"]
    contents = [turn.get("content") for turn in turns if isinstance(turn, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return [one for one in (*turns, *parts) if one.get("type") in ("reasoning", "thinking", "redacted_thinking")]


@STREAMS
@CLIENT
@pytest.mark.parametrize(("old", "new"), list(itertools.product(DIALECTS, DIALECTS)))
async def test_a_conversation_goes_to_another_bundle_and_comes_back(
    old: Dialect, new: Dialect, client: Dialect, streams: bool
) -> None:
    """Every answer is given, every provider sees its own reasoning and no other's, and calls stay with their results."""
    async with stage(old, new) as at, an_app(at.wired, client, streams=streams) as app:
        heard = await converse(at, app)
        assert [one.text for one in heard] == ["", "new found 7.", "", "old found 8.", "", "old found 9."]
        assert [len(one.calls) for one in heard] == [1, 0, 1, 0, 1, 0]
        assert len({call for one in heard for call in one.calls}) == len([call for one in heard for call in one.calls])
        assert [len(at.bodies[name]) for name in ("old", "new")] == [4, 2]
        for name, other in (("old", "new"), ("new", "old")):
            for body in at.bodies[name]:
                assert "segue1." not in plain(body)
                assert THOUGHTS[other] not in plain(body)
                assert plain(body).count(THOUGHTS[name]) == plain(sealed(body)).count(THOUGHTS[name])
        assert [len(sealed(body)) for body in at.bodies["old"]] == SHOWN[old][0]
        assert [len(sealed(body)) for body in at.bodies["new"]] == SHOWN[new][1]
        assert not any(thought in one.text for one in heard for thought in THOUGHTS.values())


@STREAMS
@CLIENT
async def test_thinking_that_a_provider_hides_goes_back_to_it(client: Dialect, streams: bool) -> None:
    """It can be read by nobody, and is shown again as it was."""
    async with (
        stage("anthropic_messages", "openai_responses", hides_thought=True) as at,
        an_app(at.wired, client, streams=streams) as app,
    ):
        await converse(at, app)
        assert [one["type"] for one in sealed(at.last("old"))] == ["redacted_thinking"] * 2
        assert all(one["summary"] == [] for one in sealed(at.last("new")))


@CLIENT
@pytest.mark.parametrize("bundle", ["anthropic_messages", "openai_responses"])
async def test_who_does_not_bring_reasoning_back_is_answered_all_the_same(client: Dialect, bundle: Dialect) -> None:
    """Many applications keep texts and calls only. Anthropic's thinking rests then until the next question."""
    async with stage(bundle, "openai_chat") as at, an_app(at.wired, client) as app:
        heard = await app.say("Where is it?")
        _forget(app.history)
        assert (await app.answer(heard.calls, "7")).text == "old found 7."
        thinking = at.last("old").get("thinking", {}).get("type")
        assert thinking == ("disabled" if bundle == "anthropic_messages" else None)
        _forget(app.history)
        assert (await app.say("And the other?")).calls
        assert at.last("old").get("thinking", {}).get("type") == ("enabled" if bundle == "anthropic_messages" else None)


def _forget(history: list[Any]) -> None:
    """Keep of each turn what any application would. OpenAI refuses an item named by its id without its reasoning."""
    for at, turn in enumerate(history):
        said = turn if isinstance(turn, dict) else turn.to_dict()
        history[at] = {name: value for name, value in said.items() if name not in ("reasoning_details", "id")}
        if isinstance(said.get("content"), list):
            history[at]["content"] = [part for part in said["content"] if getattr(part, "type", "") != "thinking"]
    history[:] = [turn for turn in history if turn.get("type") != "reasoning"]


@STREAMS
async def test_what_passes_within_a_dialect_is_untouched_but_for_seals(streams: bool) -> None:
    """Between two models of Anthropic: marks for the cache, citations and odd fields stay, and foreign thinking goes."""
    same: Dialect = "anthropic_messages"
    async with stage(same, same) as at, an_app(at.wired, same, streams=streams) as app:
        heard = await app.say("Where is it?")
        cached = {"type": "text", "text": "So?", "cache_control": {"type": "ephemeral"}}
        app.history.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": heard.calls[0], "content": "7"}, cached]}
        )
        for name, kept in (("old", 1), ("new", 0)):
            at.move(name)
            given: Any = {"model": "mail", "max_tokens": 9, "messages": app.history}
            await app.sdk.messages.create(**given)
            body = at.last(name)
            assert len(sealed(body)) == kept
            assert body["messages"][-1]["content"][-1] == cached
            assert body["thinking"]["type"] == ("enabled" if kept else "disabled")


@pytest.mark.parametrize("bundle", ["anthropic_messages", "openai_responses"])
async def test_reasoning_that_somebody_changed_is_the_providers_to_refuse(bundle: Dialect) -> None:
    """A seal is no protection, and needs none: providers verify their own, and the client hears what they say."""
    async with stage(bundle, "openai_chat") as at, an_app(at.wired, bundle) as app:
        heard = await app.say("Where is it?")
        for turn in app.history[1:]:
            for block in turn.get("content", []) if isinstance(turn, dict) else [turn]:
                if block.type == "thinking":
                    block.thinking = "Somebody else ponders it."
                elif block.type == "reasoning":
                    block.summary[0].text = "Somebody else ponders it."
        with pytest.raises((anthropic.BadRequestError, openai.BadRequestError), match=r"Invalid|could not be verified"):
            await app.answer(heard.calls, "7")


async def test_a_chat_provider_is_not_shown_the_field_that_carries_seals() -> None:
    """OpenAI refuses fields it does not know; a server's own details stay with it."""
    async with stage("anthropic_messages", "openai_chat") as at, an_app(at.wired, "openai_chat") as app:
        heard = await app.say("Where is it?")
        assert "reasoning_details" in plain([turn if isinstance(turn, dict) else turn.to_dict() for turn in app.history])
        at.move("new")
        await app.answer(heard.calls, "7")
        assert "reasoning_details" not in plain(at.last("new"))
