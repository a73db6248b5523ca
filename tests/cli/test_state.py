"""The state store as it may be found: absent, damaged, locked, tampered with. Each answer names the place and the remedy."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from segue.cli import lock_watch
from tests.cli.conftest import Segue, edit

STATE = Path(".segue/state.db")
EVAL = ("eval", "support-reply", "--candidate", "candidate")
READING = [("log",), ("log", "verify"), ("bundle", "list", "support-reply"), ("show", "verdicts", "support-reply"), EVAL]


@contextmanager
def by_hand(*, triggers: bool = True) -> Iterator[sqlite3.Connection]:
    """The database, opened by something other than Segue; `triggers=False` drops its guards first."""
    with closing(sqlite3.connect(STATE, isolation_level=None)) as database:
        if not triggers:
            for (name,) in list(database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
                database.execute(f"DROP TRIGGER {name}")
        yield database


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_file_that_is_no_database_is_named(judged: Path, segue: Segue, words: tuple[str, ...]) -> None:
    """With a command that moves it away."""
    STATE.write_bytes(b"not a database at all, but long enough to be taken for one" * 100)
    typed = segue(*words)
    assert typed.code == 1
    assert f"{judged / STATE} is a file, but not a database" in typed.err
    assert "mv '" in typed.err


@pytest.mark.parametrize("words", [("log",), ("log", "verify"), EVAL], ids=" ".join)
def test_a_damaged_database_is_said_to_be_damaged(judged: Path, segue: Segue, words: tuple[str, ...]) -> None:
    """Cut off in the middle."""
    STATE.write_bytes(STATE.read_bytes()[:50_000])
    typed = segue(*words)
    assert (typed.code, "is damaged" in typed.err, "Restore it from a backup" in typed.err) == (1, True, True)


def test_a_locked_database_says_how_long_it_was_waited_for(judged: Path, segue: Segue) -> None:
    """And which command names the process that holds it."""
    edit(Path("segue.yaml"), "state: .segue/state.db", "state: sqlite:///.segue/state.db?timeout=0.05")
    with by_hand() as database:
        database.execute("BEGIN IMMEDIATE")
        typed = segue(*EVAL)
    assert (typed.code, "is locked by another process" in typed.err, "fuser" in typed.err) == (1, True, True)
    assert segue(*EVAL).code == 11


def test_a_wait_for_a_locked_database_is_said(judged: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and not by commands that need not wait."""
    monkeypatch.setattr(lock_watch, "PATIENCE_S", 0.05)
    monkeypatch.setattr(lock_watch, "AGAIN_S", 0.01)
    edit(Path("segue.yaml"), "state: .segue/state.db", "state: sqlite:///.segue/state.db?timeout=1")
    with by_hand() as database:
        database.execute("BEGIN IMMEDIATE")
        typed = segue(*EVAL)
    assert typed.code == 1
    assert typed.err.count("Waiting: another process is writing to the state store") == 1
    assert "Waiting" not in segue(*EVAL).err


@pytest.mark.parametrize("state", ["memory:", "postgresql://nobody@nowhere/nothing", "/nowhere/state.db"])
def test_only_a_file_is_watched(state: str) -> None:
    """Other stores have no lock to ask for."""
    said: list[str] = []
    before = threading.active_count()
    with lock_watch.told_of_a_lock(state, said.append):
        assert threading.active_count() == before
    assert said == []


@pytest.mark.parametrize("place", [".segue", ".segue/state.db"])
def test_something_else_in_its_place_is_named(workspace: Path, segue: Segue, place: str) -> None:
    """A file where its folder should be, a folder where it should be."""
    if place == ".segue":
        Path(place).write_text("", encoding="utf-8")
    else:
        Path(place).mkdir(parents=True)
    typed = segue("log")
    assert typed.code == 1
    assert str(workspace / place) in typed.err


