"""Another candidate in an upgrade under way is asked what the first one was: on the command line and in the API alike."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from segue.cli.controller_api import WorkspaceOpenings
from segue.cli.desk import open_state
from segue.controller.api_bodies import ActBody
from segue.controller.api_desk import ApiDesk
from segue.controller.grounds_workspace import CurrentWorkspace
from segue.errors import InputError
from tests.cli.conftest import Segue, edit, exit_code, own_copy

WORKFLOW = "support-reply"
PLAN = """\
preset: 1-5-25-100
gates:
  - metric: in_form
    baseline: 85%
slices: {topic=refund: 20%, topic=delivery: 50%, topic=account: 30%, lang=en: 70%, lang=de: 30%}
"""
BUNDLE = """\
model: {{provider: {provider}, snapshot: {snapshot}}}
prompt: {{system: prompts/reply.system.md, template: prompts/reply.template.md}}
parameters: {{temperature: 0, max_output_tokens: 600{more}}}
contract: contract.json
suite: main
"""
BUNDLES = {
    "plain": ("simulated", "eager-2", ""),
    "thinking": ("simulated", "eager-2", ", reasoning_effort: low"),
    "calm": ("simulated", "steady-1", ", top_p: 0.9"),
    "floating": ("openai", "gpt-4o", ""),
    "retiring": ("anthropic", "claude-3-5-haiku-20241022", ""),
}
WHY = ("--reason", "a trial")


@pytest.fixture(scope="session")
def in_eval_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an upgrade to `plain` that waits for its eval: nothing but the candidate may change in it."""
    folder = tmp_path_factory.mktemp("replacing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGUE_AUTHOR", "ada")
        patch.chdir(folder)
        assert exit_code(("init",)) == 0
        files = Path("workflows", WORKFLOW)
        (files / "plans/careful.yaml").write_text(PLAN)
        edit(files / "workflow.yaml", "gate:\n", "gate:\n  min_cases: 5\n")
        more = "  openai: {type: openai}\n  anthropic: {type: anthropic}\n"
        edit(Path("segue.yaml"), "providers:\n", f"providers:\n{more}")
        for name, (provider, snapshot, rest) in BUNDLES.items():
            text = BUNDLE.format(provider=provider, snapshot=snapshot, more=rest)
            (files / f"bundles/{name}.yaml").write_text(text)
        for words in (
            ("route", "set", WORKFLOW, "current"),
            ("upgrade", WORKFLOW, "--candidate", "plain"),
            ("upgrade", "advance", WORKFLOW, *WHY),
        ):
            assert exit_code(words) == 0
    return folder


