"""The final answer of a reply: what scorers look at, whether the model answered in one turn or led a conversation."""

from __future__ import annotations

from segue.model import Exchange, Reply, ToolCall


def reply_of(exchange: Exchange) -> Reply:
    """The reply. Scorers are asked only about exchanges that have one."""
    assert exchange.reply is not None, "a scorer is asked only about exchanges that have a reply"
    return exchange.reply


def final_text(exchange: Exchange) -> str:
    """The answer's text; of a trajectory, the text of the last assistant turn that has any."""
    reply = exchange.reply
    assert reply is not None, "a scorer is asked only about exchanges that have a reply"
    if not reply.trajectory:
        return reply.text
    for turn in reversed(reply.trajectory):
        if turn.role == "assistant" and turn.text.strip():
            return turn.text
    return reply.text


def final_calls(exchange: Exchange, *, whole_trajectory: bool = False) -> tuple[ToolCall, ...]:
    """The answer's tool calls; of a trajectory, those of the last assistant turn, or of all of them in order."""
    reply = reply_of(exchange)
    if not reply.trajectory:
        return reply.tool_calls
    turns = [turn for turn in reply.trajectory if turn.role == "assistant"]
    if whole_trajectory:
        return tuple(call for turn in turns for call in turn.tool_calls)
    return turns[-1].tool_calls if turns else reply.tool_calls
