"""What the official Python SDKs raise, and do by themselves, when something is wrong: each class, remedy, retry and silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest

from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from tests.gateway.clients.shop import Shop
from tests.gateway.clients.speakers import QUESTION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TURNS: Any = [{"role": "user", "content": QUESTION}]
Ask = Callable[..., Any]


def _chat(client: openai.OpenAI, **given: Any) -> Any:
    return client.chat.completions.create(**{"messages": TURNS, **given})


def _responses(client: openai.OpenAI, **given: Any) -> Any:
    return client.responses.create(**{"input": TURNS, **given})


def _messages(client: anthropic.Anthropic, **given: Any) -> Any:
    return client.messages.create(**{"messages": TURNS, "max_tokens": 500, **given})


class Caller:
    """An SDK, one of its dialects, and the errors it raises."""

    def __init__(self, shop: Shop, sdk: Any, kind: Any, ask: Ask) -> None:
        self.shop, self.sdk, self._kind, self.put = shop, sdk, kind, ask
        self._given = shop.anthropic if sdk is anthropic else shop.openai

    def client(self, **given: Any) -> Any:
        """A client with other settings than usual."""
        return self._kind(**{**self._given, **given})

    def ask(self, model: str, client: dict[str, Any] | None = None, **given: Any) -> Any:
        """One question."""
        with self.client(**(client or {})) as made:
            return self.put(made, model=model, **given)


CALLERS: dict[str, Callable[[Shop], Caller]] = {
    "chat": lambda shop: Caller(shop, openai, openai.OpenAI, _chat),
    "responses": lambda shop: Caller(shop, openai, openai.OpenAI, _responses),
    "messages": lambda shop: Caller(shop, anthropic, anthropic.Anthropic, _messages),
}


@pytest.fixture(params=CALLERS)
def caller(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Caller]:
    """Each dialect."""
    return CALLERS[request.param](shop)


def gone_of(shop: Shop, workflow: str) -> int:
    """How many exchanges of a workflow are kept as left by their client."""
    log = ExchangeLog(shop.root / ".segue" / "spool", shop.root / ".segue" / "exchanges")
    found = [one.exchange for one in log.iterate(Selection())]
    return sum(one.workflow == workflow and one.failure == "client gone" for one in found)


def until_more_are_gone(shop: Shop, workflow: str, before: int) -> None:
    """As soon as one more is; a record comes when it comes, and never is what the test's time-out is for."""
    while gone_of(shop, workflow) <= before:
        pass


def test_a_wrong_key_is_an_authentication_error(caller: Caller) -> None:
    """And names what to do, without naming a workflow."""
    with pytest.raises(caller.sdk.AuthenticationError, match="segue gateway key") as raised:
        caller.ask("gpt", {"api_key": "sk-wrong"})
    assert "claude" not in str(raised.value)


def test_an_unknown_workflow_is_not_found_and_the_near_one_is_named(caller: Caller) -> None:
    """As a misspelt model is."""
    with pytest.raises(caller.sdk.NotFoundError, match="Did you mean 'claude'"):
        caller.ask("cluade")


def test_a_request_that_is_none_is_a_bad_request(caller: Caller) -> None:
    """The field is named."""
    with pytest.raises(caller.sdk.BadRequestError, match=r"logit_bias|bundle's to set"):
        caller.ask("claude", extra_body={"logit_bias": {"1": 2}})


@pytest.mark.parametrize("workflow", ["gpt-busy", "claude-busy"])
def test_a_rate_limit_says_how_long_to_wait(caller: Caller, workflow: str) -> None:
    """The provider's own header reaches the SDK, whichever dialects they speak."""
    with pytest.raises(caller.sdk.RateLimitError) as raised:
        caller.ask(workflow)
    assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("workflow", ["gpt-overloaded", "claude-overloaded"])
def test_an_overloaded_provider_is_an_error_that_sdks_retry(caller: Caller, workflow: str) -> None:
    """503 from either, though Anthropic's own is 529."""
    with pytest.raises(caller.sdk.InternalServerError) as raised:
        caller.ask(workflow)
    assert raised.value.status_code == 503


@pytest.mark.parametrize("workflow", ["gpt-too-long", "claude-too-long"])
def test_a_conversation_that_is_too_long_is_told_as_the_provider_told_it(caller: Caller, workflow: str) -> None:
    """With the words, and in OpenAI's dialects the code that programs look for where it is known."""
    with pytest.raises(caller.sdk.BadRequestError, match="maximum") as raised:
        caller.ask(workflow)
    if caller.sdk is openai:
        assert raised.value.code == "context_length_exceeded"


@pytest.mark.parametrize("workflow", ["gpt-busy-once", "claude-busy-once"])
def test_the_sdk_tries_again_by_itself(caller: Caller, workflow: str) -> None:
    """With its own idempotency key or none, after the time the provider asked for."""
    before = caller.shop.calls(workflow)
    caller.shop.stand_ins[workflow].ledger.calls_by_key.clear()
    assert caller.ask(workflow, {"max_retries": 2})
    assert caller.shop.calls(workflow) == before + 2


@pytest.mark.parametrize("workflow", ["gpt-hangs", "claude-hangs"])
def test_a_client_that_waits_no_longer_is_kept_as_gone(caller: Caller, workflow: str) -> None:
    """Its own time-out is its own error, and the record says why there is no answer."""
    before = gone_of(caller.shop, workflow)
    with pytest.raises(caller.sdk.APITimeoutError):
        caller.ask(workflow, {"timeout": 0.5})
    until_more_are_gone(caller.shop, workflow, before)


@pytest.mark.parametrize("workflow", ["gpt-slow", "claude-slow"])
def test_a_stream_that_is_left_early_ends_there(caller: Caller, workflow: str) -> None:
    """The SDK closes it, the gateway lets the provider go, and the next question is answered."""
    before = gone_of(caller.shop, workflow)
    with caller.client() as client:
        stream = caller.put(client, model=workflow, stream=True)
        assert next(iter(stream))
        stream.close()
        until_more_are_gone(caller.shop, workflow, before)
        assert caller.put(client, model="gpt")


@pytest.mark.parametrize("workflow", ["gpt-breaks", "claude-breaks"])
def test_a_stream_that_breaks_off_says_so(caller: Caller, workflow: str) -> None:
    """Half an answer never looks whole. The SDK's Responses hand errors on as events, as OpenAI sends them."""
    with caller.client() as client:
        stream = caller.put(client, model=workflow, stream=True)
        if caller.put is _responses:
            assert [one.type for one in stream][-2:] == ["error", "response.failed"]
        else:
            with pytest.raises(caller.sdk.APIError):
                list(stream)


def test_the_models_are_the_workflows(shop: Shop) -> None:
    """In both SDKs' shapes."""
    with openai.OpenAI(**shop.openai) as one, anthropic.Anthropic(**shop.anthropic) as other:
        assert sorted(shop.stand_ins) == sorted(model.id for model in one.models.list())
        assert sorted(shop.stand_ins) == sorted(model.id for model in other.models.list())
