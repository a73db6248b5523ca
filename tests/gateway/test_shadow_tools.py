"""What a provider would do in the world to answer a request, it does once: for the user, and not again for the shadow."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic.types.beta import BetaToolUnionParam
from openai.types.responses import ToolParam

from segue.gateway.provider_tools import acts_at_provider
from segue.model import Parameters
from segue.model.serving import Serving
from segue.standin.settings import StandInSettings
from tests.gateway.test_serving import NEW, OLD, ask, chat, messages
from tests.gateway.wiring import Wired, a_gateway
from tests.wire.sdk_types import bare, fields_of, typed_dicts

SHADOWED: dict[str, Any] = {"candidate": "new", "shadow": {"share": 1.0}}
RESPONSES = {"old": {"api": "responses"}, "new": {"api": "responses"}}
MCP = {"type": "mcp", "server_label": "desk", "server_url": "https://desk.test/mcp", "name": "desk"}
"""The stand-in wants a name of every tool."""
SERVERS = [{"type": "url", "name": "desk", "url": "https://desk.test/mcp"}]
ACTING = {"mcp", "mcp_toolset", "programmatic_tool_calling", "advisor_20260301", "browser_toolset_20260801"}
"""What the SDKs know and the gateway does not mirror: run by the provider, with effects or of a kind that is not clear."""


def known_types() -> Iterator[str]:
    """Of every tool that the official SDKs can send."""
    for union in (ToolParam, BetaToolUnionParam):
        for kind in typed_dicts(union):
            hint = fields_of(kind).get("type")
            for one in typing.get_args(bare(hint)):
                if isinstance(one, str):
                    yield one


def acts(tool: Any) -> bool:
    """Whether a request with this tool is left to the user's own."""
    return acts_in("openai", {"model": "m", "tools": [tool]})


def acts_in(dialect: str, body: dict[str, Any]) -> bool:
    """Whether this request is, as it would be sent."""
    return acts_at_provider(dialect, body, json.dumps(body, separators=(",", ":")).encode())


def test_every_tool_of_the_sdks_is_told_apart() -> None:
    """A type that comes with a new version of an SDK is looked at here before it is mirrored."""
    types = sorted(set(known_types()))
    assert len(types) > 30
    assert {one for one in types if acts({"type": one})} == ACTING


