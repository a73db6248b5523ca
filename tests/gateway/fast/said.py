"""What clients and providers say to the twins: requests by head and body, answers of every kind."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.fast.twin import CANDIDATE, INCUMBENT, KEY, OTHER_KEY

TURN = {"role": "user", "content": "Where is my order?"}


def _head(path: str, *fields: str, key: str = KEY, method: str = "POST") -> str:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {key}", *fields))


HEADS: dict[str, str] = {
    "chat": _head("/v1/chat/completions", "Content-Type: application/json"),
    "sdk": _head("/v1/chat/completions", "Connection: keep-alive", "Accept-Encoding: gzip"),
    "bank": _head("/v1/chat/completions", "segue-attributes: tier=bank"),
    "anna": _head("/v1/chat/completions", "segue-unit: anna"),
    "messages": _head("/v1/messages", "anthropic-version: 2023-06-01"),
    "beta": _head("/v1/messages", "anthropic-version: 2023-06-01", "anthropic-beta: tools-2024"),
    "responses": _head("/v1/responses"),
    "stranger": _head("/v1/chat/completions", key="sk-segue-nobody"),
    "pinned": _head("/v1/chat/completions", f"segue-pin: {INCUMBENT.digest}", key=OTHER_KEY),
    "continued": _head("/v1/chat/completions", f"segue-continues: {CANDIDATE.digest}"),
    "tagged": _head("/v1/chat/completions", "segue-tag: probe", key=OTHER_KEY),
    "unreadable": _head("/v1/chat/completions", "segue-attributes: nonsense"),
    "once": _head("/v1/chat/completions", "idempotency-key: 7"),
    "traced": _head("/v1/chat/completions", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    "told": _head("/v1/chat/completions", "segue-feedback: x1; thumbs=up"),
    "told wrongly": _head("/v1/chat/completions", "segue-feedback: nonsense"),
    "last": _head("/v1/chat/completions", "Connection: close"),
    "count": _head("/v1/messages/count_tokens", "anthropic-version: 2023-06-01"),
    "nowhere": _head("/v1/nowhere"),
}


def _chat(**given: Any) -> bytes:
    return json.dumps({"model": "mail", "messages": [TURN], **given}, ensure_ascii=False).encode()


BODIES: dict[str, bytes] = {
    "plain": _chat(),
    "anna": _chat(user="anna"),
    "bert": _chat(user="bert"),
    "longer": _chat(messages=[{"role": "system", "content": "Be kind."}, TURN, {"role": "assistant", "content": "Ö"}, TURN]),
    "system": _chat(system="Be kind.", max_tokens=10),
    "input": b'{"model":"mail","input":"Where is my order?"}',
    "stream": _chat(stream=True),
    "several": _chat(stream=True, n=2),
    "usage": _chat(stream=True, stream_options={"include_usage": True}),
    "not streamed": _chat(stream=False),
    "spaced": b' {"model" : "mail" , "messages" : [ {"role": "user", "content": "x"} ] } ',
    "empty": _chat(messages=[]),
    "no list": _chat(messages="hello"),
    "no turns": b'{"model":"mail"}',
    "twice": b'{"model":"mail","model":"nobody","messages":[{"role":"user","content":"x"}]}',
    "escaped": b'{"model":"m\\u0061il","messages":[{"role":"user","content":"x"}]}',
    "nobody": _chat(model="nobody"),
    "number": _chat(model=7),
    "tools": _chat(tools=[]),
    "warm": _chat(temperature=0.5),
    "limit": _chat(max_tokens=5),
    "other limit": _chat(max_completion_tokens=5),
    "variables": _chat(segue={"variables": {"language": "German"}}),
    "wrong variables": _chat(segue={"variables": 7}),
    "sealed": _chat(messages=[TURN, {"role": "assistant", "content": "x", "reasoning_details": [{"data": "abc"}]}, TURN]),
    "underscored": _chat(messages=[{"role": "user", "content": "what is max_tokens?"}]),
    "metadata": _chat(metadata={"user_id": "carl"}),
    "wrong user": _chat(user=7),
    "half": b'{"model":"mail","messages":[{"role":"user","content":"x"}]',
    "latin": b'{"model":"mail","messages":[{"role":"user","content":"\xe4"}]}',
    "nothing": b"",
    "large": _chat(messages=[{"role": "user", "content": "x" * 70_000}]),
}


def request(head: str, body: str, *, length: str = "Content-Length: %d", off: int = 0) -> bytes:
    """The bytes of one. `off`: how much longer it says its body is."""
    return f"{HEADS[head]}\r\n{length % (len(BODIES[body]) + off)}\r\n\r\n".encode() + BODIES[body]


def _answer(body: Any, *fields: str, status: str = "200 OK", kind: str | None = "application/json") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    first = [f"HTTP/1.1 {status}", *([] if kind is None else [f"Content-Type: {kind}"]), *fields]
    return "\r\n".join([*first, f"Content-Length: {len(data)}", "", ""]).encode() + data


def _said(text: str = "It is on its way.", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    return {"id": "c1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 9}}


MESSAGE = {"id": "m1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Yes."}], "model": "m"}
RESPONSE = {
    "id": "r1",
    "object": "response",
    "status": "completed",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}],
}
_CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"It"},"finish_reason":null}]}\n\n'
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunked(*parts: bytes, whole: bool = True) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + (b"0\r\n\r\n" if whole else b"")


def _chunked_answer(body: Any, *fields: str) -> bytes:
    data = json.dumps(body, ensure_ascii=False).encode()
    first = ("HTTP/1.1 200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked", *fields, "", "")
    return "\r\n".join(first).encode() + _chunked(data[:50], data[50:])


_OK, _BIG = _answer(_said()), _answer(_said("x" * 70_000))
ANSWERS: dict[str, tuple[bytes, ...]] = {
    "ok": (_OK,),
    "utf8": (_answer(_said("Ö…"), kind="application/json; charset=utf-8"),),
    "message": (_answer(MESSAGE),),
    "thinking": (_answer({**MESSAGE, "content": [{"type": "thinking", "thinking": "hm", "signature": "abc"}]}),),
    "response": (_answer(RESPONSE),),
    "encrypted": (_answer({**RESPONSE, "output": [{"type": "reasoning", "encrypted_content": "abc"}]}),),
    "many fields": (_answer(_said(), "Date: now", "Server: it", "Set-Cookie: a=b", "X-Request-Id: 7", "Via: x"),),
    "twice the field": (_answer(_said(), "X-A: 1", "X-A: 2"),),
    "named": (_answer(_said(), "Connection: keep-alive, x-a", "X-A: 1"),),
    "closing": (_answer(_said(), "Connection: close"),),
    "no type": (_answer(_said(), kind=None),),
    "text": (_answer(_said(), kind="text/plain"),),
    "shouted": (_answer(_said(), kind="Application/JSON"),),
    "created": (_answer(_said(), status="201 Created"),),
    "tools": (_answer(_said("", tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}])),),
    "mentions": (_answer(_said("reasoning_details and thought_signature")),),
    "openai": (
        _chunked_answer(_said(), "Connection: keep-alive", "Date: now", "Set-Cookie: a=b", "Set-Cookie: c=d", "Server: cf"),
    ),
    "openai in parts": tuple(
        _chunked_answer(_said(), "Connection: keep-alive", "Set-Cookie: a=b", "Set-Cookie: c=d")[at : at + 150]
        for at in range(0, 700, 150)
    ),
    "other coding": (_OK.replace(b"Content-Length:", b"Transfer-Encoding: gzip, chunked\r\nX-Length:"),),
    "sealed": (_answer(_said("x", reasoning_details=[{"type": "reasoning.encrypted", "data": "abc"}])),),
    "no choices": (_answer({"choices": []}),),
    "says error": (_answer({"error": {"message": "no"}}),),
    "no json": (_answer(b"hello"),),
    "latin": (_answer(b'{"choices":[{"message":{"role":"assistant","content":"\xe4"}}]}'),),
    "empty": (_answer(b""),),
    "big": (_BIG,),
    "big in two": (_BIG[:40_000], _BIG[40_000:]),
    "in two": (_OK[:-40], _OK[-40:]),
    "most of it": (_OK[:-40],),
    "head first": (_OK[: _OK.index(b"{")], _OK[_OK.index(b"{") :]),
    "in crumbs": tuple(_OK[at : at + 97] for at in range(0, len(_OK), 97)),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + _chunked(json.dumps(_said()).encode()),
    ),
    "until the end": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(_said()).encode(),),
    "interim": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + _OK,),
    "and more": (_OK + b"HTTP/1.1 200",),
    "500": (_answer({"error": {"message": "down"}}, status="500 Internal Server Error"),),
    "429": (_answer({"error": {"message": "slow"}}, "Retry-After: 3", status="429 Too Many Requests"),),
    "401": (_answer({"error": {"message": "who"}}, status="401 Unauthorized"),),
    "400": (_answer({"error": {"message": "wrong"}}, status="400 Bad Request"),),
    "garbage": (b"SSH-2.0\r\n\r\n",),
    "part": (_OK[:60],),
    "stream": (_STREAM_HEAD + _chunked(_CHUNK, whole=False), _chunked(_CHUNK, b"data: [DONE]\n\n")),
    "broken stream": (_STREAM_HEAD + _chunked(_CHUNK, whole=False),),
    "stream at once": (_STREAM_HEAD + _chunked(_CHUNK, b"data: [DONE]\n\n"),),
    "zeros": (_OK.replace(b"Content-Length: ", b"Content-Length: 0"),),
}
