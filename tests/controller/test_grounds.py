"""Stage 0: what speaks against beginning an upgrade, in sentences with remedies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.controller.grounds import WorkspaceGrounds
from segue.controller.grounds_workspace import CurrentWorkspace
from segue.controller.moments import iso
from segue.model import Bundle, ModelRef
from segue.upgrade.log import Opening, Upgrade
from tests.controller.undertaken import NOW, a_plan
from tests.evals.team import WORKFLOW, Team

FULL: dict[str, Any] = {**WORKFLOW, "gate": {"primary": ["right"], "min_cases": 40}}


def a_team(root: Path, **given: Any) -> Team:
    return Team(root, **{"workflow": FULL, **given})


def bundle(snapshot: str, provider: str = "sim", **given: Any) -> Bundle:
    return Bundle(workflow="mail", model=ModelRef(provider=provider, snapshot=snapshot), **given)


def an_upgrade(team: Team, old: Bundle, new: Bundle, **plan: Any) -> Upgrade:
    for one in (old, new):
        team.store.add_bundle(one, author="ada", at=iso(NOW))
    return Upgrade(
        Opening(upgrade="u", workflow="mail", incumbent=old.digest, candidate=new.digest, plan=a_plan(**plan), by="ada", at=NOW)
    )


def grounds(team: Team, **environ: str) -> WorkspaceGrounds:
    return WorkspaceGrounds(CurrentWorkspace(team.root, environ), team.store)


def missing(team: Team, old: Bundle, new: Bundle, **plan: Any) -> tuple[str, ...]:
    return grounds(team).missing(an_upgrade(team, old, new, **plan))


def test_nothing_speaks_against_a_pinned_candidate_with_a_suite(tmp_path: Path) -> None:
    """And what only the eval can show is not asked for; it is said."""
    team = a_team(tmp_path)
    found = grounds(team).examine(an_upgrade(team, bundle("old-1"), bundle("new-2")))
    assert (found.against, found.reasons) == ((), ())
    assert found.remarks == ("Whether there is a reason to migrate is for the eval to show: better, cheaper, or faster.",)


def test_a_suite_that_is_too_small_is_told_task_by_task(tmp_path: Path) -> None:
    """With how many are wanted, and how to come by them."""
    team = a_team(tmp_path, cases=39)
    (told,) = missing(team, bundle("old-1"), bundle("new-2"))
    assert told.startswith("The task 'default' has 39 cases; 40 are wanted before an upgrade is judged.")
    assert "segue suite stats mail" in told
    assert "recorded traffic" in told


def test_the_default_is_a_hundred_cases_for_each_task(tmp_path: Path) -> None:
    """Where the workflow says nothing else."""
    team = a_team(tmp_path, workflow={**WORKFLOW, "gate": {"primary": ["right"]}}, cases=99)
    assert "100 are wanted" in missing(team, bundle("old-1"), bundle("new-2"))[0]


def test_whoever_opened_it_in_spite_of_a_small_suite_is_not_asked_again(tmp_path: Path) -> None:
    """The reason is in the log; a suite that is broken stays a reason."""
    team = a_team(tmp_path, cases=39)
    upgrade = an_upgrade(team, bundle("old-1"), bundle("new-2"))
    despite = Upgrade(upgrade.opening.model_copy(update={"despite": ("no-suite",)}))
    assert (bool(grounds(team).missing(upgrade)), grounds(team).missing(despite)) == (True, ())
    (tmp_path / "workflows/mail/suites/main.jsonl").write_text("{nonsense")
    assert grounds(team).missing(despite)


def test_a_suite_that_grew_is_counted_again(tmp_path: Path) -> None:
    """Whoever adds the missing cases is not held for the old ones."""
    team = a_team(tmp_path, cases=39)
    upgrade, port = an_upgrade(team, bundle("old-1"), bundle("new-2")), grounds(team)
    assert port.missing(upgrade)
    a_team(tmp_path, store=team.store, cases=41)
    assert port.missing(upgrade) == ()


@pytest.mark.parametrize("file", ["suites/main.jsonl", "workflow.yaml"])
def test_files_that_are_broken_or_gone_are_a_reason_not_an_accident(tmp_path: Path, file: str) -> None:
    """The controller goes on; the upgrade waits, and says for what."""
    team = a_team(tmp_path)
    upgrade = an_upgrade(team, bundle("old-1"), bundle("new-2"))
    path = tmp_path / "workflows" / "mail" / file
    path.write_text("{nonsense")
    assert file in grounds(team).missing(upgrade)[0]
    path.unlink()
    assert grounds(team).missing(upgrade)


def test_segue_yaml_that_is_edited_is_read_again(tmp_path: Path) -> None:
    """Whoever adds the missing provider need not start the controller anew."""
    team = a_team(tmp_path)
    upgrade, port = an_upgrade(team, bundle("old-1"), bundle("x-1", provider="elsewhere")), grounds(team)
    (told,) = port.missing(upgrade)
    assert told.startswith("There is no provider 'elsewhere'.")
    entry = {"type": "scripted", "seed": 3, "models": {"x-1": {}}}
    team.write(
        "segue.yaml", {"version": 1, "providers": {"sim": {"type": "scripted", "models": {"old-1": {}}}, "elsewhere": entry}}
    )
    assert port.missing(upgrade) == ()


def test_a_provider_without_its_key_is_named_with_the_variable(tmp_path: Path) -> None:
    """Evals run where the controller runs."""
    team = a_team(tmp_path, provider={"type": "openai", "api_key_env": "THE_KEY"})
    told = missing(team, bundle("gpt-5.1-2025-11-13"), bundle("gpt-9-2026-01-01"))
    assert any("THE_KEY" in one for one in told)


def test_a_floating_alias_is_no_candidate(tmp_path: Path) -> None:
    """What was measured would not be what serves. Of an own server no rule tells, and it is let be."""
    team = a_team(tmp_path, provider={"type": "openai", "api_key_env": "K"})
    port = grounds(team, K="k")
    (told,) = port.missing(an_upgrade(team, bundle("gpt-9-2026-01-01"), bundle("gpt-9")))
    assert "gpt-9 is a floating alias" in told
    assert port.missing(an_upgrade(team, bundle("gpt-9"), bundle("gpt-9-2026-01-01"))) == ()
    own = a_team(tmp_path, store=team.store, provider={"type": "openai", "base_url": "http://localhost:9/v1"})
    assert grounds(own).missing(an_upgrade(own, bundle("old"), bundle("llama-9"))) == ()


def test_a_sunset_is_a_reason_and_a_candidate_that_retires_first_is_none(tmp_path: Path) -> None:
    """NOW is 15 January 2027."""
    team = a_team(tmp_path, provider={"type": "openai", "api_key_env": "K"})
    port = grounds(team, K="k")
    leaving, staying = bundle("gpt-5.1-2025-11-13"), bundle("gpt-9-2026-01-01")
    found = port.examine(an_upgrade(team, leaving, staying))
    assert found.against == ()
    assert found.reasons[0].startswith("The incumbent's model gpt-5.1-2025-11-13 retires on 2027-04-01")
    assert found.remarks == ()
    late = port.examine(an_upgrade(team, leaving, staying, soak=90))
    assert "no incumbent to roll back to" in late.remarks[0]
    (told,) = port.missing(an_upgrade(team, staying, leaving, soak=90))
    assert "retires on 2027-04-01, before this upgrade would be over" in told


def test_two_bundles_that_behave_alike_are_no_upgrade(tmp_path: Path) -> None:
    """A suite or a fallback is no behaviour."""
    team = a_team(tmp_path)
    suite = team.store.list_suites("mail")
    (told, *_) = missing(team, bundle("old-1"), bundle("old-1", fallback="0" * 64))
    assert (suite, told.startswith("Incumbent and candidate behave the same")) == ([], True)
