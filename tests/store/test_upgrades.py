"""Upgrades and facts in every store: logs that only grow, written by whoever saw their last entry."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from segue.errors import ConflictError, InputError, NotFoundError
from segue.model import Json
from segue.store import Store, open_store
from segue.store.sql import facts, schema, upgrades
from segue.store.upgrades import Fact, UpgradeRecord
from tests.store.builders import WHO


def opened(store: Store, upgrade: str = "refunds-1", workflow: str = "refunds", environment: str = "production") -> str:
    """An upgrade without entries."""
    store.open_upgrade(upgrade, workflow, environment, {"plan": "careful"}, **WHO)
    return upgrade


def add(store: Store, number: int, entry: Json, *, upgrade: str = "refunds-1", ends: bool = False, **given: Any) -> None:
    """An entry under no lease."""
    store.add_upgrade_entry(upgrade, number, entry, ends=ends, fence=None, **{**WHO, **given})


def note(store: Store, kind: str, subject: str, body: Json = None, *, workflow: str = "refunds") -> int:
    """A fact under no lease."""
    return store.add_fact(kind, workflow, subject, body, **WHO)


class TestUpgrades:
    def test_an_upgrade_comes_back_with_its_entries_in_order(self, store: Store) -> None:
        """Beyond nine of them, and as they were when they were written."""
        opened(store)
        said: list[dict[str, Json]] = [{"event": "passed", "share": 0.1 * number, "n": number} for number in range(1, 13)]
        for number, entry in enumerate(said, 1):
            given = dict(entry)
            add(store, number, given)
            given["event"] = "changed by whoever gave it"
        expected = UpgradeRecord("refunds-1", "refunds", "production", {"plan": "careful"}, tuple(said), **WHO)
        assert store.get_upgrade("refunds-1") == expected
        assert store.list_upgrades() == [expected]
        assert store.verify_log().holds

    def test_one_is_open_in_a_workflow_and_environment(self, store: Store) -> None:
        """The error names it; elsewhere, and once it has ended, another may begin."""
        opened(store)
        add(store, 1, {"event": "passed"})
        with pytest.raises(ConflictError, match="refunds-1"):
            opened(store, "refunds-2")
        opened(store, "refunds-3", environment="staging")
        opened(store, "chat-1", "chat")
        add(store, 2, {"event": "abort"}, ends=True)
        opened(store, "refunds-2")
        assert store.verify_log().n_entries == 6

    @pytest.mark.parametrize("ends", [False, True], ids=["open", "ended"])
    def test_a_name_is_given_once(self, store: Store, ends: bool) -> None:
        """Whether that upgrade has ended or not, and in whatever workflow."""
        opened(store)
        if ends:
            add(store, 1, {}, ends=True)
        for workflow in ("refunds", "chat"):
            with pytest.raises(ConflictError, match="refunds-1"):
                opened(store, workflow=workflow)
        assert len(store.list_upgrades()) == 1

    @pytest.mark.parametrize("number", [-1, 0, 2, 4])
    def test_an_entry_follows_the_last_one(self, store: Store, number: int) -> None:
        """Another is refused, naming what is there, and leaves nothing behind."""
        opened(store)
        with pytest.raises(ConflictError, match="no entry yet"):
            add(store, number, {})
        for one in (1, 2):
            add(store, one, {"n": one})
        before = store.verify_log().n_entries
        with pytest.raises(ConflictError, match="entry 2 is its last"):
            add(store, number, {"n": "other"})
        assert store.get_upgrade("refunds-1").entries == ({"n": 1}, {"n": 2})
        assert store.verify_log().n_entries == before

    def test_the_same_entry_once_more_changes_nothing(self, store: Store) -> None:
        """Whoever did not hear that it was written tries again: whatever the order of its keys, and after the end too."""
        opened(store)
        add(store, 1, {"a": 1, "b": [1.0]})
        add(store, 2, {"n": 2}, ends=True)
        head = store.verify_log().head
        add(store, 1, {"b": [1], "a": 1}, author="bob", at="later")
        add(store, 2, {"n": 2}, ends=True)
        assert store.verify_log().head == head
        assert store.get_upgrade("refunds-1").entries == ({"a": 1, "b": [1.0]}, {"n": 2})

    def test_of_one_number_nothing_else_is_written(self, store: Store) -> None:
        """Neither other content nor another end."""
        opened(store)
        add(store, 1, {"n": 1})
        for entry, ends in (({"n": 2}, False), ({"n": 1}, True)):
            with pytest.raises(ConflictError, match="Entry 1 of upgrade refunds-1 was written meanwhile"):
                add(store, 1, entry, ends=ends)

    def test_nothing_follows_the_end(self, store: Store) -> None:
        """Not even the right number."""
        opened(store)
        add(store, 1, {}, ends=True)
        with pytest.raises(ConflictError, match="ended with entry 1"):
            add(store, 2, {})
        assert store.list_upgrades(only_open=True) == []

    def test_an_upgrade_is_found_by_what_its_name_alone_begins_with(self, store: Store) -> None:
        """A whole name is never ambiguous; nothing is no beginning."""
        for number in (1, 10, 11, 2):
            opened(store, f"refunds-{number}", environment=f"e{number}")
        for ref, name in (("refunds-2", "refunds-2"), ("refunds-1", "refunds-1"), ("refunds-10", "refunds-10")):
            assert store.get_upgrade(ref).upgrade == name
        opened(store, "chat-1", "chat")
        assert store.get_upgrade("ch").upgrade == "chat-1"
        with pytest.raises(ConflictError, match="begins 4 upgrades: refunds-1, refunds-10, refunds-11, refunds-2"):
            store.get_upgrade("refunds")
        with pytest.raises(NotFoundError, match="Did you mean 'chat-1'"):
            store.get_upgrade("chart-1")
        with pytest.raises(NotFoundError):
            store.get_upgrade("")
        with pytest.raises(NotFoundError, match="Did you mean 'chat-1'"):
            add(store, 1, {}, upgrade="chat-2")

    def test_upgrades_are_listed_newest_first(self, store: Store) -> None:
        """By workflow and environment, or those alone that have not ended."""
        opened(store, "z")
        add(store, 1, {"event": "abort"}, upgrade="z", ends=True)
        opened(store, "a")
        add(store, 1, {"event": "passed"}, upgrade="a")
        opened(store, "m", environment="staging")
        opened(store, "k", "chat")

        def names(*asked: str | None, only_open: bool = False) -> list[str]:
            return [one.upgrade for one in store.list_upgrades(*asked, only_open=only_open)]

        assert names() == ["k", "m", "a", "z"]
        assert names("refunds") == ["m", "a", "z"]
        assert names("refunds", "production") == ["a", "z"]
        assert [one.upgrade for one in store.list_upgrades("refunds", most=2)] == ["m", "a"]
        assert [one.entries for one in store.list_upgrades("refunds", "production", most=1)] == [({"event": "passed"},)]
        assert store.list_upgrades(most=0) == []
        assert names(None, "production", only_open=True) == ["k", "a"]
        assert names("nothing") == []
        assert store.ended_upgrades("production") == ["z"]
        assert store.ended_upgrades("staging") == []
        assert [one.entries for one in store.list_upgrades("refunds", "production")] == [
            ({"event": "passed"},),
            ({"event": "abort"},),
        ]

    def test_the_log_tells_people_what_happened(self, store: Store) -> None:
        """Subject and event are readable; `end` shows where an upgrade ended."""
        opened(store)
        add(store, 1, {"event": "passed", "state": {}})
        add(store, 2, ["whatever", "it", "is"], ends=True)
        note(store, "incident", "refunds-1", {"text": "secret"})
        told = [(one.kind, one.subject, one.body) for one in store.iter_log()]
        for _, _, body in told:
            assert len(body.pop("record")) == 64
        assert told == [
            ("upgrade-opened", "refunds-1", {"workflow": "refunds", "environment": "production"}),
            ("upgrade-entry", "refunds-1@1", {"event": "passed", "ends": False}),
            ("upgrade-entry", "refunds-1@2", {"ends": True}),
            ("fact-noted", "refunds-1/incident@1", {"workflow": "refunds"}),
        ]

    def test_the_kinds_of_its_log_entries_are_the_stores_own(self, store: Store) -> None:
        """Nobody else vouches for an upgrade."""
        for kind in ("upgrade-opened", "upgrade-entry", "fact-noted"):
            with pytest.raises(ConflictError):
                store.append_log(kind, "refunds-1", {}, **WHO)

    @pytest.mark.parametrize(
        "body",
        [{"n": float("nan")}, {"n": 2**60}, {"text": "\ud800"}, {"when": object()}],
        ids=["nan", "large", "surrogate", "object"],
    )
    def test_what_nothing_could_vouch_for_is_refused(self, store: Store, body: Json) -> None:
        """And leaves nothing behind."""
        opened(store)
        for write in (
            lambda: store.open_upgrade("chat-1", "chat", "production", body, **WHO),
            lambda: add(store, 1, body),
            lambda: note(store, "drill", "refunds-1", body),
        ):
            with pytest.raises(InputError):
                write()
        assert store.verify_log().n_entries == 1
        assert (store.get_upgrade("refunds-1").entries, store.list_facts()) == ((), [])

    @pytest.mark.parametrize(
        "named",
        [{"upgrade": "a\0b"}, {"upgrade": ""}, {"workflow": "\ud800"}, {"environment": "\0"}],
        ids=["nul", "empty", "surrogate", "environment"],
    )
    def test_a_name_that_cannot_be_kept_is_refused(self, store: Store, named: dict[str, str]) -> None:
        """As in every other record."""
        with pytest.raises(InputError):
            opened(store, **named)
        assert store.list_upgrades() == []


class TestFacts:
    def test_facts_are_numbered_as_they_come(self, store: Store) -> None:
        """Over all workflows; what was given can be changed afterwards without changing them."""
        body = {"text": "é 🙂", "cells": [1.5]}
        assert [note(store, "incident", "i-1", body), note(store, "drill", "d-1", workflow="chat")] == [1, 2]
        body["text"] = "changed"
        assert store.list_facts() == [
            Fact(1, "incident", "refunds", "i-1", {"text": "é 🙂", "cells": [1.5]}, **WHO),
            Fact(2, "drill", "chat", "d-1", None, **WHO),
        ]
        assert store.verify_log().holds

    def test_the_same_fact_twice_is_two_facts(self, store: Store) -> None:
        """Two reviewers may say the same."""
        assert [note(store, "review-mark", "r"), note(store, "review-mark", "r")] == [1, 2]

    def test_facts_are_found_by_workflow_kind_subject_and_number(self, store: Store) -> None:
        """Oldest first, each filter alone and together; the newest of a kind on a subject at once."""
        for number in range(12):
            note(
                store,
                ("drill", "probe")[number % 2],
                f"s{number % 3}",
                {"n": number + 1},
                workflow=("refunds", "chat")[number % 4 == 3],
            )

        def numbers(workflow: str | None = None, **asked: Any) -> list[int]:
            return [one.number for one in store.list_facts(workflow, **asked)]

        assert numbers() == list(range(1, 13))
        assert numbers("chat") == [4, 8, 12]
        assert numbers(kind="probe") == [2, 4, 6, 8, 10, 12]
        assert numbers(subject="s0") == [1, 4, 7, 10]
        assert numbers("refunds", kind="probe", subject="s0") == [10]
        assert numbers("refunds", kind="probe", after=2) == [6, 10]
        assert numbers(subject="s0", after=4) == [7, 10]
        assert numbers(after=12) == numbers(kind="nothing") == []
        assert numbers(after=-1) == list(range(1, 13))
        newest = store.newest_fact("drill", "s0")
        assert newest is not None
        assert (newest.number, newest.body) == (7, {"n": 7})
        assert store.newest_fact("drill", "nothing") is store.newest_fact("nothing", "s0") is None

    def test_a_kind_or_subject_that_cannot_be_kept_is_refused(self, store: Store) -> None:
        """And takes no number."""
        for kind, subject in (("", "s"), ("a\0b", "s"), ("drill", "\ud800")):
            with pytest.raises(InputError):
                note(store, kind, subject)
        assert note(store, "drill", "s") == 1


class TestReadingLittle:
    def test_the_open_ones_are_found_without_reading_what_has_ended(self, sqlite_path: Path) -> None:
        """A year of upgrades costs a controller nothing at each look: of those that ended, no entry is even read."""
        store = open_store(sqlite_path)
        for number in range(5):
            opened(store, f"old-{number}")
            add(store, 1, {"event": "abort"}, upgrade=f"old-{number}", ends=True)
        opened(store, "new")
        with closing(sqlite3.connect(sqlite_path)) as raw:
            raw.execute("DROP TRIGGER upgrade_entries_no_update")
            raw.execute("UPDATE upgrade_entries SET body = 'not to be read'")
            raw.commit()
            query = sa.select(schema.upgrades.c.upgrade).where(upgrades._is_open())
            plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert [one.upgrade for one in store.list_upgrades(only_open=True)] == ["new"]
        assert any("INDEX upgrade_ends (upgrade=?)" in step for step in plan), plan
        store.close()

    @pytest.mark.parametrize(
        "query",
        [
            facts._NEWEST,
            facts._LIST.format("subject = ? AND kind = ?"),
            facts._LIST.format("workflow = ? AND kind = ?"),
            upgrades._LAST,
            upgrades._ONE,
        ],
        ids=["newest", "by-subject", "by-kind", "last-entry", "one-entry"],
    )
    def test_what_is_asked_at_every_look_walks_an_index(self, empty_sqlite: Path, query: str) -> None:
        """However many facts there are: neither a scan nor a sort."""
        with closing(sqlite3.connect(empty_sqlite)) as raw:
            asked = (1,) * query.count("?")
            plan = " / ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {query}", asked))
        assert "SEARCH" in plan, plan
        assert "SCAN" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan
