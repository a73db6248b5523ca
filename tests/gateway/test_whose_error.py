"""Where nobody of the chain answers: what may pass is told before what is wrong with the request, and the incumbent's first."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from segue.standin.settings import StandInSettings, Trouble
from tests.gateway.test_serving import HELLO, NEW
from tests.gateway.wiring import KEY, Wired, a_gateway


def troubled(kind: Any, wait_s: float | None = None) -> StandInSettings:
    """A provider that does nothing else."""
    return StandInSettings(text="never seen", troubles=(Trouble(kind=kind, retry_after_s=wait_s),))


REFUSES, BURNS, HAS_NO_KEY = troubled("refused"), troubled("server_error"), troubled("auth")
FULL = troubled("rate_limit", 7)
NOT_TELLABLE: dict[str, dict[str, Any]] = {"spare": {"system": "You are {{nobody}}."}}
"""Its prompt has a variable that no request brings."""
CANDIDATE: dict[str, Any] = {"candidate": "new", "share": 1.0}


async def error_of(wired: Wired) -> Any:
    """The error that the client gets."""
    async with openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="mail", messages=HELLO)
    return caught.value.response


async def test_a_fallback_that_cannot_be_told_hides_no_rate_limit() -> None:
    """The SDK of the client waits as long as the incumbent says, and asks again."""
    settled = {"old": FULL, "spare": NEW}
    async with a_gateway(settled, parts=NOT_TELLABLE, fallback="spare") as (wired, bundles):
        error = await error_of(wired)
        assert (error.status_code, error.headers["retry-after"]) == (429, "7")
        assert error.headers["segue-bundle"] == bundles["old"].digest
        record = wired.log[0].record
        assert (record.status, record.failure, record.answered_by) == (429, "status 429", bundles["old"].digest)


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "drop"])
async def test_a_candidates_refusal_hides_no_failure_of_the_incumbent_that_may_pass(kind: Any) -> None:
    """The refusal may be the candidate's own fault; the incumbent may answer the next time."""
    async with a_gateway({"old": troubled(kind), "new": REFUSES}, **CANDIDATE) as (wired, bundles):
        error = await error_of(wired)
        assert error.status_code == (429 if kind == "rate_limit" else 502)
        assert error.headers["segue-bundle"] == bundles["old"].digest
        assert wired.log[0].record.status == error.status_code


async def test_the_incumbents_failure_is_told_and_not_that_of_who_was_asked_last() -> None:
    """Its wait is the one that counts."""
    settled = {"old": FULL, "new": BURNS, "spare": BURNS}
    async with a_gateway(settled, **CANDIDATE, fallback="spare") as (wired, bundles):
        error = await error_of(wired)
        assert (error.status_code, error.headers["retry-after"]) == (429, "7")
        assert error.headers["segue-bundle"] == wired.log[0].record.answered_by == bundles["old"].digest


async def test_a_fallbacks_rate_limit_is_told_where_the_incumbents_key_is_wrong() -> None:
    """A wrong key does not pass; the rate limit does."""
    async with a_gateway({"old": HAS_NO_KEY, "spare": FULL}, fallback="spare") as (wired, _):
        assert (await error_of(wired)).status_code == 429


async def test_the_incumbents_refusal_is_the_answer_whoever_failed() -> None:
    """It says of the request what no time will change."""
    async with a_gateway({"old": REFUSES, "new": BURNS}, **CANDIDATE) as (wired, bundles):
        error = await error_of(wired)
        assert (error.status_code, error.headers["segue-bundle"]) == (400, bundles["old"].digest)


async def test_a_request_that_nobody_can_be_told_is_refused_with_its_remedy() -> None:
    """Nobody was asked, so nobody's name stands on it."""
    everybody = {"old": NOT_TELLABLE["spare"]}
    async with a_gateway({"old": NEW}, parts=everybody) as (wired, _):
        error = await error_of(wired)
        assert error.status_code == 400
        assert "nobody" in error.text
        assert "segue-bundle" not in error.headers
        assert wired.log[0].record.failure == "not_served"


async def test_a_bundle_that_cannot_be_told_falls_back_with_a_reason() -> None:
    """The record says why the incumbent answered in its place."""
    async with a_gateway({"old": NEW, "spare": NEW}, parts=NOT_TELLABLE, candidate="spare", share=1.0) as (wired, bundles):
        async with openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", api_key=KEY, max_retries=0) as client:
            await client.chat.completions.create(model="mail", messages=HELLO)
        record = wired.log[0].record
        assert (record.fallback_from, record.fallback_reason) == (bundles["spare"].digest, "not_served")
