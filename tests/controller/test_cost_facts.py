"""What is known before an upgrade of what it will cost; the rest is unknown, and opens all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.controller.grounds_facts import cost_of_upgrade, gather_facts, read_traffic
from segue.model import Bundle, ModelRef
from segue.providers.clock import ManualClock
from segue.upgrade.log import Opening, Upgrade
from segue.workspace import load_workspace
from tests.controller.test_review import Served
from tests.controller.undertaken import NEW, NOW, OLD, a_plan
from tests.evals.builders import AT
from tests.evals.team import WORKFLOW, Team

DAY_S = 86_400.0
PRICE = {"price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}}
PRICED = {"old-1": {"accuracy": 0.9, **PRICE}, "new-2": {"accuracy": 0.9, **PRICE}}


def an_upgrade(team: Team) -> Upgrade:
    bundles = [Bundle(workflow="mail", model=ModelRef(provider="sim", snapshot=one)) for one in ("old-1", "new-2")]
    for one in bundles:
        team.store.add_bundle(one, author="ada", at=AT)
    digests = {"incumbent": bundles[0].digest, "candidate": bundles[1].digest}
    return Upgrade(Opening(upgrade="u", workflow="mail", plan=a_plan(), by="ada", at=NOW, **digests))


def facts(team: Team, served: Served | None = None) -> Any:
    workspace = load_workspace(team.root, {})
    return gather_facts(
        workspace, team.store, None if served is None else served.log, an_upgrade(team), ManualClock(wall_s=NOW)
    )


def test_simulated_models_with_a_price_are_known_but_for_the_traffic(tmp_path: Path) -> None:
    """A longest way of five repeats of 40 cases on both bundles."""
    found = facts(Team(tmp_path, models=PRICED))
    assert found.eval_microusd == pytest.approx(2 * 5 * 40 * found.incumbent_microusd)
    assert (found.daily_cases, found.standing_usd_per_day, found.requests_per_day) == (40, 0.0, None)


@pytest.mark.parametrize(
    ("given", "unknown"),
    [
        ({}, "eval_microusd"),
        ({"provider": {"type": "openai", "base_url": "http://localhost:9/v1"}}, "standing_usd_per_day"),
        (
            {
                "models": PRICED,
                "workflow": {**WORKFLOW, "scorers": [{"name": "kind", "type": "judge", "provider": "sim", "model": "j"}]},
            },
            "eval_microusd",
        ),
    ],
    ids=["no price", "own server", "judge"],
)
def test_what_nobody_knows_is_none(tmp_path: Path, given: dict[str, Any], unknown: str) -> None:
    """And never nothing."""
    assert getattr(facts(Team(tmp_path, **given)), unknown) is None


def test_a_broken_workspace_makes_it_unknown_and_no_error(tmp_path: Path) -> None:
    """The grounds say what is broken."""
    team = Team(tmp_path, models=PRICED)
    (tmp_path / "workflows/mail/suites/main.jsonl").write_text("{nonsense")
    found = cost_of_upgrade(load_workspace(tmp_path, {}), team.store, None, an_upgrade(team), ManualClock(wall_s=NOW))
    assert (found.usd, "not known: regression eval, daily evals" in found.sentence) == (None, True)


def test_traffic_is_of_the_last_week_and_costs_of_live_requests_come_first(tmp_path: Path) -> None:
    """Without what came before, other environments, evals and shadows."""
    served = Served(tmp_path)
    for n in range(20):
        served.put(f"a{n:02d}", int((NOW - 2 * DAY_S + n) * 1e9), "yes", cost_microusd=100.0)
    served.put("old", int((NOW - 9 * DAY_S) * 1e9), "yes")
    served.put("eval", int((NOW - DAY_S) * 1e9), "yes", tags=("eval",))
    served.put("staging", int((NOW - DAY_S) * 1e9), "yes", environment="staging")
    served.put("s", int((NOW - DAY_S) * 1e9), "yes", arm="shadow", bundle=NEW.digest, cost_microusd=300.0)
    found = read_traffic(served.log, "mail", "production", NOW)
    assert found.requests_per_day == pytest.approx(10)
    assert found.microusd == {OLD.digest: 100.0, NEW.digest: 300.0}


def test_less_than_a_day_of_traffic_is_no_day(tmp_path: Path) -> None:
    """An hour at noon says nothing of a night."""
    served = Served(tmp_path)
    served.put("a", int((NOW - 3600) * 1e9), "yes")
    assert read_traffic(served.log, "mail", "production", NOW).requests_per_day is None
    assert read_traffic(served.log, "other", "production", NOW).requests_per_day is None
