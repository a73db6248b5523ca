"""Requests through the gateway, asked with the official SDKs: who answers, what passes, what is kept."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from segue.model.serving import Serving
from segue.standin.settings import StandInSettings, Trouble, TroubleKind
from tests.gateway.wiring import KEY, PIN_KEY, Wired, a_gateway

OLD, NEW = StandInSettings(text="The old one answers."), StandInSettings(text="The new one answers.")
HELLO: Any = [{"role": "user", "content": "Hello"}]


def chat(wired: Wired, key: str = KEY) -> openai.AsyncOpenAI:
    """OpenAI's client, pointed at the gateway: base URL and key, and nothing else."""
    return openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", api_key=key, max_retries=0, timeout=20)


def messages(wired: Wired) -> anthropic.AsyncAnthropic:
    """Anthropic's."""
    return anthropic.AsyncAnthropic(base_url=wired.origin, api_key=KEY, max_retries=0, timeout=20)


async def ask(wired: Wired, **given: Any) -> str | None:
    """One answer, whole."""
    async with chat(wired) as client:
        found = await client.chat.completions.create(**{"model": "mail", "messages": HELLO, **given})
    return found.choices[0].message.content


async def stream(wired: Wired, **given: Any) -> str:
    """One answer, streamed."""
    async with chat(wired) as client:
        pieces = await client.chat.completions.create(**{"model": "mail", "messages": HELLO, "stream": True, **given})
        return "".join([one.choices[0].delta.content or "" async for one in pieces if one.choices])


async def test_a_client_names_a_workflow_where_it_named_a_model() -> None:
    """And gets the answer of the bundle that serves, whole or streamed, with the exchange kept before it had the last byte."""
    async with a_gateway({"old": OLD}) as (wired, bundles):
        assert await ask(wired, user="ada") == OLD.text
        assert await stream(wired, user="ada") == OLD.text
        assert [(one.record.unit, one.record.status, one.record.bundle) for one in wired.log] == [
            ("ada", 200, bundles["old"].digest)
        ] * 2
        assert json.loads(wired.log[0].response)["choices"][0]["message"]["content"] == OLD.text
        assert wired.log[1].response.rstrip().endswith(b"data: [DONE]")
        assert json.loads(wired.log[0].request)["model"] == "mail"
        assert wired.log[1].record.ttft_ns is not None


async def test_anthropics_client_the_same_way() -> None:
    """Whole and streamed, with its own key header and its own shape."""
    settings = StandInSettings(dialect="anthropic", text="Here.")
    async with a_gateway({"old": settings}) as (wired, _):
        async with messages(wired) as client:
            found: Any = await client.messages.create(model="mail", max_tokens=9, messages=HELLO)
            assert found.content[0].text == "Here."
            async with client.messages.stream(model="mail", max_tokens=9, messages=HELLO) as pieces:
                assert await pieces.get_final_text() == "Here."
        assert [one.record.dialect_in for one in wired.log] == ["anthropic_messages"] * 2


async def test_a_unit_stays_with_its_bundle_and_a_flip_moves_it_back() -> None:
    """At one half some users meet the candidate, each always the same; after the flip nobody does, on the same connections."""
    async with a_gateway({"old": OLD, "new": NEW}, candidate="new", share=0.5) as (wired, bundles):
        users = [f"user-{number}" for number in range(12)]
        first = [await ask(wired, user=user) for user in users]
        assert {*first} == {OLD.text, NEW.text}
        assert [await ask(wired, user=user) for user in users] == first
        arms = {one.record.unit: one.record.arm for one in wired.log}
        assert [arms[user] == "candidate" for user in users] == [one == NEW.text for one in first]
        wired.flip(wired.sources.revisions[0].route.rolled_back())
        assert {await ask(wired, user=user) for user in users} == {OLD.text}
        assert wired.log[-1].record.route_revision == 2
        assert {upstream.opened_in_all for upstream in wired.planes.upstreams} == {1}
        assert bundles["old"].digest != bundles["new"].digest


TROUBLES: list[TroubleKind] = [
    "rate_limit",
    "overloaded",
    "server_error",
    "auth",
    "refused",
    "drop",
    "truncate",
    "malformed",
    "html",
    "redirect",
]


