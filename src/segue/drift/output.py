"""The text of a reply that everything in this package looks at."""

from __future__ import annotations

from segue.model import Reply


def output_text(reply: Reply) -> str:
    """The reply's text; where it led a conversation, the last words of the assistant in it."""
    for turn in reversed(reply.trajectory):
        if turn.role == "assistant" and turn.text.strip():
            return turn.text
    return reply.text
