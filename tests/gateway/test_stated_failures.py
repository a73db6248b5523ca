"""A whole answer with status 200 that says itself that it is none: another bundle is asked, and the breaker hears of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from segue.gateway.edge import EDGES
from segue.providers.config import parse_provider
from segue.standin.settings import StandInSettings, Trouble
from segue.wire.neutral.conversation import Dialect
from tests.gateway.edges.checks import heard
from tests.gateway.faults import heads
from tests.gateway.faults.provider import Provider
from tests.gateway.faults.words import whole
from tests.gateway.test_serving import HELLO, chat
from tests.gateway.wiring import Wired, a_gateway

MESSAGE = {"type": "message", "id": "m1", "role": "assistant", "status": "completed"}
RESPONSE: dict[str, Any] = {
    **{"id": "r1", "object": "response", "created_at": 1, "model": "m-1", "error": None},
    "output": [{**MESSAGE, "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}],
}
CHAT: dict[str, Any] = {"id": "c1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]}
MESSAGES: dict[str, Any] = {"id": "m1", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
ANSWERS: dict[Dialect, dict[str, Any]] = {"openai_responses": RESPONSE, "openai_chat": CHAT, "anthropic_messages": MESSAGES}
NO_QUOTA = {"message": "You have spent it all.", "type": "insufficient_quota", "code": "insufficient_quota"}

FAILED: list[tuple[Dialect, dict[str, Any], str]] = [
    ("openai_responses", {"status": "failed", "error": {}, "output": []}, "server"),
    ("openai_responses", {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow."}}, "rate_limit"),
    ("openai_responses", {"status": "failed"}, "server"),
    ("openai_responses", {"status": "cancelled"}, "bad_reply"),
    ("openai_responses", {"status": "in_progress"}, "bad_reply"),
    ("openai_responses", {"status": "queued", "output": []}, "bad_reply"),
    ("openai_responses", {"error": {"code": "server_error", "message": "Died."}}, "server"),
    ("openai_chat", {"error": {"message": "Died.", "type": "server_error"}}, "server"),
    ("openai_chat", {"error": {"message": "Full.", "type": "overloaded_error"}}, "overloaded"),
    ("openai_chat", {"error": "It broke."}, "server"),
    ("openai_chat", {"error": NO_QUOTA}, "auth"),
    ("anthropic_messages", {"type": "error", "content": []}, "server"),
    ("anthropic_messages", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded"),
]

PASSING: list[tuple[Dialect, dict[str, Any]]] = [
    ("openai_responses", {"status": "completed"}),
    ("openai_responses", {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
    ("openai_responses", {"status": None}),
    ("openai_responses", {}),
    ("openai_chat", {"error": None}),
    ("openai_chat", {"choices": [{**CHAT["choices"][0], "finish_reason": None}]}),
    ("openai_chat", {}),
    ("anthropic_messages", {"type": "message", "stop_reason": None}),
    ("anthropic_messages", {}),
]


def told(dialect: Dialect, said: dict[str, Any]) -> Any:
    """What a client is told of an answer in its own dialect that says this, too."""
    return heard([json.dumps({**ANSWERS[dialect], **said}).encode()], dialect, dialect, b"application/json")


@pytest.mark.parametrize(("dialect", "said", "why"), FAILED, ids=[f"{n}-{one[0]}" for n, one in enumerate(FAILED)])
def test_an_answer_that_says_it_failed_is_none(dialect: Dialect, said: dict[str, Any], why: str) -> None:
    """Whatever else stands in it, by the kind of failure that it names."""
    assert told(dialect, said).ending == f"failed: {why}"


@pytest.mark.parametrize(("dialect", "said"), PASSING, ids=[f"{n}-{one[0]}" for n, one in enumerate(PASSING)])
def test_an_answer_that_does_not_say_so_passes_as_it_came(dialect: Dialect, said: dict[str, Any]) -> None:
    """Some servers leave out how it ended; the bytes are the provider's."""
    found = told(dialect, said)
    assert found.ending == "answered: 200"
    assert json.loads(found.out) == {**ANSWERS[dialect], **said}


def test_every_dialect_is_tried() -> None:
    """One that a client may speak and that is not in the lists above would fail here."""
    dialects = {edge.codec for edge in EDGES.values()}
    assert {one[0] for one in FAILED} == {one[0] for one in PASSING} == dialects


@asynccontextmanager
async def failing(body: dict[str, Any], **spare: Any) -> AsyncIterator[tuple[Wired, str]]:
    """A gateway whose incumbent is asked over Responses and always answers this, with a healthy fallback or none."""
    settled = {"old": StandInSettings(), **spare}
    route: dict[str, Any] = {"fallback": "spare"} if spare else {}
    async with Provider(heads.says(whole(json.dumps(body).encode()))) as port, a_gateway(settled, **route) as (wired, bundles):
        entry = {"type": "openai", "api": "responses", "base_url": f"http://127.0.0.1:{port}/v1"}
        wired.sources.providers["old"] = parse_provider("old", entry)  # type: ignore[index]
        wired.gateway.plane = wired.planes.build(wired.sources)
        yield wired, bundles["old"].digest


async def test_a_healthy_fallback_answers_and_the_breaker_opens_after_five() -> None:
    """The client of Responses notices nothing."""
    async with failing({**RESPONSE, "status": "failed"}, spare=StandInSettings(text="Of the spare.")) as (wired, digest):
        async with chat(wired) as client:
            for _ in range(5):
                assert (await client.responses.create(model="mail", input="Hi")).output_text == "Of the spare."
        assert {(one.record.fallback_from, one.record.fallback_reason) for one in wired.log} == {(digest, "server")}
        assert [target.digest for target in wired.moved] == [digest]


async def test_where_nobody_else_is_the_client_hears_why() -> None:
    """With a status on which its SDK asks again, and never what the provider says of a key."""
    said = {**RESPONSE, "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}}
    async with failing(said) as (wired, _), chat(wired) as client:
        with pytest.raises(openai.RateLimitError, match="Slow down"):
            await client.responses.create(model="mail", input="Hi")
    async with failing({**said, "error": NO_QUOTA}) as (wired, _), chat(wired) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.responses.create(model="mail", input="Hi")
        assert "spent" not in str(caught.value)


@pytest.mark.parametrize("translated", [False, True])
async def test_one_that_will_not_pass_gives_way_to_one_that_may(translated: bool) -> None:
    """An empty account does not fill by waiting; the fallback's rate limit passes, so the client hears of that."""
    full = StandInSettings(troubles=(Trouble(kind="rate_limit", retry_after_s=7),))
    async with failing({**RESPONSE, "status": "failed", "error": NO_QUOTA}, spare=full) as (wired, _), chat(wired) as client:
        chats, responses = client.chat.completions, client.responses
        asking = chats.create(model="mail", messages=HELLO) if translated else responses.create(model="mail", input="Hi")
        with pytest.raises(openai.RateLimitError) as caught:
            await asking
        assert caught.value.response.headers["retry-after"] == "7"
        assert wired.log[0].record.fallback_reason == "auth"
