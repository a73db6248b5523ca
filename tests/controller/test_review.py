"""The review queue: drawn evenly by chance, read blind, marked once, gone on with later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from segue.controller.review import (
    EVERY_S,
    FIRST_S,
    draw_if_due,
    draw_now,
    list_draws,
    list_marks,
    mark_side,
    review_seen,
    unread,
)
from segue.controller.review_draw import ReviewItem, ReviewSide, draw_items
from segue.controller.review_texts import last_words, read_item
from segue.errors import InputError, NotFoundError, TamperError
from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import BodyNote, ServedExchange
from segue.exchanges.spool import Spool
from segue.store.memory import MemoryStore
from segue.upgrade.log import Upgrade
from tests.controller.undertaken import NEW, NOW, OLD, an_upgrade
from tests.exchanges.builders import a_log, a_spool
from tests.store.builders import WHO

NS = 1_000_000_000
FULL = BodyNote("full", 3)


class Served:
    """A spool that exchanges of the workflow are put into, a second apart, and the log that reads it."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.spool: Spool = a_spool(folder, **given)
        self.log: ExchangeLog = a_log(folder)
        self.count = 0

    def add(self, number: int = 1, *, shadowed: bool = False, **given: Any) -> None:
        for _ in range(number):
            self.count += 1
            name, at = f"x{self.count:05d}", int(NOW * NS) + self.count * NS
            self.put(name, at, "yes", **{"pair": name if shadowed else None, **given})
            if shadowed:
                self.put(f"s{self.count:05d}", at, "no", arm="shadow", bundle=NEW.digest, pair=name)

    def put(self, name: str, at_ns: int, answer: str, **given: Any) -> None:
        fields: dict[str, Any] = {
            "id": name,
            "at_ns": at_ns,
            "workflow": "mail",
            "environment": "production",
            "arm": "incumbent",
            "bundle": OLD.digest,
            "status": 200,
            "dialect_in": "openai_chat",
            "dialect_out": "openai",
            "request": FULL,
            "response": FULL,
            **given,
        }
        asked = {"model": "mail", "messages": [{"role": "user", "content": f"Question {name}?"}]}
        said = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}]}
        assert self.spool.append(ServedExchange(**fields), json.dumps(asked).encode(), json.dumps(said).encode()) is not None
        self.spool.tend()


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """Nothing yet."""
    return Served(tmp_path)


@pytest.fixture
def store() -> MemoryStore:
    """With an upgrade in canary."""
    return MemoryStore()


@pytest.fixture
def upgrade(store: MemoryStore) -> Upgrade:
    """Opened, and in canary since NOW."""
    return an_upgrade(store)


def drawn(served: Served, *, most: int = 10, seed: str = "s") -> tuple[ReviewItem, ...]:
    return draw_items(
        served.log, "mail", "production", draw="1", seed=seed, since_ns=0, until_ns=int(2 * NOW * NS), most=most
    ).items


def exchanges(items: tuple[ReviewItem, ...]) -> set[str]:
    return {side.exchange for one in items for side in one.sides}


def test_both_arms_and_rare_slices_are_read_as_much_as_common_ones(served: Served) -> None:
    """A hundred German ones do not drown four Finnish ones."""
    for arm, bundle in (("incumbent", OLD), ("candidate", NEW)):
        served.add(100, arm=arm, bundle=bundle.digest, slices={"lang": "de"})
        served.add(4, arm=arm, bundle=bundle.digest, slices={"lang": "fi"})
    items = drawn(served, most=16)
    kinds = [(one.sides[0].arm, one.slices["lang"]) for one in items]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        (arm, lang): 4 for arm in ("incumbent", "candidate") for lang in ("de", "fi")
    }


def test_the_draw_depends_on_the_seed_alone(served: Served) -> None:
    """The same log and seed: the same items in the same order."""
    served.add(60)
    assert drawn(served) == drawn(served)
    assert exchanges(drawn(served, seed="other")) != exchanges(drawn(served))


def test_where_there_is_a_shadow_both_answers_are_drawn_in_an_order_by_chance(served: Served) -> None:
    """A and B say nothing of whose they are."""
    served.add(40, shadowed=True)
    items = drawn(served, most=40)
    assert all({side.arm for side in one.sides} == {"incumbent", "shadow"} for one in items)
    first = [one.sides[0].arm for one in items]
    assert 8 <= first.count("shadow") <= 32
    assert items[0].side_of(0) == "1-01a"


@pytest.mark.parametrize(
    "given",
    [
        {"tags": ("eval",)},
        {"tags": ("probe",)},
        {"arm": "pinned"},
        {"status": 500},
        {"status": None},
        {"failure": "client gone"},
        {"response": BodyNote("digest", 3, "d")},
        {"response": BodyNote("cut", 3)},
        {"workflow": "other"},
        {"environment": "staging"},
    ],
    ids=["eval", "probe", "pinned", "error", "unended", "failed", "digest", "cut", "workflow", "staging"],
)
def test_what_is_no_output_of_this_workflow_is_not_drawn(served: Served, given: dict[str, Any]) -> None:
    """Nor what nobody could read."""
    served.add(5, **given)
    assert drawn(served) == ()
    served.add(1)
    assert len(drawn(served)) == 1


def test_a_shadow_that_failed_leaves_the_served_answer_alone(served: Served) -> None:
    """There is nothing to read beside it."""
    served.add(1, pair="x00001")
    served.put("s1", int(NOW * NS) + NS, "", arm="shadow", pair="x00001", failure="timeout", bundle=NEW.digest)
    (item,) = drawn(served)
    assert [side.arm for side in item.sides] == ["incumbent"]


