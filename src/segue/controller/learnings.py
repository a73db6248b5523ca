"""What an upgrade taught: drift that was found, cases that would have helped, lessons of a prompt. Facts, asked for at its end.

Also when all went well: the next team begins with them. Nothing is decided by one. Who asks: `views_next`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from segue.errors import Fault, InputError
from segue.model import Json
from segue.store.upgrades import UpgradeStore
from segue.upgrade.log import Upgrade

KIND = "learning"
About = Literal["drift", "cases", "prompt", "process"]
"""drift: what moved that nobody expected. cases: those that would have shown it. prompt: what the new model asks of it."""
SUBJECTS: tuple[About, ...] = get_args(About)
LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class Learning:
    """One, by whom and when."""

    at: str
    by: str
    about: str
    text: str


def record_learning(store: UpgradeStore, upgrade: Upgrade, text: str, about: str, *, author: str, at: str) -> Learning:
    """Write it down. `InputError` for no words, too many, or about nothing that is known."""
    said = text.strip()
    faults = list(_faults(said, about, author))
    if faults:
        raise InputError.from_faults(faults, subject="the learning")
    opening = upgrade.opening
    body: dict[str, Json] = {"about": about, "text": said}
    store.add_fact(KIND, opening.workflow, opening.upgrade, body, author=author, at=at)
    return Learning(at, author, about, said)


def list_learnings(store: UpgradeStore, upgrade: Upgrade) -> tuple[Learning, ...]:
    """All of an upgrade, oldest first."""
    opening = upgrade.opening
    found = []
    for fact in store.list_facts(opening.workflow, kind=KIND, subject=opening.upgrade):
        body: Any = fact.body
        if isinstance(body, dict):
            found.append(Learning(fact.at, fact.author, str(body.get("about", "")), str(body.get("text", ""))))
    return tuple(found)


def _faults(said: str, about: str, author: str) -> Iterator[Fault]:
    if not said:
        yield Fault("A learning without words teaches nobody.", "Say in a sentence what the next should know.", path="text")
    if len(said) > LONGEST:
        yield Fault(f"It has {len(said):,} characters.", f"Keep it to {LONGEST:,}: a sentence or two.", path="text")
    if about not in SUBJECTS:
        yield Fault(f"'{about[:40]}' is nothing to learn about.", f"Use one of: {', '.join(SUBJECTS)}.", path="about")
    if not author.strip():
        yield Fault("A learning needs a name.", "Say who has it: SEGUE_AUTHOR.", path="author")
