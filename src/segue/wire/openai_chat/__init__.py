"""The OpenAI Chat Completions dialect, as OpenAI, Azure, vLLM, Ollama and many others speak it."""

from segue.wire.openai_chat.decode import decode_reply
from segue.wire.openai_chat.encode import encode_request, parameter_faults
from segue.wire.openai_chat.stream import ChatStreamDecoder

__all__ = ["ChatStreamDecoder", "decode_reply", "encode_request", "parameter_faults"]
