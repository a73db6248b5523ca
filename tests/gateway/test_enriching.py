"""What a served answer says beyond its bytes, read as an eval reads it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.exchanges.record import BodyNote, Logged, ServedExchange
from segue.gateway.enriching import Enricher
from segue.gateway.live_scorers import is_live
from segue.model import Bundle, Contract, ScorerSpec, SliceSpec
from segue.providers.pricing import ModelPrice, PriceBook
from segue.standin.settings import StandInSettings
from tests.gateway.test_serving import HELLO, messages, stream
from tests.gateway.test_shadow import SHADOWED
from tests.gateway.wiring import Kept, a_bundle, a_gateway

PRICES = PriceBook({"old-1": ModelPrice(input_usd_per_mtok=1.0, output_usd_per_mtok=10.0)}, as_of=date(2026, 11, 21))
CONTRACT = Contract(json_schema={"type": "object", "required": ["topic"]})
SERVED = ServedExchange("x", 1, "mail", bundle="b", dialect_out="openai", status=200, response=BodyNote("full", 1))


def enriched(kept: Kept | Logged, *bundles: Bundle) -> ServedExchange:
    """With these bundles known."""
    logged = kept if isinstance(kept, Logged) else Logged(kept.record, kept.request, kept.response)
    return Enricher({one.digest: one for one in bundles}.get, {"old": "x"}, PRICES)(logged).exchange


def answer(text: str, **usage: int) -> bytes:
    """A whole chat answer."""
    body: dict[str, Any] = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
    }
    return json.dumps(body | ({"usage": usage} if usage else {})).encode()


async def test_tokens_cost_and_scores_of_what_was_served_and_shadowed() -> None:
    """Streamed and whole, in both dialects, from the very bytes that passed."""
    async with a_gateway({"old": StandInSettings(text="I cannot help with that."), "new": StandInSettings()}, **SHADOWED) as (
        wired,
        bundles,
    ):
        await stream(wired, stream_options={"include_usage": True})
        log = await wired.kept(2)
        for kept in log:
            found = enriched(kept, *bundles.values())
            assert found.output_tokens is not None
            assert (found.cost_microusd is None) == (kept.record.arm == "shadow"), "the shadow's model has no price"
            assert found.finish_reason == "stop"
            assert found.scores["refusal"] == float(kept.record.arm == "incumbent")
        served = enriched(next(one for one in log if one.record.arm == "incumbent"), *bundles.values())
        assert served.cost_microusd == pytest.approx((served.input_tokens or 0) + 10 * (served.output_tokens or 0))
    async with a_gateway({"old": StandInSettings(dialect="anthropic", text="Here.")}) as (wired, bundles):
        async with messages(wired) as client:
            await client.messages.create(model="mail", max_tokens=9, messages=HELLO)
        found = enriched(wired.log[0], *bundles.values())
        assert (found.scores["characters"], found.finish_reason) == (5.0, "stop")


@pytest.mark.parametrize(("text", "value"), [('{"topic": "tea"}', 1.0), ('{"topik": "tea"}', 0.0), ("Tea.", 0.0)])
def test_the_contract_is_checked_on_every_answer(text: str, value: float) -> None:
    """By its clauses; without one there is no such score."""
    bundle = a_bundle("old", contract=CONTRACT)
    served = msgspec.structs.replace(SERVED, bundle=bundle.digest)
    assert enriched(Logged(served, b"", answer(text)), bundle).scores["contract"] == value
    assert "contract" not in enriched(Logged(served, b"", answer(text))).scores


def test_what_is_not_known_stays_unknown() -> None:
    """No usage, no price, no bundle: null each, and never zero."""
    found = enriched(Logged(SERVED, b"", answer("Hi")))
    assert (found.input_tokens, found.output_tokens, found.cost_microusd) == (None, None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"response": BodyNote("digest", 9)},
        {"response": BodyNote("cut", 9)},
        {"status": 502},
        {"status": None},
        {"dialect_out": None},
    ],
    ids=["digest", "cut", "failed", "client-gone", "unasked"],
)
def test_an_answer_that_is_not_there_whole_says_nothing_more(changes: dict[str, Any]) -> None:
    """A part of it would be read as another answer."""
    served = msgspec.structs.replace(SERVED, **changes)
    assert enriched(Logged(served, b"", answer("Hi"))) == served


@given(st.binary(max_size=200), st.sampled_from(["openai", "anthropic"]))
def test_no_bytes_break_it(body: bytes, dialect: str) -> None:
    """An answer that cannot be read is a failure of the provider's, and stops no shipping."""
    found = enriched(Logged(msgspec.structs.replace(SERVED, dialect_out=dialect), b"", body))
    assert found.failure == "bad_reply" or found.scores or found.failure


def specs(*given: dict[str, Any]) -> tuple[ScorerSpec, ...]:
    """Scorers as a workflow declares them."""
    return tuple(ScorerSpec.model_validate(one) for one in given)


def test_the_workflows_own_scorers_judge_live_answers_under_their_own_names() -> None:
    """Those that need no reference; one for a slice is asked on that slice alone."""
    declared = specs(
        {"name": "usable", "type": "contract"},
        {"name": "signed", "type": "regex", "pattern": "Yours", "when": {"task": "letter"}},
        {"name": "right", "type": "exact"},
    )
    bundle = a_bundle("old").model_copy(update={"contract": CONTRACT})
    enrich = Enricher({bundle.digest: bundle}.get, {"old": "x"}, PRICES, {bundle.workflow: declared})
    served = msgspec.structs.replace(SERVED, bundle=bundle.digest)
    mail = enrich(Logged(served, b"", answer('{"topic": 1}'))).exchange.scores
    letter = enrich(Logged(msgspec.structs.replace(served, slices={"task": "letter"}), b"", answer("no JSON"))).exchange.scores
    assert (mail["usable"], letter["usable"]) == (1.0, 0.0)
    assert "signed" not in mail
    assert letter["signed"] == 0.0
    assert not {"right"} & (mail.keys() | letter.keys())


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "a", "type": "exact"},
        {"name": "a", "type": "judge", "rubric": "?"},
        {"name": "a", "type": "command", "command": ["x"]},
        {"name": "a", "type": "callable", "function": "m:f"},
        {"name": "a", "type": "length", "when": {"case_kind": "edge"}},
        {"name": "a", "type": "contains"},
    ],
    ids=lambda spec: spec["type"],
)
def test_a_scorer_that_needs_more_than_the_answer_is_left_to_the_suite(spec: dict[str, Any]) -> None:
    """A reference, a model, a program, a case."""
    assert not is_live(*specs(spec))


def test_attributes_named_like_slices_say_which_slice_it_is_of() -> None:
    """Declared ones and the task, kept or not kept bodies alike; a value nobody declared is in no slice."""
    slices = {SERVED.workflow: {"lang": SliceSpec(values=("de", "fr")), "tier": SliceSpec()}}
    enrich = Enricher(lambda _: None, {}, PRICES, {}, slices)
    said = {"lang": "de", "tier": "gold", "task": "refund", "staff": "yes"}
    for served in (SERVED, msgspec.structs.replace(SERVED, response=BodyNote("none", 1))):
        found = enrich(Logged(msgspec.structs.replace(served, attributes=said), b"", answer("x"))).exchange
        assert found.slices == {"lang": "de", "tier": "gold", "task": "refund"}
        other = enrich(Logged(msgspec.structs.replace(served, attributes={"lang": "xx"}), b"", answer("x"))).exchange
        assert other.slices == {}
