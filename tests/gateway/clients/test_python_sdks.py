"""The official Python SDKs before bundles of every provider's dialect: whole, streamed, tools, forms, pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.gateway.clients.shop import Shop
from tests.gateway.clients.speakers import FOUND, QUESTION, SCHEMA, SPEAKERS, Called, Speaker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PLAIN = "Tools said: . Images seen: 0."
WORKFLOWS = ["gpt", "gpt-responses", "claude"]
THINKERS = ["gpt-5-thinks", "gpt-responses-thinks", "claude-opus-thinks"]


@pytest.fixture(params=SPEAKERS)
def speaker(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Speaker]:
    """Each SDK and dialect, with and without `async`."""
    made = SPEAKERS[request.param](shop)
    yield made
    made.way.close()


@pytest.mark.parametrize("workflow", [*WORKFLOWS, *THINKERS])
def test_an_answer_comes_whole(speaker: Speaker, workflow: str) -> None:
    """With its tokens, and the end it came to."""
    assert speaker.say(workflow) == PLAIN


@pytest.mark.parametrize("workflow", [*WORKFLOWS, *THINKERS])
def test_an_answer_comes_as_a_stream(speaker: Speaker, workflow: str) -> None:
    """In the pieces the provider sent it in."""
    assert speaker.stream(workflow) == (PLAIN, 8)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("workflow", [*WORKFLOWS, *THINKERS])
def test_a_tool_is_called_and_its_result_reaches_the_model(speaker: Speaker, workflow: str, streamed: bool) -> None:
    """The model asks, the application runs it, the model answers; what was thought before the call goes back with it."""
    found = speaker.call(workflow, streamed=streamed)
    assert found == Called("weather", {"city": "Bern"}, f"Tools said: {FOUND}. Images seen: 0.")


def test_what_the_sdks_own_helper_leaves_in_a_message_is_no_reason_to_refuse_it(shop: Shop) -> None:
    """The helper of Chat gives back more fields than the API has; towards another dialect they are left out."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}
    turns: list[Any] = [{"role": "user", "content": QUESTION}]
    with openai.OpenAI(**shop.openai) as client:
        asked: Any = {"model": "claude", "tools": [tool]}
        with client.chat.completions.stream(messages=turns, **asked) as stream:
            message: Any = stream.get_final_completion().choices[0].message
        assert "parsed_arguments" in message.to_dict()["tool_calls"][0]["function"]
        turns += [message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": FOUND}]
        found = client.chat.completions.create(messages=turns, **asked)
    assert found.choices[0].message.content == f"Tools said: {FOUND}. Images seen: 0."


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_an_answer_comes_in_the_form_that_was_asked_for(speaker: Speaker, workflow: str) -> None:
    """Through the helpers that make an object of it."""
    found = speaker.order(workflow)
    assert (found.number, found.paid, found.items) == (1, True, ["text"])


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_picture_reaches_the_model(speaker: Speaker, workflow: str) -> None:
    """As bytes in the request."""
    assert speaker.look(workflow) == "Tools said: . Images seen: 1."
