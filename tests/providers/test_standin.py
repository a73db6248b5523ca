"""The stand-in as demos and benchmarks use it: counts, bills, troubles by share, scripted answers, and its command."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from segue.model import Case, Message
from segue.providers.scripted_config import ScriptedConfig
from segue.standin import Script, StandIn, StandInSettings, Trouble
from segue.standin.__main__ import parse_arguments
from segue.standin.samples import sample_of

ASK = {"model": "m", "messages": [{"role": "user", "content": "Where is my order?"}]}


async def post(url: str, body: Any, **headers: str) -> tuple[int, Any]:
    """Status and JSON of one call."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as response:
        return response.status, orjson.loads(await response.read())


async def chat(base_url: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    """One call of the Chat Completions API."""
    return await post(
        f"{base_url}/chat/completions", ASK if body is None else body, **({"Idempotency-Key": key} if key else {})
    )


async def test_calls_are_counted_and_a_key_is_billed_once() -> None:
    """What shows that nobody paid twice."""
    stand_in = StandIn()
    async with stand_in as base_url:
        for key in ("a", "a", "b", "", ""):
            await chat(base_url, key=key)
        async with aiohttp.ClientSession() as session, session.get(f"{stand_in.origin}/__stand-in/state?keys") as response:
            state = orjson.loads(await response.read())
    assert (state["calls"], state["billed"], state["keys"], state["repeated_keys"]) == (5, 4, 2, 1)
    assert state["calls_by_key"] == {"a": 2, "b": 1}
    assert (state["by_status"], state["in_flight"]) == ({"200": 5}, 0)


async def test_refused_calls_are_not_billed() -> None:
    """As with a real provider."""
    stand_in = StandIn(StandInSettings(troubles=(Trouble(kind="rate_limit"),)))
    async with stand_in as base_url:
        assert (await chat(base_url))[0] == 429
    assert (stand_in.ledger.billed, stand_in.ledger.by_trouble) == (0, {"rate_limit": 1})


async def test_trouble_comes_for_a_share_of_the_keys_and_their_first_attempts() -> None:
    """Always the same keys, so that a run can be repeated."""
    settings = StandInSettings(troubles=(Trouble(kind="server_error", share=0.3, attempts=1),))
    rounds = []
    for _ in range(2):
        async with StandIn(settings) as base_url:
            first = [(await chat(base_url, key=f"k{at}"))[0] for at in range(60)]
            second = [(await chat(base_url, key=f"k{at}"))[0] for at in range(60)]
        rounds.append(first)
        assert set(second) == {200}
    assert rounds[0] == rounds[1]
    assert 8 <= rounds[0].count(500) <= 28


async def test_more_calls_at_once_than_allowed_are_rate_limited() -> None:
    """A provider with a bound."""
    stand_in = StandIn(StandInSettings(latency_ms=100, rate_limit_above=5))
    async with stand_in as base_url:
        found = await asyncio.gather(*(chat(base_url) for _ in range(12)))
    statuses = [status for status, _ in found]
    assert (statuses.count(200), statuses.count(429)) == (5, 7)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"not json", None),
        (b"[]", "messages"),
        ({}, "model"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"model": "m", "messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({**ASK, "temprature": 1}, "temprature"),
        ({**ASK, "max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
        ({**ASK, "tool_choice": "auto"}, "tool_choice"),
        ({**ASK, "tools": [{"name": "f"}]}, "messages"),
        ({**ASK, "tools": 7}, "messages"),
    ],
)
async def test_a_request_the_real_api_refuses_is_refused(body: Any, param: str | None) -> None:
    """With its status, its shape of error and the parameter."""
    async with StandIn() as base_url:
        status, found = await chat(base_url, body)
    assert (status, found["error"]["type"], found["error"]["param"]) == (400, "invalid_request_error", param)


@pytest.mark.parametrize(
    ("body", "version", "said"),
    [
        ({**ASK, "max_tokens": 9}, None, "anthropic-version"),
        (ASK, "2023-06-01", "max_tokens: Field required"),
        ({**ASK, "max_tokens": 9, "seed": 1}, "2023-06-01", "seed: Extra inputs"),
        ({**ASK, "max_tokens": 9, "temperature": 1}, "2026-10-21", "temperature: Extra inputs"),
        ({**ASK, "max_tokens": 9, "messages": []}, "2023-06-01", "messages"),
        ({**ASK, "max_tokens": 9, "thinking": {"type": "enabled", "budget_tokens": 9}}, "2023-06-01", "budget_tokens"),
        ({**ASK, "max_tokens": 9, "temperature": 1}, "2023-06-01", None),
    ],
)
async def test_the_messages_api_refuses_in_its_own_words(body: Any, version: str | None, said: str | None) -> None:
    """By version."""
    async with StandIn(StandInSettings(dialect="anthropic")) as base_url:
        headers = {} if version is None else {"anthropic-version": version}
        status, found = await post(f"{base_url}/v1/messages", body, **headers)
    if said is None:
        assert status == 200
    else:
        assert status == 400
        assert said in found["error"]["message"]


async def test_another_path_is_not_found() -> None:
    """In the dialect's own shape."""
    async with StandIn() as base_url:
        status, found = await post(f"{base_url}/embeddings", {})
    assert (status, found["error"]["type"]) == (404, "not_found_error")


async def test_answers_can_be_given_by_question() -> None:
    """And cut where the request bounds them."""
    settings = StandInSettings(answers={"Where is my order?": "On its way, and it should be with you soon."})
    async with StandIn(settings) as base_url:
        _, whole = await chat(base_url)
        _, cut = await chat(base_url, {**ASK, "max_completion_tokens": 2})
    assert whole["choices"][0]["message"]["content"].startswith("On its way")
    assert (cut["choices"][0]["message"]["content"], cut["choices"][0]["finish_reason"]) == ("On its w", "length")


async def test_a_script_answers_with_the_cases_references() -> None:
    """The same simulated models as the scripted provider, over HTTP."""
    config = ScriptedConfig.model_validate({"type": "scripted", "models": {"good": {}, "poor": {"accuracy": 0}}})
    cases = [Case(case_id="c1", messages=(Message(role="user", content="Where is my order?"),), reference="In Bern.")]
    async with StandIn(script=Script(config, cases)) as base_url:
        _, good = await chat(base_url, {**ASK, "model": "good"}, key="k")
        _, poor = await chat(base_url, {**ASK, "model": "poor"}, key="k")
        unknown = await chat(base_url, {**ASK, "model": "gone"})
    assert good["choices"][0]["message"]["content"] == "In Bern."
    assert poor["choices"][0]["message"]["content"] != "In Bern."
    async with StandIn(script=Script(config)) as base_url:
        stranger = await chat(base_url, {**ASK, "model": "good"})
    assert (unknown[0], stranger[0]) == (404, 400)


async def test_a_simulated_model_changes_while_its_file_is_there(tmp_path: Path) -> None:
    """As declared, from one call to the next; without a folder to look in, it stays as it is."""
    changed = {"while_file": "trouble", "accuracy": 0.0}
    models = {"sim": {"changed": changed, "wrong_answers": ["Lyon"]}}
    config = ScriptedConfig.model_validate({"type": "scripted", "models": models})
    cases = [Case(case_id="c1", messages=(Message(role="user", content="Capital of France?"),), reference="Paris")]
    asked = {"model": "sim", "messages": [{"role": "user", "content": "Capital of France?"}]}
    said = []
    async with StandIn(script=Script(config, cases, tmp_path)) as base_url, StandIn(script=Script(config, cases)) as other:
        for trouble in (False, True, False):
            (tmp_path / "trouble").touch() if trouble else (tmp_path / "trouble").unlink(missing_ok=True)
            for url in (base_url, other):
                said.append((await chat(url, asked))[1]["choices"][0]["message"]["content"])
    assert said == ["Paris", "Paris", "Lyon", "Paris", "Paris", "Paris"]


def test_the_command_says_where_it_listens_and_ends_when_told(tmp_path: Path) -> None:
    """As benchmarks start it."""

    async def run() -> tuple[int, int | None]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "segue.standin", "--text", "Hello", stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        base_url = (await process.stdout.readline()).decode().strip()
        status, _ = await chat(base_url)
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        return status, process.returncode

    assert asyncio.run(run()) == (200, 0)


def test_the_commands_settings(tmp_path: Path) -> None:
    """Troubles by kind, share, attempts and wait; a script with its suite."""
    script, suite = tmp_path / "script.json", tmp_path / "suite.jsonl"
    script.write_text('{"type": "scripted", "models": {"m": {}}}')
    suite.write_text('{"case_id": "c1", "messages": [{"role": "user", "content": "?"}]}\n\n')
    arguments = ["--dialect", "anthropic", "--latency-ms", "200", "--trouble", "rate_limit:0.1:1:2", "--trouble", "drop"]
    settings, found, _, port = parse_arguments([*arguments, "--script", str(script), "--suite", str(suite)])
    assert (settings.dialect, settings.latency_ms, port) == ("anthropic", 200, 0)
    assert settings.troubles == (Trouble(kind="rate_limit", share=0.1, attempts=1, retry_after_s=2), Trouble(kind="drop"))
    assert found is not None


@pytest.mark.parametrize("text", ["fire", "drop:2", "drop:a", "drop:1:1:1:1"])
def test_a_trouble_that_is_none_is_told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the kinds there are."""
    with pytest.raises(SystemExit):
        parse_arguments(["--trouble", text])
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("schema", "sample"),
    [
        ({}, "text"),
        ({"const": 3}, 3),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": ["null", "string"]}, None),
        ({"anyOf": [{"type": "boolean"}]}, True),
        ({"type": "array", "items": {"type": "number", "minimum": 2}, "minItems": 2}, [2, 2]),
        ({"properties": {"a": {"type": "string", "minLength": 3}}}, {"a": "xxx"}),
        (True, None),
    ],
)
def test_samples_of_schemas(schema: Any, sample: Any) -> None:
    """The smallest value that fits."""
    assert sample_of(schema) == sample


def test_a_schema_that_holds_itself_ends() -> None:
    """A loop in memory is cut."""
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    schema["properties"]["again"] = schema
    assert sample_of(schema)


async def test_a_simulated_model_answers_what_nobody_thought_of_like_the_most_similar_case() -> None:
    """Exactly, within a template, and otherwise by likeness: behind a gateway it can be asked anything."""
    config = ScriptedConfig.model_validate({"type": "scripted", "models": {"sim": {"accuracy": {"default": 1.0}}}})
    cases = [
        Case(case_id="a", messages=(Message(role="user", content="Where is my parcel?"),), reference="delivery"),
        Case(case_id="b", messages=(Message(role="user", content="I want my money back."),), reference="refund"),
    ]
    async with StandIn(script=Script(config, cases)) as base_url:
        for text, answer in (
            ("Where is my parcel?", "delivery"),
            ("Be brief. The customer writes: I want my money back.", "refund"),
            ("My parcel, where is it?", "delivery"),
        ):
            status, body = await chat(base_url, {"model": "sim", "messages": [{"role": "user", "content": text}]})
            assert (status, body["choices"][0]["message"]["content"]) == (200, answer)
