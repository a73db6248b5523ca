"""The review queue: once a week 20 to 50 outputs are drawn, people read them, and each mark is a fact with its author.

Nothing is ever marked by silence: an item that nobody read is unread. Marks are told apart by what was marked, not by whose it
was; which arm an output came from is for the summary to say, not for the reader to know. The terminal: `cli/review_screen.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

from pydantic import Field, ValidationError

from segue.controller.review_draw import ReviewItem, draw_items
from segue.errors import Fault, InputError, NotFoundError, TamperError
from segue.exchanges.query import ExchangeLog
from segue.model import Frozen
from segue.store.upgrades import Fact, UpgradeStore
from segue.upgrade.log import Upgrade
from segue.upgrade.table import LIVE

DRAW, MARK = "review-draw", "review-mark"
Mark = Literal["good", "bad", "tone", "format", "skip"]
"""bad: wrong in substance. tone, format: right, and not said as it should be. skip: this reader cannot say."""
MARKS: tuple[Mark, ...] = get_args(Mark)
DAY_S = 86_400.0
EVERY_S = 7 * DAY_S
FIRST_S = DAY_S
"""The first draw comes a day after users, or shadows, met the candidate; then once a week."""
AT_A_TIME = 30
FEWEST, MOST = 20, 50
LONGEST_NOTE = 2_000


class ReviewDraw(Frozen):
    """One draw of a stretch of time. `n_outputs` could have been drawn; fewer than 20 items are as many as there were."""

    draw: str
    since: float
    until: float
    n_outputs: int
    items: tuple[ReviewItem, ...]


class ReviewMark(Frozen):
    """What one reader made of one side. `item` is the side's name; bundle and arm are for the summary."""

    item: str
    exchange: str
    bundle: str
    arm: str
    mark: Mark
    note: str = Field(default="", max_length=LONGEST_NOTE)


T = TypeVar("T", bound=Frozen)


@dataclass(frozen=True, slots=True)
class ReviewSeen:
    """The queue of an upgrade. `by_bundle` counts marks; of several readers of one side the last word of each counts."""

    draws: tuple[ReviewDraw, ...]
    n_sides: int
    n_read: int
    by_bundle: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    next_draw_at: float | None = None
    sentence: str = ""


def draw_if_due(
    store: UpgradeStore, log: ExchangeLog, upgrade: Upgrade, now: float, *, author: str, at: str, count: int = AT_A_TIME
) -> ReviewDraw | None:
    """This week's draw, where it is due; `None` where it is not, or there is nothing to draw from."""
    due = _next_draw(upgrade, list_draws(store, upgrade))
    return None if due is None or now < due else draw_now(store, log, upgrade, now, author=author, at=at, count=count)


def draw_now(
    store: UpgradeStore, log: ExchangeLog, upgrade: Upgrade, now: float, *, author: str, at: str, count: int = AT_A_TIME
) -> ReviewDraw | None:
    """A draw from what was served since the last one, a week at most; `None` where nothing can be read."""
    if not 1 <= count <= MOST:
        raise InputError(f"{count} is no number of outputs to read.", fix=f"Draw {FEWEST} to {MOST}.")
    opening = upgrade.opening
    draws = list_draws(store, upgrade)
    number = len(draws) + 1
    since = max(draws[-1].until if draws else opening.at, now - EVERY_S)
    found = draw_items(
        log,
        opening.workflow,
        opening.environment,
        draw=str(number),
        seed=f"{opening.upgrade} {number}",
        since_ns=int(since * 1e9),
        until_ns=int(now * 1e9),
        most=count,
    )
    if not found.items:
        return None
    draw = ReviewDraw(draw=str(number), since=since, until=now, n_outputs=found.n_outputs, items=found.items)
    store.add_fact(DRAW, opening.workflow, opening.upgrade, draw.model_dump(mode="json"), author=author, at=at)
    return draw


def list_draws(store: UpgradeStore, upgrade: Upgrade) -> list[ReviewDraw]:
    """All draws of an upgrade, oldest first."""
    opening = upgrade.opening
    return [_read(ReviewDraw, one) for one in store.list_facts(opening.workflow, kind=DRAW, subject=opening.upgrade)]


