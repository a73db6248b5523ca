"""`segue upgrade`, `status`, `history`, `why`: opened, seen and acted on without a controller."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.cells import cell_len

from segue.cli.controller_api import Keys, WorkspaceOpenings
from segue.cli.desk import open_state
from segue.cli.upgrade_commands import WAYS
from segue.controller.api_bodies import OpenBody
from segue.controller.grounds_workspace import CurrentWorkspace
from segue.errors import InputError
from segue.gateway.keys import hash_key
from segue.workspace.plan_ways import Kind
from tests.cli.conftest import Segue, exit_code, own_copy

PLANS = Path("workflows/support-reply/plans")
PLAN = """\
preset: 1-5-25-100
gates:
  - metric: in_form
    baseline: 85%
slices: {topic=refund: 20%, topic=delivery: 50%, topic=account: 30%, lang=en: 70%, lang=de: 30%}
"""
OPEN = ("upgrade", "support-reply", "--candidate", "candidate")
DESPITE = ("no-suite", "effort-ungated")
ANSWERED = (*(word for way in DESPITE for word in ("--despite", way)), "--reason", "a trial")


@pytest.fixture(scope="session")
def planned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a plan, and a route in force. To be copied, not used."""
    folder = tmp_path_factory.mktemp("planned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGUE_AUTHOR", "ada")
        patch.chdir(folder)
        assert exit_code(("init",)) == 0
        PLANS.mkdir(exist_ok=True)
        (PLANS / "careful.yaml").write_text(PLAN)
        assert exit_code(("route", "set", "support-reply", "current")) == 0
    return folder


@pytest.fixture(scope="session")
def opened_once(planned_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an upgrade under way, what the plan check refuses answered for. To be copied, not used."""
    folder = tmp_path_factory.mktemp("opened")
    shutil.copytree(planned_once, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGUE_AUTHOR", "ada")
        patch.chdir(folder)
        assert exit_code((*OPEN, *ANSWERED)) == 0
    return folder


@pytest.fixture
def planned(planned_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One's own copy, as the working folder."""
    return own_copy(planned_once, tmp_path, monkeypatch)


@pytest.fixture
def opened(opened_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue) -> str:
    """One's own copy, as the working folder; the upgrade's name."""
    shutil.copytree(opened_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return str(segue("upgrade", "list", "--json").json[0]["upgrade"])


def test_the_plan_check_refuses_and_names_how_to_answer_for_it(planned: Path, segue: Segue) -> None:
    """Every way it sees, with why and what to do; nothing is opened."""
    refused = segue(*OPEN)
    assert refused.code == 1
    for told in ("--despite no-suite --despite effort-ungated --reason", "no suite: The task 'reply' has 6 cases"):
        assert told in refused.err
    assert segue("upgrade", "list", "--json").json == []
    assert "needs a reason" in segue(*OPEN, *ANSWERED[:-2]).err


def test_an_upgrade_is_opened_with_one_command_and_says_what_happens_next(planned: Path, segue: Segue) -> None:
    """Who drives it, that nobody does yet, and how to start somebody."""
    done = segue(*OPEN, *ANSWERED)
    assert done.code == 0
    for told in ("current → candidate, by plan careful", "The controller looks", "Start one: segue controller", "segue status"):
        assert told in done.out
    body = segue("status", "support-reply", "--json").json
    assert (body["stage"], body["opened_by"], body["reason"]) == ("decide", "ada", "a trial")
    assert body["despite"] == list(DESPITE)
    assert (body["candidate"]["label"], body["plan"]) == ("candidate", "careful")
    assert body["controller"] == {"holder": "", "seconds_left": None}


def test_an_edited_plan_changes_no_upgrade_under_way(opened: str, segue: Segue) -> None:
    """It was kept whole, with what it left out filled in."""
    (PLANS / "careful.yaml").write_text("nothing: sensible\n")
    evidence = segue("why", "support-reply", "0", "--json").json["evidence"]
    assert evidence["plan"]["preset"] == "1-5-25-100"
    assert evidence["plan"]["gates"][0]["metric"] == "in_form"


def test_a_second_upgrade_is_told_of_the_first(opened: str, segue: Segue) -> None:
    """By its name."""
    refused = segue(*OPEN, *ANSWERED)
    assert refused.code == 1
    assert opened in refused.err


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda: (PLANS / "careful.yaml").unlink(), "has no plan to upgrade by"),
        (lambda: (PLANS / "quick.yaml").write_text(PLAN), "has 2 plans: careful, quick"),
        (lambda: (PLANS / "careful.yaml").write_text("preset: 1-5\n"), "careful.yaml"),
        (lambda: (PLANS / "careful.yaml").write_text(PLAN.partition("slices")[0]), "topic=refund"),
    ],
    ids=["none", "two", "faulty", "gap"],
)
def test_a_plan_that_cannot_be_used_is_told_with_its_remedy(
    planned: Path, segue: Segue, spoil: Callable[[], object], told: str
) -> None:
    """Before anything is opened."""
    spoil()
    refused = segue(*OPEN, *ANSWERED)
    assert refused.code == 1
    assert told in refused.err
    assert "→" in refused.err


