"""Tokens counted before a request is made, asked with the official SDKs; and the models that a client may ask for."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types import message_count_tokens_params
from openai.types.responses import input_token_count_params

from segue.gateway.counting import _ANTHROPIC_FIELDS, _RESPONSES_FIELDS, counted_body
from segue.standin import anthropic_count_front, responses_count_front
from segue.standin.settings import StandInSettings, Trouble, TroubleKind
from tests.gateway.test_serving import HELLO, OLD, chat, messages
from tests.gateway.wiring import Wired, a_gateway

CLAUDE = StandInSettings(dialect="anthropic", text="Here.")
LONG: Any = [{"role": "user", "content": "Where is my parcel? " * 20}]


async def count(wired: Wired, **given: Any) -> int:
    """With Anthropic's client."""
    async with messages(wired) as client:
        found = await client.messages.count_tokens(**{"model": "mail", "messages": LONG, **given})
    return found.input_tokens


def test_the_fields_that_count_are_those_of_the_sdk() -> None:
    """All but those that choose whose account is asked, which are the gateway's to say."""
    known = set(message_count_tokens_params.MessageCountTokensParams.__annotations__)
    assert known - {"user_profile_id", "workspace_id"} == _ANTHROPIC_FIELDS
    assert known == anthropic_count_front._FIELDS
    known = set(input_token_count_params.InputTokenCountParams.__annotations__)
    assert known == _RESPONSES_FIELDS == responses_count_front._FIELDS


def test_what_bounds_an_answer_is_not_sent_along() -> None:
    """The provider refuses a field that has no meaning where nothing is answered."""
    body = b'{"model":"m","max_tokens":9,"temperature":0.1,"stream":true,"metadata":{},"messages":[ 1 ],"system":"s"}'
    assert json.loads(counted_body(body, "anthropic")) == {"model": "m", "messages": [1], "system": "s"}


async def test_a_count_is_of_what_the_bundle_makes_of_the_request() -> None:
    """Its system instructions are in it: the count is what the answer's usage says. It is no exchange, and is free."""
    async with a_gateway({"old": CLAUDE}) as (wired, bundles):
        found = await count(wired, system="Be kind. " * 9)
        assert found > len(LONG[0]["content"]) // 4
        assert wired.stand_ins["old"].ledger.billed == 0
        assert not wired.log
        async with messages(wired) as client:
            answer = await client.messages.create(model="mail", max_tokens=9, messages=LONG, system="Be kind. " * 9)
            raw = await client.messages.with_raw_response.count_tokens(model="mail", messages=LONG)
        assert answer.usage.input_tokens == found
        assert raw.headers["segue-bundle"] == bundles["old"].digest
        assert "segue-exchange" not in raw.headers


async def test_it_is_the_bundle_that_would_answer_this_unit() -> None:
    """At one half, the candidate counts for its units and the incumbent for its own."""
    async with a_gateway({"old": CLAUDE, "new": CLAUDE}, candidate="new", share=0.5, shadow={"share": 1.0}) as (wired, bundles):
        seen = set()
        async with messages(wired) as client:
            for number in range(12):
                head = {"segue-unit": f"u{number}"}
                raw = await client.messages.with_raw_response.count_tokens(model="mail", messages=HELLO, extra_headers=head)
                answer = await client.messages.with_raw_response.create(
                    model="mail", max_tokens=9, messages=HELLO, extra_headers=head
                )
                assert raw.headers["segue-bundle"] == answer.headers["segue-bundle"]
                seen.add(raw.headers["segue-bundle"])
        assert seen == {bundles["old"].digest, bundles["new"].digest}


async def test_openais_client_has_a_claude_count_too() -> None:
    """The request is translated as it would be to be answered; the number comes in the shape this SDK expects."""
    async with a_gateway({"old": CLAUDE}) as (wired, _), chat(wired) as client:
        found = await client.responses.input_tokens.count(model="mail", input=LONG[0]["content"], instructions="Be kind.")
        assert (found.object, found.input_tokens) == ("response.input_tokens", await count(wired, system="Be kind."))


async def test_a_bundle_that_speaks_responses_is_counted_by_its_own_provider() -> None:
    """For its own client and for Anthropic's, with the bundle's instructions in it; what bounds an answer stays behind."""
    settings = StandInSettings(text="Here.")
    async with a_gateway({"old": settings}, entries={"old": {"api": "responses"}}) as (wired, _), chat(wired) as client:
        found = await client.responses.input_tokens.count(model="mail", input=LONG[0]["content"])
        answer = await client.responses.create(model="mail", input=LONG[0]["content"])
        assert answer.usage is not None
        assert found.input_tokens == answer.usage.input_tokens == await count(wired)
        assert wired.stand_ins["old"].ledger.billed == 1


