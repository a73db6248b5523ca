"""The route: the live pointer of a workflow, and the only thing that is changed to release or to roll back.

A route is a value; every change is a new revision (`RouteRevision`) with its author and reason. Which unit gets which bundle
follows from a route alone: `segue.routing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from segue.model.base import Frozen
from segue.model.bundle import Digest
from segue.model.digest import digest_of

Share = Annotated[float, Field(ge=0, le=1)]
ConversationRule = Literal["switch", "drain", "pin"]
"""What becomes of conversations on a bundle that the route no longer names.

switch: their next turn goes to the bundle that serves now. drain: those begun on it end there, new ones begin elsewhere.
pin: as drain, and a conversation keeps its bundle through the growth of a share too.
"""


MOST_DRAINING = 8
"""Bundles that conversations may still be continued on: each is kept ready in every worker. The oldest leave first."""


class SegmentRule(Frozen):
    """The share of one segment. `where` is its predicate: each attribute has one of its values; none at all is everyone."""

    segment: str = Field(min_length=1)
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    share: Share

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        for attribute, values in self.where.items():
            if not attribute or not values:
                raise ValueError(f"segment {self.segment}: {attribute or 'an attribute without a name'} has no value to be met")
        return self


class ShadowRule(Frozen):
    """How much is mirrored to the candidate. Capped in calls at once and calls a second, in each process of a gateway.

    `usd_per_day` caps what it costs, in US dollars a day (UTC), all processes of a machine together.
    """

    share: Share = 1.0
    max_in_flight: int = Field(default=64, ge=1)
    per_second: float | None = Field(default=None, gt=0)
    usd_per_day: float | None = Field(default=None, gt=0)


class Route(Frozen):
    """Which bundle serves which share of which segment.

    Segments come before `share`, in their order; the first one that a request meets decides. A unit's place in [0, 1) depends
    on `salt` and unit alone, so the salt stays the same through an upgrade. `draining` are bundles that conversations begun
    on them may still be continued on.
    """

    workflow: str = Field(min_length=1)
    environment: str = Field(default="production", pattern=r"^[a-z][a-z0-9-]*$")
    incumbent: Digest
    candidate: Digest | None = None
    share: Share = 0.0
    segments: tuple[SegmentRule, ...] = ()
    salt: str = ""
    shadow: ShadowRule | None = None
    fallback: Digest | None = None
    conversations: ConversationRule = "switch"
    draining: tuple[Digest, ...] = ()

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        asks = self.share > 0 or any(rule.share > 0 for rule in self.segments) or self.shadow is not None
        if self.candidate is None and asks:
            raise ValueError("a share or a shadow needs a candidate")
        if self.candidate is not None and self.candidate == self.incumbent:
            raise ValueError("candidate and incumbent are the same bundle")
        names = [rule.segment for rule in self.segments]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"segments named twice: {', '.join(twice)}")
        if self.draining and self.conversations == "switch":
            raise ValueError("conversations that switch leave no bundle draining")
        return self

    def bundles(self) -> Iterator[str]:
        """The digests of all bundles it needs, each once."""
        yield from dict.fromkeys(
            one for one in (self.incumbent, self.candidate, self.fallback, *self.draining) if one is not None
        )

    def rolled_back(self) -> Route:
        """The incumbent for everyone, nobody shadowed: one value for any rollback, whatever state the upgrade is in."""
        back = {"candidate": None, "share": 0.0, "segments": (), "shadow": None}
        return self.model_copy(update=back).following(self)

    def following(self, last: Route | None) -> Route:
        """This route as the next after `last`: bundles that it no longer serves are left to the conversations begun on them.

        None where conversations switch. A bundle leaves the list when it serves again, and when more than `MOST_DRAINING`
        have come after it.
        """
        if self.conversations == "switch" or last is None:
            return self
        begun: dict[str, None] = {}
        for one in (*last.draining, last.candidate, last.incumbent):
            if one is not None and one not in (self.incumbent, self.candidate):
                begun.pop(one, None)
                begun[one] = None
        return self.model_copy(update={"draining": tuple(begun)[-MOST_DRAINING:]})


@dataclass(frozen=True, slots=True)
class RouteRevision:
    """A route as it took effect: numbered without gaps per workflow and environment. `at` is UTC, ISO 8601."""

    revision: int
    route: Route
    author: str
    reason: str
    at: str

    @property
    def digest(self) -> str:
        """Digest of the route, by which a gateway says what it serves."""
        return digest_of(self.route.model_dump(mode="json", exclude_defaults=True))