MISTAKES = [
    (("upgrade", "suport-reply", "--candidate", "candidate"), 1, "Did you mean 'support-reply'?"),
    (("upgrade", "support-reply", "--candidate", "canddate"), 1, "Did you mean 'candidate'"),
    (("upgrade", "support-reply", "--candidate", "current"), 1, "serves 'support-reply' in production already"),
    (("upgrade", "support-reply"), 2, "--candidate"),
    (("upgrade", "advence", "support-reply"), 2, "Did you mean advance?"),
    (("upgrade", "hold", "support-reply"), 2, "--reason"),
    (("upgrade", "support-reply", "--candidate", "candidate", "--despite", "all"), 2, "no-suite"),
    (("upgrade", "hold", "support-reply", "--reason", "x"), 1, "has had no upgrade in production"),
    (("upgrade", "", "--candidate", "candidate"), 2, "shell variable"),
    (("status", "support-reply"), 1, "Open one: segue upgrade support-reply"),
    (("status", "nosuch"), 1, "nosuch"),
    (("why",), 1, "No upgrade is open in production"),
    (("history", "support-reply", "--environment", "staging"), 1, "in staging"),
]


def test_mistakes_are_told_with_what_was_likely_meant(planned: Path, segue: Segue) -> None:
    """And open nothing."""
    for words, code, told in MISTAKES:
        refused = segue(*words)
        assert (refused.code, told in refused.err) == (code, True), (words, refused.err)
    assert segue("upgrade", "list", "--json").json == []


def test_what_people_do_is_written_at_once_though_nobody_leads(opened: str, segue: Segue) -> None:
    """With author and reason; what is not possible here names what is."""
    held = segue("upgrade", "hold", "support-reply", "--reason", "let me look")
    assert held.code == 0
    assert "held by ada, entry 1. It is in decide (holding)." in held.out
    assert "Start one: segue controller" in held.out
    refused = segue("upgrade", "hold", "support-reply", "--reason", "again")
    assert (refused.code, "Possible: advance, resume" in refused.err) == (1, True)
    resumed = segue("upgrade", "resume", opened, "--reason", "seen", "--json").json
    assert (resumed["entry"]["event"], resumed["status"]["standing"]) == ("resume", "going")
    assert [one["event"] for one in segue("history", "support-reply", "--json").json["entries"]] == ["opened", "hold", "resume"]


def test_another_candidate_may_take_its_place_and_an_end_is_an_end(opened: str, segue: Segue) -> None:
    """After which another upgrade can be opened."""
    assert (
        "replace needs another bundle" in segue("upgrade", "replace", opened, "--candidate", "candidate", "--reason", "x").err
    )
    ended = segue("upgrade", "abort", "support-reply", "--reason", "not now")
    assert "It is in stopped." in ended.out
    assert "nothing; it ended as stopped" in segue("upgrade", "hold", "support-reply", "--reason", "x").err
    assert segue(*OPEN, *ANSWERED).code == 0
    listed = segue("upgrade", "list", "--json").json
    assert [one["stage"] for one in listed] == ["decide", "stopped"]
    assert opened in segue("upgrade", "list").out


