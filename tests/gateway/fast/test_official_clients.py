"""The official SDKs, as they send their requests, are served on the fast path from the third request on."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from segue.gateway.fast_call import FastCall
from segue.standin.settings import StandInSettings
from tests.gateway.wiring import KEY, Wired, a_gateway


def count(wired: Wired) -> list[FastCall]:
    """The requests that are taken from now on."""
    path, taken = wired.gateway.shortcut, []

    class Counted:
        expects = staticmethod(path.expects)

        def __call__(self, *given: Any) -> FastCall | None:
            found = path(*given)
            if found is not None:
                taken.append(found)
            return found

    wired.server.shortcut = Counted()
    return taken


@pytest.mark.parametrize("stream", [False, True])
async def test_openai(stream: bool) -> None:
    """Head and body come apart from it, with `Connection: keep-alive`."""
    async with a_gateway({"old": StandInSettings()}) as (wired, _):
        taken = count(wired)
        async with openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", api_key=KEY, max_retries=0) as client:
            for number in range(6):
                turn: Any = {"role": "user", "content": "Hello" * number}
                if stream:
                    found = await client.chat.completions.create(model="mail", messages=[turn], user="u", stream=True)
                    assert [chunk async for chunk in found]
                else:
                    said = await client.chat.completions.create(model="mail", messages=[turn], user="u")
                    assert said.choices[0].message.content
        assert len(taken) == 4
        assert [one.record.status for one in await wired.kept(6)] == [200] * 6


async def test_anthropic() -> None:
    """The same of the other SDK."""
    async with a_gateway({"old": StandInSettings(dialect="anthropic")}) as (wired, _):
        taken = count(wired)
        async with anthropic.AsyncAnthropic(base_url=wired.origin, api_key=KEY, max_retries=0) as client:
            for number in range(6):
                turn: Any = {"role": "user", "content": "Hello" * number}
                said = await client.messages.create(model="mail", messages=[turn], max_tokens=9)
                assert said.content
        assert len(taken) == 4
        assert [one.record.status for one in await wired.kept(6)] == [200] * 6
