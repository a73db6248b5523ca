"""The header `anthropic-beta`: with leave it goes to bundles that know it, is refused by others; else its loss is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anthropic
import pytest

from segue.gateway.betas import read_betas
from segue.model.serving import Serving
from segue.standin.settings import StandInSettings
from tests.gateway.test_serving import HELLO, OLD, messages
from tests.gateway.wiring import Wired, a_gateway

CLAUDE = StandInSettings(dialect="anthropic", text="Here.")
LEAVE = Serving(may_set=("anthropic-beta",))
SHADOWED: dict[str, Any] = {"candidate": "new", "shadow": {"share": 1.0}}


def heard(wired: Wired, name: str) -> list[list[str]]:
    """What this provider is told in the header, call by call."""
    stand_in = wired.stand_ins[name]
    found: list[list[str]] = []
    read = stand_in._read

    def told(front: Any, body: Any, headers: Mapping[str, str]) -> Any:
        found.append([value for name, value in headers.items() if name.lower() == "anthropic-beta"])
        return read(front, body, headers)

    setattr(stand_in, "_read", told)  # noqa: B010 - a method of its own takes no other by assignment
    return found


async def say(wired: Wired, betas: str | None, **given: Any) -> tuple[str, str | None]:
    """The answer's text, and what it says was ignored."""
    headers = {} if betas is None else {"anthropic-beta": betas}
    async with messages(wired) as client:
        raw = await client.messages.with_raw_response.create(
            model="mail", max_tokens=9, messages=HELLO, extra_headers=headers, **given
        )
    found: Any = await raw.parse()
    return found.content[0].text, raw.headers.get("segue-ignored")


async def test_without_leave_it_goes_no_further_and_the_answer_says_so() -> None:
    """SDKs send betas by themselves, so nothing is refused; an answer to a request without them says nothing."""
    async with a_gateway({"old": CLAUDE}) as (wired, _):
        told = heard(wired, "old")
        assert await say(wired, "context-1m-2025-08-07") == ("Here.", "anthropic-beta")
        assert await say(wired, None) == ("Here.", None)
        assert told == [[], []]


async def test_with_leave_it_is_forwarded_and_mirrored() -> None:
    """What the user's request asks for the shadow asks for too, or the answers could not be compared."""
    async with a_gateway({"old": CLAUDE, "new": CLAUDE}, serving=LEAVE, **SHADOWED) as (wired, _):
        told, mirrored = heard(wired, "old"), heard(wired, "new")
        assert await say(wired, "context-1m-2025-08-07,files-api-2025-04-14") == ("Here.", None)
        assert await say(wired, None) == ("Here.", None)
        await wired.kept(4)
        assert told == mirrored == [["context-1m-2025-08-07,files-api-2025-04-14"], []]


async def test_it_stands_beside_what_the_providers_entry_names() -> None:
    """Which goes with every call, whatever an application may ask for."""
    entries = {"old": {"headers": {"Anthropic-Beta": "files-api-2025-04-14"}}}
    for serving, wanted in ((LEAVE, "files-api-2025-04-14,context-1m-2025-08-07"), (Serving(), "files-api-2025-04-14")):
        async with a_gateway({"old": CLAUDE}, serving=serving, entries=entries) as (wired, _):
            told = heard(wired, "old")
            await say(wired, "context-1m-2025-08-07, files-api-2025-04-14")
            assert told == [[wanted]]


async def test_a_bundle_of_another_dialect_cannot_be_told_it() -> None:
    """With leave the application counts on it; the next bundle is asked, and where none knows it the client is told."""
    async with a_gateway({"old": OLD}, serving=LEAVE) as (wired, _):
        with pytest.raises(anthropic.BadRequestError, match="anthropic-beta"):
            await say(wired, "context-1m-2025-08-07")
        assert await say(wired, None) == (OLD.text, None)
    async with a_gateway({"old": CLAUDE, "new": OLD}, serving=LEAVE, candidate="new", share=1.0) as (wired, _):
        assert await say(wired, "context-1m-2025-08-07") == (CLAUDE.text, None)
    async with a_gateway({"old": CLAUDE, "new": OLD}, serving=LEAVE, **SHADOWED) as (wired, _):
        assert await say(wired, "context-1m-2025-08-07") == (CLAUDE.text, None)
        assert dict(wired.shadows.shed) == {("mail", "not representable"): 1}


async def test_without_leave_a_bundle_of_another_dialect_answers_as_ever() -> None:
    """Nothing was promised."""
    async with a_gateway({"old": OLD}) as (wired, _):
        assert await say(wired, "context-1m-2025-08-07") == (OLD.text, "anthropic-beta")


async def test_a_count_is_of_what_would_be_asked() -> None:
    """Likewise forwarded with leave, and told where it is ignored."""
    for serving, ignored in ((LEAVE, None), (Serving(), "anthropic-beta")):
        async with a_gateway({"old": CLAUDE}, serving=serving) as (wired, _), messages(wired) as client:
            told = heard(wired, "old")
            raw = await client.messages.with_raw_response.count_tokens(
                model="mail", messages=HELLO, extra_headers={"anthropic-beta": "context-1m-2025-08-07"}
            )
            assert raw.headers.get("segue-ignored") == ignored
            assert told == [[] if ignored else ["context-1m-2025-08-07"]]


async def test_leave_for_the_header_is_none_for_a_field_of_that_name() -> None:
    """It is refused as any other."""
    async with a_gateway({"old": CLAUDE}, serving=LEAVE) as (wired, _):
        with pytest.raises(anthropic.BadRequestError, match="bundle's to set"):
            await say(wired, None, extra_body={"anthropic-beta": ["context-1m-2025-08-07"]})


@pytest.mark.parametrize(
    ("lines", "betas"),
    [([], None), ([b""], None), ([b"a,b"], b"a,b"), ([b"a", b"b"], b"a,b")],
    ids=["none", "empty", "one-line", "two-lines"],
)
def test_all_lines_of_the_header_count(lines: list[bytes], betas: bytes | None) -> None:
    """HTTP lets a client say it in several."""
    assert read_betas([(b"accept", b"*/*"), *((b"anthropic-beta", line) for line in lines)]) == betas
