"""The shadow of a request on the fast path: the candidate is asked along a lane of its own, and a plain answer kept as a pair.

As with the user's own request: whatever is not plain unfolds into what `shadow.py` would have made at once. Which shadows are
shed, and why, is asked there, too.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from segue.errors import InputError
from segue.exchanges.record import BodyNote, keep_body
from segue.gateway.applied import CODEC_OF
from segue.gateway.asking import Asking
from segue.gateway.http import Failure, HeadError, UpstreamRequest
from segue.gateway.lane import Facts, Lane, PlainCall
from segue.gateway.marked import prepare_own
from segue.gateway.provider_tools import acts_at_provider
from segue.gateway.shadow import ShadowAnswer, Shadows
from segue.model.route import ShadowRule

_SENT = UpstreamRequest(b"POST", b"/", ())
"""In the place of a call's request, as in `fast_call.py`; but a shadow is not sent again."""
assert not _SENT.is_resendable, "nobody sets what `FastShadow` has for all its calls"


class Mirror:
    """Where requests of one lane are mirrored to: the candidate's lane, in the same dialect."""

    __slots__ = ("_rule", "lane", "shadows", "tally")

    def __init__(self, lane: Lane, rule: ShadowRule, shadows: Shadows) -> None:
        self.lane = lane
        self._rule = rule
        self.shadows = shadows
        self.tally = shadows.tally(lane.name)

    def __call__(self, facts: Facts, turns: bytes | None, asking: Callable[[], Asking]) -> None:
        """What `Shadows.mirror` does; `turns` are the request's `plain_turns`."""
        lane, shadows = self.lane, self.shadows
        try:
            reason = shadows.why_not(self.tally, self._rule)
            if reason is not None:
                shadows.shed[lane.name, reason] += 1
                return
            sent = self._plainly(facts, turns) if lane.upstream.unused else None
            if sent is None:
                shadows.ask(asking(), lane.target, self._rule)
                return
            # All that could fail comes before anything is counted or lent.
            now = lane.clock()
            data, call = lane.written(sent), FastShadow(self, lane, facts, sent, now)
            carrier = lane.upstream.lend()
            if carrier is None:
                shadows.ask(asking(), lane.target, self._rule)
                return
            carrier.begin(call, data, now)
            self.tally.began()
        except Exception as error:
            shadows.broke(lane.name, error)

    def _plainly(self, facts: Facts, turns: bytes | None) -> bytes | None:
        """What the candidate is asked, if there is nothing to it."""
        lane, fields = self.lane, facts[4]
        applied = lane.target.applied
        try:
            sent = lane.dress_plainly(fields, turns)
            if sent is None:
                sent, _ = prepare_own(applied, fields, facts[5], lane.target.origin)
        except (InputError, msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        return None if acts_at_provider(applied.dialect, (*fields, *applied.owned), sent) else sent


def mirror_of(lane: Lane, shadows: Shadows) -> Mirror | None:
    """For requests of this lane, where they are mirrored and that is as plain as they are: not to another dialect, and not
    counted in money."""
    route = lane.route.route
    if not lane.is_shadowed or route.shadow is None or route.candidate is None or route.shadow.usd_per_day is not None:
        return None
    target = lane.workflow.targets[route.candidate]
    if CODEC_OF[target.applied.dialect] != lane.codec:
        return None
    try:
        to = Lane(lane.effects, lane.edge, lane.workflow, lane.assigned, lane.attributes, target=target, arm="shadow")
    except HeadError:
        return None
    return Mirror(to, route.shadow, shadows)


class FastShadow(PlainCall):
    """One mirrored request: the call to the candidate's provider, and the sink of what it says."""

    __slots__ = ("_began_ns", "_id", "_mirror", "_sent")

    # The same for all, and so not set in each: it is never sent again.
    request, head, is_retry = _SENT, b"", False

    def __init__(self, mirror: Mirror, lane: Lane, facts: Facts, sent: bytes, now: float) -> None:
        # As of `FastCall`.
        times = lane.times
        self.sink = self
        self.timeouts = times
        self.between_s, self.within_s = times.between_bytes_s, times.whole_s
        self.ends_at = now + times.whole_s
        self.has_head = self.is_cancelled = False
        self._lane = lane
        self._facts = facts
        self._said = self._parts = None
        self._mirror = mirror
        self._sent = sent
        self._id = mirror.shadows.new_id()
        self._began_ns = lane.effects.monotonic_ns()

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """An answer, or the beginning of something else."""
        said, lane = self._said, self._lane
        assert said is not None, "a head came before"
        by_name = said.by_name
        if said.status != 200 or by_name is None or not by_name.get(b"content-type", b"").startswith(b"application/json"):
            self._unfold(chunk, is_last)
            return
        if not is_last:
            if not self._gather(chunk):
                self._unfold()
            return
        if self._parts is not None:
            self._parts.append(chunk)
            chunk = b"".join(self._parts)
        if not chunk:
            self._unfold(b"", is_last)
            return
        self._mirror.tally.in_flight -= 1
        pair, at_ns, _, unit, _, _, _ = self._facts
        if lane.keeps_all:
            sent, asked, answered = self._sent, BodyNote("full", len(self._sent)), BodyNote("full", len(chunk))
        else:
            asked, sent = keep_body(self._sent, lane.keep)
            answered, chunk = keep_body(chunk, lane.keep)
        effects = lane.effects
        latency_ns = effects.monotonic_ns() - self._began_ns
        effects.keep(lane.record(self._id, pair, at_ns, unit, latency_ns, asked, answered), sent, chunk)

    def on_failure(self, failure: Failure) -> None:
        """No answer, or not all of it."""
        self._unfold().on_failure(failure)

    def _unfold(self, chunk: bytes | None = None, is_last: bool = False) -> ShadowAnswer:
        """The same, with all that any shadow may need, told of what has come: this chunk is the latest of it."""
        lane, shadows = self._lane, self._mirror.shadows
        answer = ShadowAnswer(shadows, self.asking(), lane.target, lane.effects, self._id, self._sent, self._began_ns)
        answer.call = self
        if self.sink is self:
            self.sink = answer
        if self._said is not None:
            answer.on_head(self._said)
            for part in self._parts or ():
                answer.on_body(part, False)
            if chunk is not None:
                answer.on_body(chunk, is_last)
        return answer
