"""What `test_langchain.py` runs in a process of its own: LangChain keeps connections for as long as its process lives.

Where the gateway is comes from the environment, as for the scripts in `js/`; the result is one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

QUESTION = "What is the weather in Bern?"


class Order(BaseModel):
    """What a structured answer holds."""

    number: int
    paid: bool
    items: list[str]


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: 18 degrees"


def models(workflow: str) -> dict[str, Any]:
    """The chat models, by the API they ask through."""
    url, key = os.environ["SEGUE_URL"], SecretStr(os.environ["SEGUE_KEY"])
    openai: dict[str, Any] = {"model": workflow, "base_url": f"{url}/v1", "api_key": key, "max_retries": 0}
    given: dict[str, Any] = {"model_name": workflow, "base_url": url, "api_key": key, "max_retries": 0, "max_tokens": 500}
    return {
        "chat": ChatOpenAI(**openai, use_responses_api=False),
        "responses": ChatOpenAI(**openai, use_responses_api=True),
        "messages": ChatAnthropic(**given),
    }


def turn(model: Any, *, streamed: bool) -> dict[str, Any]:
    """A bound tool, its result, the answer; the message that called goes back as LangChain made it."""
    bound, asked = model.bind_tools([weather]), HumanMessage(QUESTION)
    if streamed:
        chunks = list(bound.stream([asked]))
        said = sum(chunks[1:], chunks[0])
    else:
        said = bound.invoke([asked])
    (call,) = said.tool_calls
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    return {"name": call["name"], "args": call["args"], "answer": bound.invoke([asked, said, result]).text}


async def ask(model: Any, picture: str) -> dict[str, Any]:
    """Everything that is asked through one API."""
    pieces = [chunk.text for chunk in model.stream(QUESTION) if chunk.text]
    parts = [{"type": "text", "text": QUESTION}, {"type": "image", "base64": picture, "mime_type": "image/png"}]
    whole = model.invoke(QUESTION)
    return {
        "whole": whole.text,
        "tokens": whole.usage_metadata["total_tokens"],
        "streamed": {"text": "".join(pieces), "pieces": len(pieces)},
        "async": (await model.ainvoke(QUESTION)).text,
        "tool": turn(model, streamed=False),
        "tool streamed": turn(model, streamed=True),
        "form": model.with_structured_output(Order, method="json_schema").invoke(QUESTION).model_dump(),
        "form by tool": model.with_structured_output(Order, method="function_calling").invoke(QUESTION).model_dump(),
        "picture": model.invoke([HumanMessage(content=parts)]).text,
    }


def refusal(model: Any) -> str:
    """What is raised."""
    try:
        model.invoke(QUESTION)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


async def main(picture: str, workflows: list[str]) -> None:
    """One loop for everything: the connections of LangChain's async clients belong to the first one."""
    found = {one: {name: await ask(model, picture) for name, model in models(one).items()} for one in workflows}
    refused = {name: refusal(model) for name, model in models("cluade").items()}
    print(json.dumps({"found": found, "refused": refused}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