def test_plan_operators_alone_may_act(planned: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody else is told whom to ask."""
    (PLANS / "careful.yaml").write_text(PLAN + "operators: [maria]\n")
    assert segue(*OPEN, *ANSWERED).code == 0
    refused = segue("upgrade", "hold", "support-reply", "--reason", "x")
    assert refused.code == 1
    assert "maria" in refused.err
    monkeypatch.setenv("SEGUE_AUTHOR", "maria")
    assert segue("upgrade", "hold", "support-reply", "--reason", "x").code == 0


def test_screens_stay_within_their_width(opened: str, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns, piped and plain; commands alone may be longer."""
    segue("upgrade", "hold", "support-reply", "--reason", "a reason that is rather long " * 8)
    monkeypatch.setenv("COLUMNS", "80")
    for words in (("status",), ("status", "support-reply"), ("history", "support-reply"), ("why",)):
        shown = segue(*words)
        assert shown.code == 0
        assert "\x1b" not in shown.out
        wide = [line for line in shown.out.splitlines() if cell_len(line) > 80 and "segue " not in line]
        assert wide == []


def test_watching_ends_where_a_person_is_needed(opened: str, segue: Segue) -> None:
    """At once, if that is so already."""
    segue("upgrade", "pause", "support-reply", "--reason", "lunch")
    watched = segue("status", "support-reply", "--watch")
    assert watched.code == 0
    assert "decide (paused)" in watched.out
    lines = segue("status", "support-reply", "--watch", "--json").out.splitlines()
    assert json.loads(lines[-1])["status"]["standing"] == "paused"


def test_watching_tells_what_happens_until_the_end(opened: str, segue: Segue, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each entry, as it comes."""
    from segue.cli.desk import open_desk
    from segue.cli.upgrade_watch import watch_upgrade
    from segue.controller.actions import act_on

    waits: list[float] = []
    with open_desk() as desk:

        def wait(seconds: float) -> None:
            action: Any = ("defer",)[len(waits)]
            waits.append(seconds)
            act_on(desk.store, "support-reply", action, by="bo", reason="no reason to", at=1_900_000_000.0)

        watch_upgrade(desk, "support-reply", "production", as_json=False, wait=wait)
    shown = capsys.readouterr()
    assert "deferred by bo, deferred: no reason to" in shown.out
    assert "No controller runs" in shown.err
    assert len(waits) == 1


def test_without_an_upgrade_status_says_how_to_open_one(planned: Path, segue: Segue) -> None:
    """And is no error."""
    shown = segue("status")
    assert shown.code == 0
    assert "No upgrade is under way in production." in shown.out
    assert segue("status", "--json").json == {
        "environment": "production",
        "controller": {"holder": "", "seconds_left": None},
        "upgrades": [],
    }


def test_the_ways_of_the_help_are_those_there_are() -> None:
    """One list, told twice."""
    assert get_args(Kind) == WAYS


def test_the_api_opens_from_the_workspace_as_it_is_now(planned: Path) -> None:
    """With the same refusals as the command line, and the same upgrade in the end."""
    current = CurrentWorkspace(planned, os.environ)
    openings, store = WorkspaceOpenings(current), open_state(current.read())
    asked = OpenBody(workflow="support-reply", candidate="candidate", by="maria", reason="a trial", despite=[])
    named: dict[str, Any] = {"environment": "production", "at": 1_800_000_000.0, "key": "ci", "secret": "0a1b"}
    with pytest.raises(InputError, match="invites ways in which upgrades of 'support-reply' go wrong"):
        openings.open(store, asked, **named)
    upgrade, remarks = openings.open(store, asked.model_copy(update={"despite": list(DESPITE)}), **named)
    assert upgrade.opening.upgrade == "support-reply-20270115-0a1b"
    assert (upgrade.opening.by, upgrade.opening.plan_name) == ("maria", "careful")
    assert all(isinstance(one, str) for one in remarks)
    store.close()


def test_keys_are_read_anew_when_the_file_changes_and_a_fault_in_it_locks_nobody_out(planned: Path) -> None:
    """Those before it stay valid until it is mended; one that was taken out is valid no more."""
    file = Path("segue.yaml")
    before, current = file.read_text(), CurrentWorkspace(planned, os.environ)
    entry = {"name": "ci", "hash": hash_key("sg-1"), "permissions": ["operate"]}
    carried = {b"authorization": b"Bearer sg-1"}
    keys = Keys(current, current.read(), ())
    assert keys.now().find(carried) is None
    for text, is_valid in (
        (f"{before}controller: {{keys: [{json.dumps(entry)}]}}\n", True),
        (f"{before}controller: {{keys: 7}}\n", True),
        (before, False),
    ):
        file.write_text(text)
        assert (keys.now().find(carried) is not None) is is_valid


def test_a_fresh_workspace_lacks_a_route_and_cases_and_nothing_else(workspace: Path, segue: Segue) -> None:
    """Its plan stands alone, before any verdict: rates and shares are in it. What is refused names the exact remedy."""
    found = segue("plan", "check", "careful", "--json").json["ways"]
    assert {one["kind"] for one in found if one["severity"] != "remark"} == {"no-suite", "rollback-by-deploy"}
    typed = segue(*OPEN)
    assert (typed.code, "segue route set support-reply BUNDLE" in typed.err) == (1, True)
    assert segue("route", "set", "support-reply", "current").code == 0
    typed = segue(*OPEN)
    assert (typed.code, "--despite no-suite" in typed.err) == (1, True)
    assert segue(*OPEN, "--despite", "no-suite", "--reason", "a trial").code == 0
    gates = segue("why", "support-reply", "0", "--json").json["evidence"]["plan"]["gates"]
    assert {one["metric"]: one["baseline"] for one in gates}["in_form"] == 0.98