@pytest.mark.parametrize(
    ("tool", "is_mirrored"),
    [
        ({"type": "function", "function": {"name": "find", "parameters": {"type": "mcp"}}}, True),
        ({"name": "find", "input_schema": {"type": "object"}}, True),
        ({"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]}, True),
        ({"type": "namespace", "name": "crm", "tools": [MCP]}, False),
        ({"type": "mcp_new"}, False),
        ({"type": "functional"}, False),
        ({"type": 7}, False),
        ("find", False),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, True),
        ({"type": "code_interpreter", "container": "cntr_1"}, False),
        ({"type": "shell"}, True),
        ({"type": "shell", "environment": {"type": "local"}}, True),
        ({"type": "shell", "environment": {"type": "container_auto", "network_policy": {"type": "disabled"}}}, True),
        ({"type": "shell", "environment": {"type": "container_auto", "network_policy": {"type": "allowlist"}}}, False),
        ({"type": "shell", "environment": {"type": "container_reference", "container_id": "cntr_1"}}, False),
    ],
    ids=lambda value: json.dumps(value)[:60] if not isinstance(value, bool) else "",
)
def test_a_tool_is_harmless_where_the_application_runs_it_or_it_only_reads(tool: Any, is_mirrored: bool) -> None:
    """Code in a room that the user's own request runs in too, or with a way out of it, is neither."""
    assert acts(tool) is not is_mirrored


@pytest.mark.parametrize(
    ("dialect", "body", "is_mirrored"),
    [
        ("anthropic", {"messages": [{"role": "user", "content": 'my "tools" and "mcp_servers"'}]}, True),
        ("anthropic", {"tools": None, "mcp_servers": []}, True),
        ("anthropic", {"mcp_servers": SERVERS}, False),
        ("openai_responses", {"prompt": {"id": "pmpt_1"}}, False),
        ("openai_responses", {"input": [{"type": "additional_tools", "role": "developer", "tools": [MCP]}]}, False),
        (
            "openai_responses",
            {"input": [{"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}]},
            False,
        ),
        ("anthropic", {"messages": [{"role": "system", "content": [{"type": "tool_addition", "tool": {}}]}]}, False),
        ("anthropic", {"tools": [{"type": "code_execution_20260521"}], "container": {"skills": []}}, True),
        ("anthropic", {"tools": [{"type": "code_execution_20260521"}], "container": "container_1"}, False),
        ("anthropic", {"tools": [{"type": "code_execution_20260521"}], "container": {"id": "container_1"}}, False),
    ],
    ids=[
        "words",
        "none",
        "mcp_servers",
        "template",
        "tools-in-a-turn",
        "approval",
        "tool-in-a-turn",
        "own-room",
        "shared-room",
        "room-by-id",
    ],
)
def test_what_acts_may_stand_elsewhere_than_among_the_tools(dialect: str, body: Any, is_mirrored: bool) -> None:
    """In fields of their own, in a template kept at the provider, in a turn of the conversation."""
    assert acts_in(dialect, body) is not is_mirrored


def bodies_of(wired: Wired, name: str) -> list[Any]:
    """What this provider is asked."""
    found: list[Any] = []
    wired.stand_ins[name].on_body = found.append
    return found


async def test_a_request_with_an_mcp_server_is_not_asked_twice() -> None:
    """The user is served, and what was not mirrored is counted by its reason: coverage falls."""
    two = {"old": OLD, "new": NEW}
    async with a_gateway(two, entries=RESPONSES, serving=Serving(may_set=("tools",)), **SHADOWED) as (wired, _):
        asked, mirrored = bodies_of(wired, "old"), bodies_of(wired, "new")
        async with chat(wired) as client:
            tools: Any = [MCP]
            assert (await client.responses.create(model="mail", input="Hi", tools=tools)).status == "completed"
            assert asked[0]["tools"] == tools
            assert dict(wired.shadows.shed) == {("mail", "provider tool"): 1}
            tools = [{"type": "function", "name": "find", "parameters": {}}]
            await client.responses.create(model="mail", input="Hi", tools=tools)
        await wired.kept(3)
        assert [body["tools"][0]["type"] for body in mirrored] == ["function"]
        assert wired.shadows.mirrored["mail"] == 1


async def test_what_the_candidates_own_bundle_brings_counts_too() -> None:
    """It is what would be sent that is looked at, not what the application said."""
    claude = StandInSettings(dialect="anthropic", text="Here.")
    parts = {"new": {"parameters": Parameters(max_output_tokens=500, extra={"mcp_servers": SERVERS})}}
    async with a_gateway({"old": OLD, "new": claude}, parts=parts, **SHADOWED) as (wired, _):
        mirrored = bodies_of(wired, "new")
        assert await ask(wired) == OLD.text
        assert (dict(wired.shadows.shed), mirrored) == ({("mail", "provider tool"): 1}, [])


async def test_a_search_of_anthropics_is_mirrored() -> None:
    """It reads, and reading again changes nothing."""
    claude = StandInSettings(dialect="anthropic", text="Here.")
    two = {"old": claude, "new": claude}
    async with a_gateway(two, serving=Serving(may_set=("tools",)), **SHADOWED) as (wired, _), messages(wired) as client:
        tools: Any = [{"type": "web_search_20260318", "name": "web_search"}]
        hello: Any = [{"role": "user", "content": "Hi"}]
        await client.messages.create(model="mail", max_tokens=9, messages=hello, tools=tools)
        assert {one.record.arm for one in await wired.kept(2)} == {"incumbent", "shadow"}
        assert not wired.shadows.shed
