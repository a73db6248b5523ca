"""The Anthropic Messages dialect, in both versions of the API."""

from segue.wire.anthropic_messages.decode import decode_reply
from segue.wire.anthropic_messages.encode import encode_request, parameter_faults
from segue.wire.anthropic_messages.stream import MessagesStreamDecoder

__all__ = ["MessagesStreamDecoder", "decode_reply", "encode_request", "parameter_faults"]
