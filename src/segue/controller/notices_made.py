"""What a notice is: which there are of an upgrade, to whom, and what each says. Pure.

There is one for an entry of the log that tells somebody, and one for each trouble that was written down beside it
(`notices_troubles`). Knows nothing of sending, which is `notices`', and of what became of one, which is `notices_seen`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from segue.controller.moments import iso
from segue.model import Json
from segue.model.plan_parts import NoticeSpec, Occasion
from segue.upgrade.decide import where
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.state import UpgradeState

TELLING = frozenset(("notify", "ask_approval"))
"""Effects of an entry that somebody is to hear of."""
TROUBLE_OCCASIONS: frozenset[Occasion] = frozenset(("hold",))
"""A trouble is told to those who want to hear when people are needed: nothing holds, and nothing goes on without them."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to one receiver. `name` is the entry's or the trouble's, and the same at every attempt."""

    name: str
    workflow: str
    upgrade: str
    number: int
    at: float
    spec: NoticeSpec
    body: bytes

    @property
    def receiver(self) -> str:
        """What tells receivers apart; an address may hold what nobody else is to know."""
        return sha256(self.spec.url.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that people are to hear of though nothing was decided. `keys` tell it from others, so that it is told once.

    `what` is its kind, `number` counts an upgrade's troubles from 1, `because` says in sentences what is wrong.
    """

    number: int
    what: str
    at: float
    keys: tuple[str, ...]
    because: tuple[str, ...]


def notices_due(upgrade: Upgrade, troubles: Sequence[Trouble]) -> Iterator[Notice]:
    """All that the upgrade has given anybody to hear of, oldest first."""
    found = [one for entry in upgrade.entries for one in notices_of(upgrade, entry)]
    found += [one for trouble in troubles for one in trouble_notices(upgrade, trouble)]
    yield from sorted(found, key=lambda one: one.at)


def notices_of(upgrade: Upgrade, entry: UpgradeEntry) -> Iterator[Notice]:
    """Of an entry that tells somebody: one for whomever the plan names for such an occasion."""
    if not TELLING.intersection(entry.effects):
        return
    occasions = occasions_of(upgrade, entry)
    said: dict[str, Json] = {"event": entry.event, "by": entry.by, "because": list(entry.because)}
    body = _body(upgrade, entry.state, entry.number, entry.at, occasions, said)
    yield from _to_each(upgrade, f"{entry.upgrade}-{entry.number}", entry.number, entry.at, occasions, body)


def trouble_notices(upgrade: Upgrade, trouble: Trouble) -> Iterator[Notice]:
    """Of a trouble, in the same shape; where the upgrade stood is what its log said at that moment."""
    before = [one for one in upgrade.entries if one.at <= trouble.at]
    state = before[-1].state if before else upgrade.opening.state
    said: dict[str, Json] = {"event": trouble.what, "by": "", "because": list(trouble.because)}
    body = _body(upgrade, state, state.number, trouble.at, TROUBLE_OCCASIONS, said)
    name = f"{upgrade.opening.upgrade}-trouble-{trouble.number}"
    yield from _to_each(upgrade, name, state.number, trouble.at, TROUBLE_OCCASIONS, body)


def occasions_of(upgrade: Upgrade, entry: UpgradeEntry) -> frozenset[Occasion]:
    """What an entry is, to those who want to hear of some things only."""
    before = upgrade.entries[entry.number - 2].state if entry.number > 1 else upgrade.opening.state
    after = entry.state
    found: set[Occasion] = set()
    if (before.stage, before.step) != (after.stage, after.step):
        found.add("stage")
    # Held for less, and now for this: whoever looks at holds alone has to look again.
    if after.standing == "holding" and (before.standing != "holding" or before.held_by != after.held_by):
        found.add("hold")
    if "ask_approval" in entry.effects:
        found.add("approval")
    if after.stage == "rolled_back" or "incident" in entry.effects:
        found.add("rollback")
    if after.is_ended:
        found.add("end")
    if entry.by:
        found.add("action")
    return frozenset(found)


def shown_address(url: str) -> str:
    """An address as anybody may see it: `https://hooks.example/…`, without a path that may be a secret; `$NAME` as it is."""
    if url.startswith("$"):
        return url
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "…"
    rest = "/…" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{parts.hostname}{port}{rest}"


def unset_words(name: str) -> str:
    """Why nothing is sent, with the remedy."""
    return f"{name} is not set where the controller runs. Set it there, and start the controller again."


def unset_notices(specs: Sequence[NoticeSpec], environ: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each reference of a plan's notices that this environment has no value for."""
    missing: dict[str, list[str]] = {}
    for spec in specs:
        for one in (spec.url, spec.secret):
            if one.startswith("$") and not environ.get(one[1:]):
                missing.setdefault(one, []).append(shown_address(spec.url))
    return tuple(
        f"{name} is not set here, so notices to {', '.join(dict.fromkeys(to))} could not be sent from here. "
        "Set it where the controller runs, before that starts."
        for name, to in missing.items()
    )


def _body(
    upgrade: Upgrade, state: UpgradeState, number: int, at: float, occasions: frozenset[Occasion], said: dict[str, Json]
) -> bytes:
    """What is sent: what happened, where it stands now, and why. No content of any exchange."""
    opening = upgrade.opening
    data: dict[str, Json] = {
        "upgrade": opening.upgrade,
        "number": number,
        "workflow": opening.workflow,
        "environment": opening.environment,
        "incumbent": state.incumbent,
        "candidate": state.candidate,
        "event": said["event"],
        "occasions": [str(one) for one in sorted(occasions)],
        "by": said["by"],
        "because": said["because"],
        "stage": state.stage,
        "step": state.step,
        "standing": state.standing,
        "where": where(state),
    }
    body: dict[str, Json] = {"type": f"upgrade.{said['event']}", "timestamp": iso(at), "data": data}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _to_each(
    upgrade: Upgrade, name: str, number: int, at: float, occasions: frozenset[Occasion], body: bytes
) -> Iterator[Notice]:
    opening = upgrade.opening
    for spec in upgrade.plan.notify:
        if not spec.on or occasions.intersection(spec.on):
            yield Notice(name, opening.workflow, opening.upgrade, number, at, spec, body)