@pytest.fixture
def in_eval(in_eval_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One's own copy, as the working folder."""
    return own_copy(in_eval_once, tmp_path, monkeypatch)


def by_hand(segue: Segue, candidate: str, despite: Sequence[str] = ()) -> str:
    """On the command line: what refused it, or nothing."""
    words = ("upgrade", "replace", WORKFLOW, "--candidate", candidate, *WHY)
    done = segue(*words, *(word for one in despite for word in ("--despite", one)))
    assert (done.code == 0) == ("is in eval" in done.out)
    return done.err if done.code else ""


def over_http(folder: Path, candidate: str, despite: Sequence[str] = ()) -> str:
    """As the API does it: what refused it, or nothing."""
    current = CurrentWorkspace(folder, os.environ)
    store = open_state(current.read())
    desk = ApiDesk(lambda: store, WorkspaceOpenings(current), lambda *_: [], lambda: 1_800_000_000.0)
    digest = add(folder, candidate)
    body = ActBody(by="bo", reason="a trial", candidate=digest, despite=list(despite))
    try:
        status, answer = desk.act(WORKFLOW, "production", "replace", body, key="ci", name="")
    except InputError as error:
        return " ".join([error.what, error.fix, *(one.sentence() for one in error.faults)])
    finally:
        store.close()
    assert (status, "warnings" in answer) == (200, True)
    return ""


def add(folder: Path, label: str) -> str:
    """Stored, as the API asks for it; gives the digest."""
    from segue.cli.desk import Desk
    from segue.cli.flipping import digest_of
    from segue.workspace import load_workspace

    workspace = load_workspace(folder, os.environ)
    store = open_state(workspace)
    try:
        return digest_of(Desk(workspace, store, "ada"), WORKFLOW, label)
    finally:
        store.close()


def replaced(way: str, folder: Path, segue: Segue, candidate: str, *despite: str) -> str:
    """By one of the two ways there are: what refused it, or nothing."""
    return by_hand(segue, candidate, despite) if way == "by hand" else over_http(folder, candidate, despite)


both = pytest.mark.parametrize("way", ["by hand", "over http"])


@both
def test_the_plan_check_is_asked_of_the_next_candidate_too(in_eval: Path, segue: Segue, way: str) -> None:
    """Another effort without a gate on cost and latency is refused, until somebody answers for it; the log keeps who did."""
    told = replaced(way, in_eval, segue, "thinking")
    for one in ("reasoning effort not set → low", "--despite effort-ungated --reason"):
        assert one in told
    assert segue("status", WORKFLOW, "--json").json["despite"] == []
    assert replaced(way, in_eval, segue, "thinking", "effort-ungated") == ""
    assert segue("status", WORKFLOW, "--json").json["despite"] == ["effort-ungated"]
    last = segue("history", WORKFLOW, "--json").json["entries"][-1]
    assert (last["event"], last["because"]) == ("replace", ["a trial", "In spite of: effort-ungated."])


def test_who_answered_for_one_candidate_did_not_for_the_next(in_eval: Path, segue: Segue) -> None:
    """What is about the plan stands as it was answered for at the opening."""
    files = Path("workflows", WORKFLOW)
    assert by_hand(segue, "thinking", ("effort-ungated",)) == ""
    edit(files / "bundles/thinking.yaml", "reasoning_effort: low", "reasoning_effort: high")
    assert "--despite effort-ungated --reason" in by_hand(segue, "thinking")
    edit(files / "workflow.yaml", "min_cases: 5", "min_cases: 100")
    assert "--despite no-suite" in by_hand(segue, "calm")
    assert by_hand(segue, "calm", ("no-suite",)) == ""
    assert by_hand(segue, "plain") == ""
    assert segue("status", WORKFLOW, "--json").json["despite"] == ["no-suite"]


@both
@pytest.mark.parametrize(
    ("candidate", "what"),
    [("floating", "gpt-4o is a floating alias"), ("retiring", "claude-3-5-haiku-20241022 retires on")],
)
def test_what_stage_0_would_hold_is_not_brought_in_behind_it(
    in_eval: Path, segue: Segue, way: str, candidate: str, what: str
) -> None:
    """The eval would come next, and none of the stages after it asks for that."""
    told = replaced(way, in_eval, segue, candidate)
    assert what in told
    assert "stage 0 would hold it" in told


@both
def test_a_model_that_was_rolled_back_is_not_tried_again_by_replacing(in_eval: Path, segue: Segue, way: str) -> None:
    """Until its incident is dealt with, whatever upgrade is under way by then."""
    for _ in range(3):
        assert segue("upgrade", "advance", WORKFLOW, *WHY).code == 0
    assert segue("status", WORKFLOW, "--json").json["stage"] == "canary"
    assert segue("rollback", WORKFLOW, "--reason", "refunds").code == 0
    assert segue("upgrade", WORKFLOW, "--candidate", "calm").code == 0
    assert segue("upgrade", "advance", WORKFLOW, *WHY).code == 0
    told = replaced(way, in_eval, segue, "plain")
    for one in ("was rolled back from this model", "no root cause is recorded; no action is recorded; no new regression"):
        assert one in told
    suite = Path("workflows", WORKFLOW, "suites/main.jsonl")
    case = {**json.loads(suite.read_text().splitlines()[0]), "case_id": "dates", "kind": "regression"}
    case["messages"] = [{"role": "user", "content": "Where are my dates?"}]
    with suite.open("a", encoding="utf-8") as file:
        file.write(json.dumps(case) + "\n")
    dealt_with = ("--root-cause", "no dates", "--action", "they are named", "--case", "main/dates")
    assert segue("incident", "note", WORKFLOW, *dealt_with).code == 0
    assert replaced(way, in_eval, segue, "plain") == ""


def test_a_way_that_is_none_is_told_with_those_there_are(in_eval: Path) -> None:
    """The command line has them as choices; over HTTP they are words."""
    told: Any = over_http(in_eval, "calm", ("no-suit",))
    assert "'no-suit' is none of the ways" in told
    assert "no-suite, aggregate-only" in told
