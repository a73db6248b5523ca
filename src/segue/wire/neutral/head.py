"""What the gateway adds to an answer of its own: an id, the time, the model's name as the client knows it."""

from __future__ import annotations

from dataclasses import dataclass

from segue.model import Failure
from segue.wire.neutral.conversation import ConversationRequest

NO_WORD = Failure("bad_reply", "The reply ended for a reason that the client's dialect has no word for.")


@dataclass(frozen=True, slots=True)
class Head:
    """`id` is the bare id; each dialect writes its own prefix. `request` is echoed where a dialect echoes it."""

    id: str
    created_s: int
    model: str
    include_usage: bool = False
    request: ConversationRequest | None = None
