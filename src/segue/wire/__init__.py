"""Codecs between Segue's neutral requests and replies and what providers speak on the wire. Pure: bytes in, values out.

Nothing here opens a connection, reads a key or a clock: `segue.providers` and the gateway do. One package per dialect
(`openai_chat`, `openai_responses`, `anthropic_messages`); what they share lies beside them.

Evals ask one question and measure one reply: `encode`, `decode`, `stream`. The gateway stands between a client and an upstream
that may speak different dialects: `dialects` is its entry, `neutral` the form in between, `fields` the table of what is
carried, refused and dropped, `passing` what there is to do where nothing is translated.
"""
