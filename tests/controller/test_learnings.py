"""What an upgrade taught: written down by name, shown with its history, and asked for after its end."""

from __future__ import annotations

from typing import get_args

import pytest

from segue.cli.upgrade_commands import ABOUT
from segue.controller.learnings import LONGEST, About, list_learnings, record_learning
from segue.controller.reading import read_named
from segue.controller.views import history_view, status_view
from segue.errors import InputError
from segue.store.memory import MemoryStore
from segue.upgrade.log import Upgrade
from tests.controller.undertaken import NOW, an_upgrade, rolled_back

AT = "2027-01-15T08:00:00Z"


def ended(store: MemoryStore) -> Upgrade:
    """One whose users were taken back."""
    upgrade = an_upgrade(store)
    rolled_back(store, upgrade)
    return read_named(store, upgrade.opening.upgrade)


def asks(store: MemoryStore, upgrade: Upgrade) -> list[str]:
    """The commands among what comes next that write down a learning."""
    return [one.command for one in status_view(store, upgrade, NOW + 120).next if "upgrade learn" in one.command]


def test_what_it_taught_is_asked_for_after_the_end_until_somebody_has_said() -> None:
    """Not while it is under way, and not again."""
    store = MemoryStore()
    assert asks(store, an_upgrade(store)) == []
    store = MemoryStore()
    upgrade = ended(store)
    assert asks(store, upgrade) == ["segue upgrade learn mail-1 --about cases '…'"]
    record_learning(store, upgrade, " Refunds after 90 days were in no case. ", "cases", author="ada", at=AT)
    assert asks(store, upgrade) == []


def test_history_shows_it_with_its_author() -> None:
    """In the order in which it was said."""
    store = MemoryStore()
    upgrade = ended(store)
    record_learning(store, upgrade, "It shortens replies.", "drift", author="ada", at=AT)
    record_learning(store, upgrade, "Say the format twice.", "prompt", author="bo", at=AT)
    found = history_view(store, upgrade).learnings
    assert [(one.by, one.about, one.text) for one in found] == [
        ("ada", "drift", "It shortens replies."),
        ("bo", "prompt", "Say the format twice."),
    ]
    assert len(list_learnings(store, upgrade)) == 2


@pytest.mark.parametrize(
    ("text", "about", "path"),
    [("  ", "drift", "text"), ("x" * (LONGEST + 1), "drift", "text"), ("well", "weather", "about")],
    ids=["no words", "too many", "about nothing"],
)
def test_a_learning_that_teaches_nothing_is_refused(text: str, about: str, path: str) -> None:
    """With the place, and nothing is kept."""
    store = MemoryStore()
    upgrade = ended(store)
    with pytest.raises(InputError) as caught:
        record_learning(store, upgrade, text, about, author="ada", at=AT)
    assert [one.path for one in caught.value.faults] == [path]
    assert list_learnings(store, upgrade) == ()


def test_the_command_knows_what_a_learning_may_be_about() -> None:
    """It is shown without the module being loaded."""
    assert get_args(About) == ABOUT