async def test_a_provider_that_does_not_count_is_told_and_not_guessed_for() -> None:
    """The bundle that would answer decides, also where another one of the route could count."""
    async with a_gateway({"old": OLD, "new": CLAUDE}, candidate="new") as (wired, _):
        with pytest.raises(anthropic.BadRequestError, match="cannot be counted beforehand"):
            await count(wired)
        async with chat(wired) as client:
            with pytest.raises(openai.BadRequestError, match="openai_chat"):
                await client.responses.input_tokens.count(model="mail", input="Hi")


async def test_a_bundle_that_cannot_count_is_passed_over() -> None:
    """The candidate's own trouble is what the client hears of."""
    burning = StandInSettings(dialect="anthropic", troubles=(Trouble(kind="rate_limit"),))
    async with a_gateway({"old": OLD, "new": burning}, candidate="new", share=1.0) as (wired, _):
        with pytest.raises(anthropic.RateLimitError):
            await count(wired)


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "server_error", "auth", "drop", "html", "malformed", "refused"])
async def test_a_candidate_in_trouble_falls_back_here_too(kind: TroubleKind) -> None:
    """The incumbent counts, the header says so, and no breaker hears of it: nobody was served."""
    burning = StandInSettings(dialect="anthropic", troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": CLAUDE, "new": burning}, candidate="new", share=1.0) as (wired, bundles):
        async with messages(wired) as client:
            raw = await client.messages.with_raw_response.count_tokens(model="mail", messages=LONG)
        assert raw.headers["segue-bundle"] == bundles["old"].digest
        assert not wired.moved


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limit", anthropic.RateLimitError),
        ("server_error", anthropic.InternalServerError),
        ("drop", anthropic.InternalServerError),
        ("malformed", anthropic.InternalServerError),
        ("wrong_types", anthropic.InternalServerError),
        ("refused", anthropic.BadRequestError),
    ],
)
async def test_where_nobody_can_count_the_client_gets_an_error_of_its_sdk(kind: TroubleKind, error: type[Exception]) -> None:
    """With a status it knows."""
    async with a_gateway({"old": StandInSettings(dialect="anthropic", troubles=(Trouble(kind=kind),))}) as (wired, _):
        with pytest.raises(error):
            await count(wired)
        assert not wired.log


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"model": "mial"}, "mail"),
        ({"tools": [{"name": "x", "input_schema": {"type": "object"}}]}, "tools"),
        ({"messages": "Hi"}, "messages"),
        ({"extra_headers": {"segue-attributes": "tier"}}, "segue-attributes"),
    ],
    ids=["workflow", "owned", "messages", "header"],
)
async def test_a_request_that_would_be_refused_is_refused_here(given: dict[str, Any], told: str) -> None:
    """With the same words."""
    async with a_gateway({"old": CLAUDE}) as (wired, _):
        with pytest.raises((anthropic.BadRequestError, anthropic.NotFoundError), match=told):
            await count(wired, **given)


async def test_a_provider_that_says_what_is_wrong_is_heard() -> None:
    """In its own words."""
    async with a_gateway({"old": CLAUDE}) as (wired, _):
        with pytest.raises(anthropic.BadRequestError, match="at least one message"):
            await count(wired, messages=[])


async def test_one_workflow_as_a_model() -> None:
    """With either SDK, in its shape; one that is not there is told with the near name."""
    async with a_gateway({"old": OLD}) as (wired, _):
        async with chat(wired) as client:
            found = await client.models.retrieve("mail")
            assert (found.id, found.object, [one.id async for one in client.models.list()]) == ("mail", "model", ["mail"])
            with pytest.raises(openai.NotFoundError, match="Did you mean 'mail'"):
                await client.models.retrieve("mial")
        async with messages(wired) as claude:
            model = await claude.models.retrieve("mail")
            assert (model.id, model.type, model.lifecycle) == ("mail", "model", "active")
            with pytest.raises(anthropic.NotFoundError, match="Did you mean 'mail'"):
                await claude.models.retrieve("mial")
        async with chat(wired, "sg-wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.models.retrieve("mail")