def list_marks(store: UpgradeStore, upgrade: Upgrade) -> dict[tuple[str, str], ReviewMark]:
    """The last mark of each side by each author: `(item, author)`."""
    opening = upgrade.opening
    facts = store.list_facts(opening.workflow, kind=MARK, subject=opening.upgrade)
    return {(mark.item, fact.author): mark for fact in facts for mark in (_read(ReviewMark, fact),)}


def mark_side(
    store: UpgradeStore, upgrade: Upgrade, item: str, mark: str, *, note: str = "", author: str, at: str
) -> ReviewMark:
    """Write down what a reader makes of a side. A later mark of the same reader takes the place of the earlier one."""
    faults = []
    if mark not in MARKS:
        faults.append(Fault(f"'{mark[:40]}' is no mark.", f"Use one of: {', '.join(MARKS)}.", path="mark"))
    if len(note) > LONGEST_NOTE:
        fix = f"Keep it to {LONGEST_NOTE:,} characters."
        faults.append(Fault(f"The note has {len(note):,} characters.", fix, path="note"))
    if faults:
        raise InputError.from_faults(faults, subject="the mark")
    known = {
        one.side_of(at): one.sides[at]
        for draw in list_draws(store, upgrade)
        for one in draw.items
        for at in range(len(one.sides))
    }
    if item not in known:
        raise NotFoundError.naming("item", item, known, fix=f"See them: segue review {upgrade.opening.workflow} --json")
    side = known[item]
    found = ReviewMark(item=item, exchange=side.exchange, bundle=side.bundle, arm=side.arm, mark=mark, note=note)
    opening = upgrade.opening
    store.add_fact(MARK, opening.workflow, opening.upgrade, found.model_dump(mode="json"), author=author, at=at)
    return found


def unread(store: UpgradeStore, upgrade: Upgrade) -> list[ReviewItem]:
    """Items with a side that nobody has marked, oldest draw first."""
    marked = {item for item, _ in list_marks(store, upgrade)}
    return [
        one
        for draw in list_draws(store, upgrade)
        for one in draw.items
        if any(one.side_of(at) not in marked for at in range(len(one.sides)))
    ]


def review_seen(store: UpgradeStore, upgrade: Upgrade) -> ReviewSeen:
    """How far the reading is, and what readers made of each bundle's outputs."""
    draws = list_draws(store, upgrade)
    marks = list_marks(store, upgrade)
    n_sides = sum(len(one.sides) for draw in draws for one in draw.items)
    counts: dict[str, Counter[str]] = {}
    for mark in marks.values():
        counts.setdefault(mark.bundle, Counter())[mark.mark] += 1
    n_read = len({item for item, _ in marks})
    return ReviewSeen(
        draws=tuple(draws),
        n_sides=n_sides,
        n_read=n_read,
        by_bundle=counts,
        next_draw_at=_next_draw(upgrade, draws),
        sentence=_sentence(upgrade, draws, n_sides, n_read),
    )


def _sentence(upgrade: Upgrade, draws: Sequence[ReviewDraw], n_sides: int, n_read: int) -> str:
    if not draws:
        return "No outputs were drawn for reading yet."
    if n_read == n_sides:
        return f"All {n_sides} drawn outputs were read."
    return f"{n_sides - n_read} of {n_sides} drawn outputs are unread: segue review {upgrade.opening.workflow}"


def _next_draw(upgrade: Upgrade, draws: Sequence[ReviewDraw]) -> float | None:
    """When the next one is due; `None` where the candidate answers nobody."""
    if upgrade.state.stage not in LIVE:
        return None
    if draws:
        return draws[-1].until + EVERY_S
    begun = next((one.at for one in upgrade.entries if one.state.stage in LIVE), upgrade.opening.at)
    return begun + FIRST_S


def _read(kind: type[T], fact: Fact) -> T:
    try:
        return kind.model_validate(fact.body)
    except ValidationError as error:
        what = f"Fact {fact.number} ({fact.kind}) cannot be read back ({error.error_count()} faults)."
        raise TamperError(what, fix="Check the log: segue log verify.") from None
