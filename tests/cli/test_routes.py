"""Routes by command and by a file in git."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Segue

SET = ("route", "set", "support-reply", "current", "--candidate", "candidate", "--share", "1%")
FILE = Path("routes.yaml")


def edit(old: str, new: str) -> None:
    """Change the file."""
    text = FILE.read_text()
    assert old in text
    FILE.write_text(text.replace(old, new))


@pytest.fixture
def written(workspace: Path, segue: Segue) -> Path:
    """A workspace whose route is in force as the file says, and was put there from it."""
    assert segue(*SET, "--segment", "internal:100%:staff=yes").code == 0
    FILE.write_text(segue("route", "show", "--yaml").out)
    edit("share: 1%", "share: 2%")
    assert segue("route", "apply", "--over").code == 0
    return workspace


def test_what_is_in_force_can_be_written_down_and_says_the_same(workspace: Path, segue: Segue) -> None:
    """With labels and per cent; put in force, nothing changes and no revision is made."""
    everything = ("--segment", "internal:100%:staff=yes", "--shadow", "50%", "--conversations", "drain", "--salt", "s")
    assert segue(*SET, *everything, "--fallback", "current").code == 0
    text = segue("route", "show", "--yaml").out
    assert "candidate: candidate" in text
    assert "share: 1%" in text
    FILE.write_text(text)
    applied = segue("route", "apply", "--json")
    assert applied.json == [{"workflow": "support-reply", "changed": False, "revision": 1}]
    assert len(segue("route", "history", "support-reply", "--json").json) == 1


def test_one_line_in_the_file_is_a_flip(written: Path, segue: Segue) -> None:
    """With a difference, an author and a reason; again, it is none."""
    edit("share: 2%", "share: 7.5%")
    applied = segue("route", "apply", "--author", "bob", "--reason", "commit 1f", "--json").json
    assert [(one["changed"], one["diff"], one["revision"], one["author"]) for one in applied] == [
        (True, ["share: 2 % → 7.5 %"], 3, "bob")
    ]
    assert applied[0]["reason"] == "routes.yaml: commit 1f"
    assert applied[0]["route"]["share"] == 0.075
    assert applied[0]["route"]["segments"][0]["where"] == {"staff": ["yes"]}
    assert "revision 3 says the same" in segue("route", "apply").out


def test_a_rollback_is_not_undone_by_a_file_that_was_written_before_it(written: Path, segue: Segue) -> None:
    """Until the file says the same, or somebody says --over."""
    assert segue("route", "flip", "support-reply", "--back").code == 0
    refused = segue("route", "apply")
    assert refused.code == 1
    assert "Revision 3 was made by ada with another command (rolled back)" in refused.err
    assert "--over" in refused.err
    assert len(segue("route", "history", "support-reply", "--json").json) == 3
    assert segue("route", "apply", "--over").code == 0
    assert "share: 0 % → 2 %" not in segue("route", "apply").out


def test_a_first_route_may_come_from_a_file(workspace: Path, segue: Segue) -> None:
    """Of an environment that the file names; a workflow that is not in it stays as it is."""
    assert segue(*SET).code == 0
    Path("staging.yaml").write_text("version: 1\nenvironment: staging\nroutes: {support-reply: {incumbent: candidate}}\n")
    assert segue("route", "apply", "staging.yaml").code == 0
    assert [one["route"]["environment"] for one in segue("route", "show", "--json").json] == ["production", "staging"]
    FILE.write_text("version: 1\nroutes: {}\n")
    assert segue("route", "apply", "--json").json == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "The file is empty"),
        ("version: 1\nroutes: {nosuch: {incumbent: current}}\n", "There is no workflow 'nosuch'"),
        ("version: 1\nroutes: {support-reply: {incumbent: nosuch}}\n", "nosuch"),
        ("version: 1\nroutes: {support-reply: {incumbent: current, shares: 1%}}\n", "shares"),
        ("version: 1\nroutes: {support-reply: {incumbent: current, candidate: candidate, share: 500%}}\n", "share"),
        ("version: 1\nroutes: {support-reply: {incumbent: current, candidate: candidate, share: much}}\n", "share"),
        ("version: 1\nroutes: {support-reply: {incumbent: current, share: 1%}}\n", "needs a candidate"),
        ("version: 2\nroutes: {}\n", "version"),
        ("version: 1\nroutes: {support-reply: {incumbent: current}\n", "routes.yaml"),
        ("version: 1\nroutes: {support-reply: {incumbent: current, incumbent: candidate}}\n", "incumbent"),
    ],
    ids=["empty", "workflow", "bundle", "field", "too-much", "no-number", "no-candidate", "version", "cut", "twice"],
)
def test_a_file_that_cannot_be_meant_changes_nothing(workspace: Path, segue: Segue, text: str, told: str) -> None:
    """It is refused whole, with the place."""
    FILE.write_text(text)
    refused = segue("route", "apply")
    assert refused.code == 1
    assert told in refused.err
    assert segue("route", "show", "--json").json == []


def test_a_file_that_is_not_there_is_said_so(workspace: Path, segue: Segue) -> None:
    """With its name."""
    refused = segue("route", "apply")
    assert refused.code == 1
    assert "routes.yaml" in refused.err


def test_all_faults_are_told_before_anything_is_flipped(written: Path, segue: Segue) -> None:
    """A file with one good and one bad route flips neither."""
    edit("share: 2%", "share: 9%")
    with FILE.open("a") as file:
        file.write("  nosuch: {incumbent: current}\n")
    assert segue("route", "apply").code == 1
    assert segue("route", "show", "support-reply", "--json").json[0]["route"]["share"] == 0.02


def test_a_set_keeps_what_conversations_may_end_on(workspace: Path, segue: Segue) -> None:
    """Where they drain; a set that says switch ends that."""
    assert segue("route", "set", "support-reply", "current").code == 0
    kept = segue("route", "set", "support-reply", "candidate", "--conversations", "drain", "--json").json
    assert len(kept["route"]["draining"]) == 1
    again = segue("route", "set", "support-reply", "candidate", "--conversations", "drain", "--salt", "s", "--json").json
    assert again["route"]["draining"] == kept["route"]["draining"]
    assert segue("route", "set", "support-reply", "candidate", "--json").json["route"]["draining"] == []


def test_a_rollback_says_whose_conversations_stay_and_how_to_take_them_back(workspace: Path, segue: Segue) -> None:
    """The route says that they drain; one flip later nobody is left on the candidate."""
    words = ("--candidate", "candidate", "--share", "100%", "--conversations", "drain")
    candidate = segue("route", "set", "support-reply", "current", *words, "--json").json["route"]["candidate"]
    told = segue("rollback", "support-reply").out
    assert f"is in force for everyone, but for conversations begun on {candidate[:10]} (the route says drain)." in told
    assert f"drain; those begun on candidate ({candidate[:10]}) go on with it" in segue("route", "show", "support-reply").out
    remedy = told.split("To take those back, too: segue ")[1].splitlines()[0]
    assert segue(*remedy.split()).code == 0
    (shown,) = segue("route", "show", "support-reply", "--json").json
    assert (shown["route"]["conversations"], shown["route"]["draining"]) == ("switch", [])
    assert "but for" not in segue("rollback", "support-reply").out
