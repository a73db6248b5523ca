"""What arrives changed though nothing is refused: the mappings that lose something. `docs/dialects.md` shows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lossy:
    """`what` is said in one dialect; in `where` it becomes `becomes`."""

    what: str
    where: str
    becomes: str


REQUESTS = (
    Lossy("Reasoning of another origin, or of none that is known", "all", "Left out. It is never shown to a model as text."),
    Lossy("Reasoning of any origin", "Chat", "Left out: the dialect has no place for it."),
    Lossy(
        "Reasoning that a client of Chat does not bring back (`reasoning_details`)", "all", "Lost; the conversation goes on."
    ),
    Lossy("Reasoning among the texts and calls of one answer, brought by a client of Chat", "all", "Stands before them."),
    Lossy("Reasoning at the end of a turn, for the answer was cut there", "Messages, Responses", "Left out."),
    Lossy("A turn that held only reasoning that is left out", "all", "Left out."),
    Lossy(
        "A tool-call id in another form (prefix, characters, length)",
        "all",
        "Made anew; call and result still match.",
    ),
    Lossy("Several turns of the assistant in a row, or of results", "all", "One turn."),
    Lossy("An empty text", "all", "Left out."),
    Lossy("Text of the assistant after its tool calls", "Chat", "Stands before the calls."),
    Lossy("A refusal by the assistant", "Messages", "Text of the assistant."),
    Lossy("A failed tool (`is_error`)", "Chat, Responses", "The result begins with the line `Error:`."),
    Lossy("`developer`", "Messages", "`system`."),
    Lossy("The instructions at the beginning", "Messages", "The field `system`; later ones stay messages."),
    Lossy("A first plain system message", "Responses", "The field `instructions`."),
    Lossy("`detail` of an image other than `low`", "Messages", "Left out: images are always looked at closely."),
    Lossy("A plain text document", "Chat, Responses", "A file of the type `text/plain` in base64."),
    Lossy("A file by its id or URL without a name", "all", "A file without a name."),
    Lossy("`allowed_tools`", "Messages", "The other tools are not sent."),
    Lossy("`parallel_tool_calls` without a tool choice", "Messages", "`tool_choice` `auto` with `disable_parallel_tool_use`."),
    Lossy("The name of an output schema", "Messages", "Left out; from there, it is `output`."),
    Lossy("An output schema that is not strict", "Messages", "Held to strictly."),
    Lossy("A function without parameters", "all", "A function that takes an empty object."),
    Lossy("A function without a word on strictness", "Responses", "`strict: false`, which is Chat's and Anthropic's default."),
    Lossy("Thinking `disabled`", "Chat, Responses", "Effort `none`."),
    Lossy("Thinking `adaptive` with an effort", "Chat, Responses", "That effort."),
    Lossy("A thinking budget, right after calls of another origin", "Messages", "Thinking is off until the next answer."),
    Lossy("`metadata`, hints of cache and tier", "Messages", "Left out; `user` becomes `metadata.user_id`."),
    Lossy("`store`", "Responses", "Always `false`: the gateway sends whole conversations."),
    Lossy("Whole numbers beyond 64 bits in arguments of calls and in schemas", "Messages", "Numbers with less precision."),
)
"""On the way from a client to an upstream."""

ANSWERS = (
    Lossy(
        "Reasoning",
        "Chat",
        "Not shown; the provider's own item sealed in `reasoning_details`, a field that the SDK keeps and brings back.",
    ),
    Lossy(
        "Reasoning",
        "Messages",
        "`thinking`, the provider's own item sealed in `signature`.",
    ),
    Lossy("Reasoning", "Responses", "A summary, the provider's own item sealed in `encrypted_content`."),
    Lossy("What a server of Chat sealed (`reasoning_details`, `thought_signature`)", "Messages, Responses", "Left out."),
    Lossy("A refusal with words", "Messages", "`stop_reason` `refusal`, the words in `stop_details.explanation`."),
    Lossy("A refusal without words", "Chat", "`finish_reason` `content_filter`."),
    Lossy("A refusal without words", "Responses", "`status` `incomplete` for `content_filter`."),
    Lossy("`content_filter`", "Messages", "`stop_reason` `refusal`."),
    Lossy("Which stop sequence was met", "Chat, Responses", "Not told."),
    Lossy("Citations and annotations", "all", "Left out: only tools of the provider make them, and those are refused."),
    Lossy("Log-probabilities", "Messages", "Not told; a client of this dialect cannot ask for them."),
    Lossy("Several blocks of text", "Chat", "One text."),
    Lossy(
        "Tokens that the provider does not tell",
        "Messages",
        "0: the SDK wants numbers.",
    ),
    Lossy("Cached or reasoning tokens that the provider does not tell", "Responses", "0: the SDK wants numbers."),
    Lossy("Cached or reasoning tokens that the provider does not tell", "Chat", "Left out."),
    Lossy("The tier, place and cache details of the work done", "Messages", "`null`."),
    Lossy("The tier that did the work, and when it was completed", "Responses", "`auto`; `null`."),
    Lossy("Settings that the request left out", "Responses", "The API's own defaults, as in OpenAI's echo of a request."),
    Lossy("An error in the middle of a stream", "Chat", "A frame with `error`; no `[DONE]`."),
    Lossy("An error in the middle of a stream", "Responses", "The event `error`, then `response.failed`."),
    Lossy("An error in the middle of a stream", "Messages", "The event `error`; no `message_stop`."),
    Lossy(
        "An end that a dialect has no word for",
        "all",
        "An error: it must not look like a whole answer.",
    ),
    Lossy("A call whose arguments are no JSON object", "Messages", "An error, but where the answer was cut for length."),
)
"""On the way from an upstream to a client."""
