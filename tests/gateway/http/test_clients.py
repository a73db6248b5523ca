"""Clients as people have them, unmodified, against server, bridge and upstream on real sockets."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

import aiohttp
import anthropic
import httpx2
import openai
import pytest

from tests.gateway.http.stage import Script, Theatre, passing_on, read_request

CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes. " * 2000}}],
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Yes."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def whole(answer: dict[str, Any]) -> bytes:
    """An answer with a length."""
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def streamed(events: list[tuple[str | None, Any]]) -> bytes:
    """Server-sent events, one per chunk."""
    parts = [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"]
    for name, data in events:
        text = data if isinstance(data, str) else json.dumps(data)
        event = (f"event: {name}\n" if name else "") + f"data: {text}\n\n"
        parts.append(b"%x\r\n%b\r\n" % (len(event), event.encode()))
    return b"".join(parts) + b"0\r\n\r\n"


def chat_events() -> list[tuple[str | None, Any]]:
    """Three words."""
    frame: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    words = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("one ", "two ", "three")]
    return [(None, frame | word) for word in words] + [(None, "[DONE]")]


def message_events() -> list[tuple[str | None, Any]]:
    """The same in the other dialect."""
    start: dict[str, Any] = {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}}
    block: dict[str, Any] = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    words: list[dict[str, Any]] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
        for word in ("one ", "two ", "three")
    ]
    end: list[dict[str, Any]] = [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    return [(str(event["type"]), event) for event in [start, block, *words, *end]]


def provider() -> Script:
    """Answers both dialects, whole or streamed, as it is asked."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _, body = (await read_request(reader)).partition(b"\r\n\r\n")
            if b"/models" in head:
                writer.write(whole({"object": "list", "data": []}))
                continue
            is_stream = json.loads(body).get("stream")
            if b"/messages" in head:
                writer.write(streamed(message_events()) if is_stream else whole(MESSAGE))
            else:
                writer.write(streamed(chat_events()) if is_stream else whole(CHAT))
            await writer.drain()

    return script


@pytest.fixture
async def port(stage: Theatre) -> int:
    """Of a server that passes all on to such a provider."""
    return (await stage.server(passing_on(await stage.upstream(provider()))))[1]


async def test_the_openai_client_is_served(port: int) -> None:
    """Whole and streamed, many at once."""
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0) as client:

        async def ask(number: int) -> str:
            if number % 2:
                answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
                return answer.choices[0].message.content or ""
            stream = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}], stream=True)
            return "".join([event.choices[0].delta.content or "" async for event in stream])

        answers = await asyncio.gather(*(ask(number) for number in range(20)))
    assert answers == ["one two three", "Yes. " * 2000] * 10


async def test_the_anthropic_client_is_served(port: int) -> None:
    """Whole and streamed."""
    async with anthropic.AsyncAnthropic(base_url=f"http://127.0.0.1:{port}", api_key="k", max_retries=0) as client:
        answer = await client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "?"}])
        assert answer.content[0].text == "Yes."  # type: ignore[union-attr]
        async with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "?"}]) as stream:
            assert "".join([text async for text in stream.text_stream]) == "one two three"


async def test_aiohttp_is_served(port: int) -> None:
    """With a body in chunks, with `Expect`, and with a connection for each."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def body() -> Any:
            yield b'{"messages": '
            yield b"[]}"

        for _ in range(3):
            async with session.post("/v1/chat/completions", data=body()) as answer:
                assert (await answer.json())["id"] == "chatcmpl-1"
            async with session.post("/v1/messages", json={"stream": True}, expect100=True) as answer:
                assert (await answer.text()).count("event: ") == 8
            async with session.get("/v1/models", headers={"Connection": "close"}) as answer:
                assert answer.status == 200


async def test_httpx_is_served(port: int) -> None:
    """The client beneath the official ones, by itself."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            answer = await client.post("/v1/chat/completions", json={})
            assert answer.json()["id"] == "chatcmpl-1"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--http1.0"],
        ["--http2"],
        ["-H", "Transfer-Encoding: chunked"],
        ["-H", "Expect: 100-continue"],
        ["-H", "Connection: close"],
    ],
    ids=["plain", "1.0", "offers http/2", "chunked", "expects 100", "close"],
)
async def test_curl_is_served(port: int, words: list[str]) -> None:
    """Twice on one connection, however it asks."""
    url = f"http://127.0.0.1:{port}/v1/messages"
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", "20", *words, "-d", "{}", url, url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, err
    assert out == json.dumps(MESSAGE).encode() * 2
