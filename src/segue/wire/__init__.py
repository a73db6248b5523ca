"""Codecs between Segue's neutral requests and replies and what providers speak on the wire. Pure: bytes in, values out.

Nothing here opens a connection, reads a key or a clock: `segue.providers` does. One package per dialect
(`openai_chat`, `anthropic_messages`), each with an encoder, a decoder and a stream decoder; what they share lies beside them.
"""