@pytest.mark.parametrize("kind", TROUBLES)
async def test_a_candidate_in_trouble_falls_back_and_the_user_notices_nothing(kind: TroubleKind) -> None:
    """The incumbent answers, with its own prompt, and the record says from whom it fell and why."""
    burning = StandInSettings(text="never seen", troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": OLD, "new": burning}, candidate="new", share=1.0) as (wired, bundles):
        assert await ask(wired) == OLD.text
        record = wired.log[0].record
        assert (record.arm, record.bundle, record.answered_by) == ("candidate", bundles["new"].digest, bundles["old"].digest)
        assert record.fallback_from == bundles["new"].digest
        assert record.fallback_reason


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "html"])
async def test_a_stream_that_never_began_falls_back_too(kind: TroubleKind) -> None:
    """Nothing of the candidate's had reached the user."""
    burning = StandInSettings(text="never seen", troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": OLD, "new": burning}, candidate="new", share=1.0) as (wired, _):
        assert await stream(wired) == OLD.text


@pytest.mark.parametrize("kind", ["drop", "truncate", "error_in_stream"])
async def test_a_stream_that_breaks_off_never_looks_complete(kind: TroubleKind) -> None:
    """After its beginning nothing is spliced: the SDK raises, and the record says so."""
    burning = StandInSettings(text="Some words of an answer that will not end", troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": OLD, "new": burning}, candidate="new", share=1.0) as (wired, bundles):
        with pytest.raises(openai.APIError):
            await stream(wired)
        assert wired.log[0].record.failure
        assert wired.log[0].record.answered_by == bundles["new"].digest


async def test_a_candidate_that_hangs_is_left_after_its_time() -> None:
    """The time-out is the provider's entry's."""
    burning = StandInSettings(troubles=(Trouble(kind="hang"),))
    async with a_gateway({"old": OLD, "new": burning}, candidate="new", share=1.0, timeout_s=0.2) as (wired, _):
        assert await ask(wired) == OLD.text
        assert wired.log[0].record.fallback_reason in ("first_byte_timeout", "too_long")


async def test_a_candidate_that_burns_is_cut_off_at_once() -> None:
    """After five failures nobody waits for it any more, and whoever runs the gateway hears of it once."""
    burning = StandInSettings(troubles=(Trouble(kind="server_error"),))
    async with a_gateway({"old": OLD, "new": burning}, candidate="new", share=1.0) as (wired, bundles):
        for _ in range(9):
            assert await ask(wired) == OLD.text
        assert wired.stand_ins["new"].ledger.as_json()["calls"] == 5
        assert [target.digest for target in wired.moved] == [bundles["new"].digest]
        assert wired.log[-1].record.fallback_reason == "breaker open"


async def test_where_everything_fails_the_error_is_clean() -> None:
    """In the client's dialect, with a status its SDK knows, and nothing of the provider's in it."""
    both = StandInSettings(troubles=(Trouble(kind="auth"),))
    async with a_gateway({"old": both}) as (wired, _):
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(wired)
        assert caught.value.status_code == 502
        assert "status 401" in str(caught.value)
        assert wired.log[0].record.failure == "status 401"


async def test_the_incumbents_word_on_a_wrong_request_is_the_clients_to_hear() -> None:
    """A provider's 400 passes as it is, and costs no second call."""
    strict = StandInSettings(troubles=(Trouble(kind="refused"),))
    async with a_gateway({"old": strict, "spare": NEW}, fallback="spare") as (wired, _):
        with pytest.raises(openai.BadRequestError):
            await ask(wired)
        assert wired.stand_ins["spare"].ledger.as_json()["calls"] == 0


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        ({"model": "mial"}, openai.NotFoundError, "Did you mean 'mail'?"),
        ({"temperature": 2}, openai.BadRequestError, "'temperature' is the bundle's to set"),
        ({"extra_headers": {"segue-pin": "a" * 64}}, openai.PermissionDeniedError, "may not choose a bundle"),
        ({"extra_headers": {"segue-attributes": "tier"}}, openai.BadRequestError, "name=value"),
        ({"extra_body": {"messages": "Hello"}}, openai.BadRequestError, "messages is missing or no list"),
    ],
    ids=["workflow", "field", "pin", "attributes", "messages"],
)
async def test_a_refusal_names_the_remedy(given: dict[str, Any], kind: type[Exception], told: str) -> None:
    """Before any provider is asked."""
    async with a_gateway({"old": OLD}) as (wired, _):
        with pytest.raises(kind) as caught:
            await ask(wired, **given)
        assert told in str(caught.value)
        assert wired.stand_ins["old"].ledger.as_json()["calls"] == 0


async def test_without_a_key_nothing_is_told_but_that() -> None:
    """Neither which workflows there are nor whether this one is."""
    async with a_gateway({"old": OLD}) as (wired, _), chat(wired, "sk-nothing") as client:
        for model in ("mail", "mial"):
            with pytest.raises(openai.AuthenticationError) as caught:
                await client.chat.completions.create(model=model, messages=HELLO)
            assert "mail" not in str(caught.value)
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()


async def test_a_pin_serves_the_bundle_for_debugging() -> None:
    """With the permission, any bundle the route holds, as no evidence of either arm."""
    async with a_gateway({"old": OLD, "new": NEW}, candidate="new", share=0.0) as (wired, bundles):
        async with chat(wired, PIN_KEY) as client:
            found = await client.chat.completions.create(
                model="mail", messages=HELLO, extra_headers={"segue-pin": bundles["new"].digest}
            )
        assert found.choices[0].message.content == NEW.text
        assert wired.log[0].record.arm == "pinned"


async def test_the_models_a_client_lists_are_its_workflows() -> None:
    """In the shape of either SDK."""
    async with a_gateway({"old": OLD}) as (wired, _):
        async with chat(wired) as client:
            assert [one.id async for one in client.models.list()] == ["mail"]
        async with messages(wired) as other:
            assert [one.id async for one in other.models.list()] == ["mail"]


async def test_answers_say_which_exchange_and_which_bundle() -> None:
    """So that feedback can name the one, and a conversation go on with the other."""
    async with a_gateway({"old": OLD}) as (wired, bundles):
        async with chat(wired) as client:
            raw = await client.chat.completions.with_raw_response.create(model="mail", messages=HELLO)
        assert raw.headers["segue-exchange"] == wired.log[0].record.id
        assert raw.headers["segue-bundle"] == bundles["old"].digest


async def test_a_field_given_away_reaches_the_provider() -> None:
    """And the same request without leave does not."""
    async with a_gateway({"old": OLD}, serving=Serving(may_set=("seed",))) as (wired, _):
        assert await ask(wired, seed=7) == OLD.text
