"""What a client is told where no bundle of the chain answered: of all that was said on the way, one thing. Pure.

What may pass is told before what is wrong with the request: SDKs ask again after the one, and give up after the other, though
the refusal may have been one bundle's own. Of the same weight the incumbent's is told, else the first. Who is asked, and in
which turn, is for `serving`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from segue.gateway.http import ResponseHead
from segue.gateway.target import Target
from segue.wire.neutral.client_error import ClientError


class Weight(IntEnum):
    """The heavier is told."""

    NOT_SERVED = 0
    """The bundle cannot be told this request."""
    LASTING = 1
    """It failed, and will the next time: its key is wrong, or its address."""
    REFUSED = 2
    """Its provider says that the request is wrong."""
    PASSING = 3
    """It failed, and may answer the next time: a limit, an overload, no connection, an open breaker."""


@dataclass(frozen=True, slots=True)
class Word:
    """What became of one bundle. `target` is who was asked, if anybody was; `refusal` are the provider's own words."""

    weight: Weight
    why: str
    error: ClientError
    target: Target | None = None
    is_incumbents: bool = False
    refusal: tuple[ResponseHead, bytes] | None = None


def heavier(said: Word | None, word: Word) -> Word:
    """Which of the two the client would be told; `said` came first."""
    if said is None or (word.weight, word.is_incumbents) > (said.weight, said.is_incumbents):
        return word
    return said