def test_a_server_out_of_reach_is_named_without_its_password(
    workspace: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host and database, and what to look at."""
    edit(Path("segue.yaml"), "state: .segue/state.db", 'state: "${SEGUE_STATE}"')
    monkeypatch.setenv("SEGUE_STATE", "postgresql://ada:s3cret@127.0.0.1:1/segue")
    typed = segue("log")
    assert (typed.code, "127.0.0.1:1" in typed.err, "s3cret" in typed.err) == (1, True, False)
    checked = segue("check")
    assert (checked.code, "127.0.0.1:1" in checked.out, "s3cret" in checked.out) == (0, True, False)


def test_an_unset_reference_says_which(workspace: Path, segue: Segue) -> None:
    """With the line of `segue.yaml` it stands in."""
    edit(Path("segue.yaml"), "state: .segue/state.db", 'state: "${SEGUE_STATE}"')
    typed = segue("log")
    assert typed.code == 1
    assert "segue.yaml:6 state" in typed.err
    assert "export SEGUE_STATE=" in typed.err


def test_check_says_that_the_store_cannot_be_asked(judged: Path, segue: Segue) -> None:
    """A warning: the files may be in order all the same."""
    STATE.write_bytes(b"garbage" * 1000)
    typed = segue("check", "--json")
    assert typed.code == 0
    assert any("not a database" in fault["what"] and fault["severity"] == "warning" for fault in typed.json["faults"])


def test_a_path_with_spaces_and_letters_of_any_kind_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue
) -> None:
    """Of the workspace, of the store, of a report."""
    folder = tmp_path / "Größe & Maß" / "日本語 [x]"
    made = segue("init", str(folder))
    assert made.code == 0
    monkeypatch.chdir(folder)
    edit(Path("segue.yaml"), "state: .segue/state.db", 'state: "der Zustand/state.db"')
    typed = segue(*EVAL, "--html", "ein Bericht/übersicht.html")
    assert typed.code == 11
    assert Path("ein Bericht/übersicht.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert Path("der Zustand/state.db").exists()


def test_the_log_says_who_did_what(judged: Path, segue: Segue) -> None:
    """Digests as short as people type them; with `--json` in full."""
    typed = segue("log")
    assert [line.split()[3] for line in typed.out.splitlines()[1:4]] == ["suite-added", "bundle-added", "label-moved"]
    assert all(line.split()[2] == "ada" for line in typed.out.splitlines()[1:])
    assert all(len(entry["hash"]) == 64 for entry in segue("log", "--json").json)
    assert len(segue("log", "--last", "2", "--json").json) == 2


def test_the_log_of_nothing_is_empty(workspace: Path, segue: Segue) -> None:
    """Said on standard error, and an empty list for scripts."""
    typed = segue("log")
    assert (typed.code, typed.out, typed.err) == (0, "", "The log is empty: nothing has been stored yet.\n")
    assert segue("log", "--json").json == []


def test_the_database_itself_refuses_to_change_what_is_logged(judged: Path) -> None:
    """Before Segue has to notice."""
    with by_hand() as database, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute("UPDATE log SET author = 'mallory'")


def test_an_entry_that_was_changed_by_hand_is_found(judged: Path, segue: Segue) -> None:
    """By its number; what to do about it is said once."""
    assert segue("log", "verify").code == 0
    with by_hand(triggers=False) as database:
        database.execute("UPDATE log SET author = 'mallory' WHERE seq = 3")
    typed = segue("log", "verify")
    assert (typed.code, typed.out) == (1, "")
    assert "tampered Entry 3: " in typed.err
    assert typed.err.count("Restore it from a backup") == 1
    answer = segue("log", "verify", "--json")
    assert (answer.code, answer.json["holds"], len(answer.json["faults"])) == (1, False, 1)


def test_records_that_are_gone_are_found(judged: Path, segue: Segue) -> None:
    """A verdict that someone would rather not have; both kinds of verify notice."""
    with by_hand(triggers=False) as database:
        database.execute("DELETE FROM verdicts")
    for words in (("log", "verify"), ("bundle", "verify", "support-reply")):
        typed = segue(*words)
        assert typed.code == 1
        assert "the verdict " in typed.err
        assert "is gone from the store" in typed.err


def test_a_bundle_that_was_changed_by_hand_is_not_used(judged: Path, segue: Segue) -> None:
    """It no longer is what its digest says."""
    with by_hand(triggers=False) as database:
        database.execute("UPDATE bundles SET body = replace(body, 'eager-2', 'eager-3')")
    assert segue("log", "verify").code == 1
    typed = segue("show", "flips", "support-reply", "--json")
    assert (typed.code, typed.json["error"]["code"]) == (1, "tampered")


def test_an_intact_log_gives_its_head(judged: Path, segue: Segue) -> None:
    """To be noted elsewhere: cutting off the end leaves a chain that holds."""
    answer = segue("log", "verify", "--json").json
    assert (answer["holds"], answer["faults"]) == (True, [])
    assert answer["head"] in segue("log", "verify").out
    assert answer["entries"] == len(segue("log", "--last", "1000", "--json").json)
