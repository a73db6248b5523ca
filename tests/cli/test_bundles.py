"""A bundle never changes: an edited file makes a new one, and nobody has to find that out from a digest."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.conftest import Segue, edit

FOLDER = Path("workflows/support-reply")
SYSTEM = FOLDER / "prompts" / "reply.system.md"
COMPARE = ("compare", "support-reply", "--candidate", "candidate")
EVAL = ("eval", "support-reply", "--candidate", "candidate")


def labels(segue: Segue) -> dict[str, str]:
    """Label → digest, as `bundle list` gives them."""
    return {label: one["digest"] for one in segue("bundle", "list", "support-reply", "--json").json for label in one["labels"]}


def test_an_edited_prompt_makes_a_new_bundle_and_says_so(judged: Path, segue: Segue) -> None:
    """On standard error: what the label means now, what it meant, and what changed."""
    before = labels(segue)
    edit(SYSTEM, "Be brief", "Be kind, be brief")
    typed = segue(*EVAL)
    after = labels(segue)
    moved = re.search(
        r"^candidate is now (\w+) \(was (\w+)\): system instructions: 1 line added, 1 removed", typed.err, re.MULTILINE
    )
    assert moved is not None
    assert before["candidate"].startswith(moved[2])
    assert after["candidate"].startswith(moved[1])
    assert before["candidate"] != after["candidate"]


def test_the_old_bundle_stays_with_its_results(judged: Path, segue: Segue) -> None:
    """It can be named by its digest, shown, and compared."""
    before = labels(segue)
    edit(SYSTEM, "Be brief", "Be kind, be brief")
    assert segue(*EVAL).code == 11
    assert len(segue("bundle", "list", "support-reply", "--json").json) == 4
    assert "Be kind" not in segue("bundle", "show", "support-reply", before["candidate"][:8]).out
    old = segue("compare", "support-reply", "--incumbent", before["current"][:8], "--candidate", before["candidate"][:8])
    assert (old.code, "6 of 6 cases" in old.out) == (11, True)


def test_nothing_is_said_of_labels_that_do_not_move(judged: Path, segue: Segue) -> None:
    """The same files, another run."""
    assert "is now" not in segue(*EVAL).err


def test_an_edited_suite_is_named_as_what_changed(judged: Path, segue: Segue) -> None:
    """A bundle pins its suite; what was asked already is not asked again, and the new case counts as missing."""
    suite = FOLDER / "suites" / "main.jsonl"
    lines = suite.read_text(encoding="utf-8").splitlines()
    suite.write_text("\n".join([*lines, lines[0].replace("refund-en-1", "refund-en-9")]) + "\n", encoding="utf-8")
    typed = segue(*COMPARE, "--json")
    assert re.search(r"^current is now \w+ \(was \w+\): suite ", typed.err, re.MULTILINE)
    assert (typed.json["n_cases"], typed.json["coverage"]["common"]) == (7, 6)
    asked = segue(*EVAL)
    assert "incumbent: 1 call, " in asked.err
    assert "; 6 answers stored already" in asked.err


def test_verify_notices_edited_files_and_says_what_to_do(judged: Path, segue: Segue) -> None:
    """That is no fault: the exit code stays 0, and the commands it offers work."""
    assert segue("bundle", "verify", "support-reply").out == "2 stored bundles have the digest they were stored under.\n"
    edit(SYSTEM, "Be brief", "Be kind, be brief")
    typed = segue("bundle", "verify", "support-reply")
    assert typed.code == 0
    assert "candidate: its files have changed since" in typed.out
    offered = [line.split(": ", 1)[1].split() for line in typed.out.splitlines() if line.startswith("  ")]
    assert [words[1:3] for words in offered] == [["bundle", "diff"], ["bundle", "add"]] * 2
    assert all(segue(*words[1:]).code == 0 for words in offered)
    assert "have changed" not in segue("bundle", "verify", "support-reply").out


def test_verify_tells_a_script_the_same(judged: Path, segue: Segue) -> None:
    """Whole digests, by name."""
    edit(SYSTEM, "Be brief", "Be kind, be brief")
    answer = segue("bundle", "verify", "support-reply", "--json").json
    assert (answer["bundles"], answer["holds"], answer["faults"]) == (2, True, [])
    assert [one["label"] for one in answer["changed"]] == ["candidate", "current"]
    assert all(len(one["stored"]) == len(one["file"]) == 64 for one in answer["changed"])


def test_looking_at_a_bundle_stores_nothing_and_moves_no_label(judged: Path, segue: Segue) -> None:
    """`show` and `diff` see the file as it is now, and leave the log alone."""
    entries = len(segue("log", "--last", "1000", "--json").json)
    old = labels(segue)["candidate"][:10]
    edit(SYSTEM, "Be brief", "Be kind, be brief")
    assert "Be kind" in segue("bundle", "show", "support-reply", "candidate").out
    assert "+Be kind" in segue("bundle", "diff", "support-reply", old, "candidate").out
    assert len(segue("log", "--last", "1000", "--json").json) == entries
    assert labels(segue)["candidate"].startswith(old)


def test_diff_says_in_words_what_differs(workspace: Path, segue: Segue) -> None:
    """Without a diff of the prompt where the prompt is the same."""
    typed = segue("bundle", "diff", "support-reply", "current", "candidate")
    assert "  model snapshot steady-1 → eager-2\n" in typed.out
    assert "  reasoning effort not set → low\n" in typed.out
    assert "@@" not in typed.out
    same = segue("bundle", "diff", "support-reply", "current", "current")
    assert "The two bundles are identical." in same.out


def test_add_stores_once(workspace: Path, segue: Segue) -> None:
    """Adding again changes nothing."""
    first = segue("bundle", "add", "support-reply", "--json").json
    again = segue("bundle", "add", "support-reply", "--json").json
    assert [one["label"] for one in first] == ["candidate", "current"]
    assert first == again
    assert all(one["moved_from"] is None for one in again)


def test_list_says_which_files_are_not_stored(workspace: Path, segue: Segue) -> None:
    """With the command that stores them."""
    typed = segue("bundle", "list", "support-reply")
    assert (typed.code, typed.out) == (0, "")
    assert typed.err == "Not stored yet: candidate, current. Add with: segue bundle add support-reply\n"
    assert segue("bundle", "list", "support-reply", "--json").json == []


def test_a_label_of_your_own_points_where_you_say(judged: Path, segue: Segue) -> None:
    """And says where it pointed before."""
    assert re.fullmatch(r"prod → \w{10}\n", segue("bundle", "label", "support-reply", "prod", "candidate").out)
    moved = segue("bundle", "label", "support-reply", "prod", "current", "--json").json
    assert moved["moved_from"] == labels(segue)["candidate"]
    assert labels(segue)["prod"] == labels(segue)["current"]


def test_a_label_that_means_something_else_is_refused(judged: Path, segue: Segue) -> None:
    """A file's label would move back at the next look; the beginning of a digest is how a bundle is called."""
    file = segue("bundle", "label", "support-reply", "candidate", "current")
    assert (file.code, "means what that file says" in file.err) == (1, True)
    digest = labels(segue)["current"][:6]
    assert segue("bundle", "label", "support-reply", digest, "candidate").code == 1
    assert set(labels(segue)) == {"candidate", "current"}


def test_show_tells_everything_a_bundle_is_made_of(workspace: Path, segue: Segue) -> None:
    """For people, and in full for scripts."""
    typed = segue("bundle", "show", "support-reply", "candidate")
    for part in ("eager-2 at simulated", "reasoning_effort   low", "contract", "suite", "fallback", "You answer mail"):
        assert part in typed.out
    answer = segue("bundle", "show", "support-reply", "candidate", "--json").json
    assert answer["label"] == "candidate"
    assert answer["bundle"]["model"] == {"provider": "simulated", "snapshot": "eager-2"}
    assert set(answer["parts"]) >= {"model", "prompt", "parameters"}
