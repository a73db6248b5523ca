"""Requests from dialect to dialect: what all can hold goes round unchanged, and what we send is what the SDKs would send."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming
from tests.wire.dialect_values import DIALECTS, HERE, plain, requests
from tests.wire.sdk_types import misfit

from segue.wire.dialects import CODECS
from segue.wire.neutral.conversation import ConversationRequest, Dialect

SDK_TYPES: dict[Dialect, tuple[Any, Any]] = {
    "openai_chat": (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming),
    "openai_responses": (ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming),
    "anthropic_messages": (MessageCreateParamsNonStreaming, MessageCreateParamsStreaming),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@given(request_=requests())
def test_a_request_that_all_can_hold_is_read_back_the_same(dialect: Dialect, request_: ConversationRequest) -> None:
    """Written and read in one dialect."""
    body = CODECS[dialect].encode_request(request_, to=HERE).body
    assert plain(CODECS[dialect].decode_request(body)) == plain(request_)


@given(requests(), st.permutations(DIALECTS))
def test_a_request_goes_through_all_dialects_unchanged(request_: ConversationRequest, order: list[Dialect]) -> None:
    """A conversation that moves on and on."""
    found = request_
    for dialect in order:
        found = CODECS[dialect].decode_request(CODECS[dialect].encode_request(found, to=HERE).body)
    assert plain(found) == plain(request_)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(request_=requests())
def test_the_sdk_knows_every_field_that_is_sent(dialect: Dialect, request_: ConversationRequest) -> None:
    """By the SDK's own types; sampling parameters are no longer in Anthropic's, whose older version takes them."""
    body = CODECS[dialect].encode_request(request_, to=HERE).body
    if dialect == "anthropic_messages":
        body = {name: value for name, value in body.items() if name not in ("temperature", "top_p")}
    assert misfit(body, SDK_TYPES[dialect][request_.stream]) is None
