"""A rendered request as Responses wants it. Pure; knows nothing of keys and hosts.

The turns are written as Chat has them and carried over by the neutral conversation: so an eval sends what the gateway does.
Nothing is stored at the provider, and reasoning is asked for in the form that can be sent back.
"""

from __future__ import annotations

from dataclasses import replace

from segue.errors import Fault
from segue.model import Parameters
from segue.model.request import ModelRequest
from segue.wire.base import WireRequest
from segue.wire.faults import extra_faults, raise_faults, refused_parameters
from segue.wire.neutral.origin import Origin
from segue.wire.openai_chat import encode as chat
from segue.wire.openai_chat.request_in import decode_request
from segue.wire.openai_responses import request_out
from segue.wire.profiles import OPENAI, OPENAI_RESPONSES, WireProfile

_REFUSED_EXTRA = {
    "model": "The bundle's snapshot says which model answers.",
    "input": "The bundle's prompt and the case say what the model is shown.",
    "instructions": "Write it in the bundle's prompt.",
    "tools": "Declare tools in the bundle.",
    "stream": "Whether to stream is a setting of the provider.",
    "stream_options": "Whether to stream is a setting of the provider.",
    "previous_response_id": "Conversations are sent whole: what is kept at a provider cannot move to another bundle.",
    "conversation": "Conversations are sent whole: what is kept at a provider cannot move to another bundle.",
    "background": "An answer is waited for.",
}


def parameter_faults(parameters: Parameters, profile: WireProfile = OPENAI_RESPONSES) -> list[Fault]:
    """What of `parameters` this dialect cannot express, to be told before anything is sent."""
    faults = refused_parameters(parameters, profile)
    if parameters.top_logprobs is not None and not parameters.logprobs:
        faults.append(Fault(what="top_logprobs needs logprobs.", fix="Set logprobs: true.", path="parameters.top_logprobs"))
    return faults


def encode_request(request: ModelRequest, *, profile: WireProfile = OPENAI_RESPONSES, stream: bool = False) -> WireRequest:
    """Path and JSON body of `request`. Raises `InputError` naming every parameter and message that cannot be sent."""
    parameters = request.parameters
    faults = parameter_faults(parameters, profile)
    raise_faults(faults)
    plain = replace(request, parameters=parameters.model_copy(update={"extra": {}}))
    asked = replace(decode_request(chat.encode_request(plain, profile=OPENAI).body), stream=stream)
    wire = request_out.encode_request(asked, to=Origin("", "", "", ""), profile=profile)
    raise_faults(extra_faults(parameters.extra, wire.body, _REFUSED_EXTRA))
    wire.body.update(parameters.extra)
    return wire