def test_texts_are_read_from_the_log_when_somebody_looks(served: Served) -> None:
    """What is gone is gone, and is said to be."""
    served.add(1, shadowed=True)
    (item,) = drawn(served)
    texts = read_item(served.log, item)
    assert texts.asked == "Question x00001?"
    assert sorted(str(one) for one in texts.answers) == ["no", "yes"]
    gone = ReviewItem(item="1-01", sides=(ReviewSide(exchange="nope", bundle="b", arm="candidate"),))
    assert read_item(served.log, gone).answers == (None,)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}', "a"),
        (b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}]}', "a"),
        (b'{"input": "a"}', "a"),
        (b'{"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]}', "a"),
        (b'{"messages": [{"role": "user", "content": 7}, 3, null]}', None),
        (b'{"messages": 7}', None),
        (b"[1]", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
    ids=["chat", "parts", "text", "responses", "numbers", "no list", "array", "bytes", "empty"],
)
def test_the_last_words_of_any_dialect_and_of_anything_else(body: bytes, words: str | None) -> None:
    """Nothing that a client sent breaks the reading."""
    assert last_words(body) == words


def test_a_draw_is_due_a_day_after_the_first_user_and_then_weekly(served: Served, store: MemoryStore, upgrade: Upgrade) -> None:
    """Each from what was served since the one before."""
    served.add(40)

    def due(after_s: float) -> bool:
        return draw_if_due(store, served.log, upgrade, NOW + after_s, **WHO) is not None

    assert not due(FIRST_S - 1)
    assert due(FIRST_S)
    served.put("later", int((NOW + FIRST_S + 60) * NS), "yes")
    assert not due(FIRST_S + EVERY_S - 1)
    assert due(FIRST_S + EVERY_S)
    first, second = list_draws(store, upgrade)
    assert (len(first.items), first.n_outputs, exchanges(second.items)) == (30, 40, {"later"})


def test_nothing_served_is_no_draw(served: Served, store: MemoryStore, upgrade: Upgrade) -> None:
    """It comes once there is something to read."""
    assert draw_now(store, served.log, upgrade, NOW + FIRST_S, **WHO) is None
    assert review_seen(store, upgrade).sentence == "No outputs were drawn for reading yet."


def test_before_the_candidate_answers_anybody_none_is_due(served: Served, store: MemoryStore) -> None:
    """There is nothing of it to read."""
    waiting = an_upgrade(store, stage="eval", name="mail-2")
    served.add(40)
    assert draw_if_due(store, served.log, waiting, NOW + 100 * EVERY_S, **WHO) is None


def test_a_mark_is_a_fact_with_its_author_and_the_last_word_counts(
    served: Served, store: MemoryStore, upgrade: Upgrade
) -> None:
    """Both stay on record."""
    served.add(3)
    draw_now(store, served.log, upgrade, NOW + 100, **WHO)
    mark_side(store, upgrade, "1-01", "bad", **WHO)
    mark_side(store, upgrade, "1-01", "tone", note="curt", **WHO)
    mark_side(store, upgrade, "1-01", "good", author="bob", at=WHO["at"])
    marks = {author: mark.mark for (_, author), mark in list_marks(store, upgrade).items()}
    assert marks == {"ada": "tone", "bob": "good"}
    assert len(store.list_facts("mail", kind="review-mark")) == 3
    seen = review_seen(store, upgrade)
    assert (seen.n_sides, seen.n_read, seen.by_bundle) == (3, 1, {OLD.digest: {"tone": 1, "good": 1}})
    assert seen.sentence == "2 of 3 drawn outputs are unread: segue review mail"
    assert [one.item for one in unread(store, upgrade)] == ["1-02", "1-03"]


def test_a_pair_is_unread_until_both_answers_were_read(served: Served, store: MemoryStore, upgrade: Upgrade) -> None:
    """Each has a name of its own."""
    served.add(1, shadowed=True)
    draw_now(store, served.log, upgrade, NOW + 100, **WHO)
    mark_side(store, upgrade, "1-01a", "good", **WHO)
    assert len(unread(store, upgrade)) == 1
    mark_side(store, upgrade, "1-01b", "skip", **WHO)
    assert unread(store, upgrade) == []
    assert review_seen(store, upgrade).sentence == "All 2 drawn outputs were read."


def test_what_is_no_mark_and_what_is_no_item_is_refused(served: Served, store: MemoryStore, upgrade: Upgrade) -> None:
    """By name, and nothing is written."""
    served.add(1)
    draw_now(store, served.log, upgrade, NOW + 100, **WHO)
    with pytest.raises(InputError) as refused:
        mark_side(store, upgrade, "1-01", "great", note="x" * 5_000, **WHO)
    assert [one.path for one in refused.value.faults] == ["mark", "note"]
    with pytest.raises(NotFoundError, match="no item '1-1'"):
        mark_side(store, upgrade, "1-1", "good", **WHO)
    with pytest.raises(InputError):
        draw_now(store, served.log, upgrade, NOW, count=51, **WHO)
    assert not store.list_facts("mail", kind="review-mark")


def test_a_fact_that_was_changed_is_named(store: MemoryStore, upgrade: Upgrade) -> None:
    """By its number."""
    store.add_fact("review-draw", "mail", "mail-1", {"draw": 1}, **WHO)
    with pytest.raises(TamperError, match="review-draw"):
        list_draws(store, upgrade)
