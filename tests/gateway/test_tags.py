"""Requests marked as Segue's own, so that they are evidence of nothing; and who may mark them."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from segue.standin.settings import StandInSettings
from tests.gateway.wiring import KEY, PIN_KEY, a_gateway

HELLO: Any = [{"role": "user", "content": "Hello"}]
BOTH = {"old": StandInSettings(text="old"), "new": StandInSettings(text="new")}


async def test_a_marked_request_is_marked_in_the_log_and_its_shadow_too() -> None:
    """Both halves stay out of the evidence."""
    async with (
        a_gateway(BOTH, candidate="new", shadow={"share": 1.0}) as (wired, _),
        openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", api_key=PIN_KEY, max_retries=0) as client,
    ):
        await client.chat.completions.create(model="mail", messages=HELLO, extra_headers={"segue-tag": "eval"})
        await client.chat.completions.create(model="mail", messages=HELLO)
        kept = await wired.kept(4)
        assert sorted((one.record.arm, one.record.tags) for one in kept) == [
            ("incumbent", ()),
            ("incumbent", ("eval",)),
            ("shadow", ()),
            ("shadow", ("eval",)),
        ]


@pytest.mark.parametrize(
    ("key", "tag", "code", "status"),
    [(KEY, "eval", "no_tag", 403), (PIN_KEY, "mine", "no_tag", 400)],
    ids=["without the permission", "another mark"],
)
async def test_nobody_hides_traffic_from_the_evidence(key: str, tag: str, code: str, status: int) -> None:
    """Marking takes the permission `pin`, and the marks are Segue's."""
    async with (
        a_gateway(BOTH) as (wired, _),
        openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", api_key=key, max_retries=0) as client,
    ):
        with pytest.raises(openai.APIStatusError) as refused:
            await client.chat.completions.create(model="mail", messages=HELLO, extra_headers={"segue-tag": tag})
        assert (refused.value.status_code, refused.value.code) == (status, code)
        assert wired.log == []
