"""What a workflow lets the application say on the way through the gateway."""

from __future__ import annotations

from typing import Literal

from segue.model.base import Frozen


class Serving(Frozen):
    """The bundle decides the behaviour; the application brings the conversation.

    `may_set` names further fields of a request that the application may set, by their names in its dialect. `otherwise` says
    what becomes of all others: refused, so that nobody believes in a setting that is not there, or left out in silence.
    """

    may_set: tuple[str, ...] = ()
    otherwise: Literal["refuse", "ignore"] = "refuse"
