"""What stands between the dialects: a request, an answer as events, where reasoning came from, and refusals. Pure.

Each dialect's package turns its own JSON into these values and back (`request_in`, `request_out`, `answer_in`, `answer_out`).
"""

from segue.wire.neutral.conversation import ConversationRequest, Dialect, Reasoning, Turn
from segue.wire.neutral.events import Answer, AnswerDecoder, Event, fold, is_meaningful, unfold
from segue.wire.neutral.origin import Origin
from segue.wire.neutral.refusal import Refusal, RefusedError

__all__ = [
    "Answer",
    "AnswerDecoder",
    "ConversationRequest",
    "Dialect",
    "Event",
    "Origin",
    "Reasoning",
    "Refusal",
    "RefusedError",
    "Turn",
    "fold",
    "is_meaningful",
    "unfold",
]
