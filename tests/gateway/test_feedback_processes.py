"""Feedback as a team gives it: to processes that are killed, and beside its exchange afterwards."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from segue.exchanges.feedback import Feedback, Standing
from segue.exchanges.query import ExchangeLog
from segue.gateway.shadow_money import DAY_NS
from segue.gateway.spending import MappedSpending
from tests.gateway.team import Running, Team, a_stand_in
from tests.gateway.wiring import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """A team with one bundle for everyone, and another one in its shadow that may cost a cent a day."""
    with a_stand_in("The old one.") as old, a_stand_in("The new one.") as new:
        made = Team(tmp_path, {"old": old, "new": new})
        config: dict[str, Any] = json.loads((tmp_path / "segue.yaml").read_text())
        config["prices"] = {"new-1": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}}
        (tmp_path / "segue.yaml").write_text(json.dumps(config))
        made.segue("route", "set", "mail", "old", "--candidate", "new", "--shadow", "100%", "--shadow-usd-per-day", "0.01")
        yield made


def tell(running: Running, **body: Any) -> Any:
    """One feedback, and its answer."""
    head = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = Request(f"{running.origin}/v1/feedback", json.dumps(body).encode(), head, method="POST")
    with urlopen(request, timeout=30) as response:
        assert response.status == 202
        return json.load(response)


def feedback_of(team: Team) -> Feedback:
    """What the log says of it."""
    return Feedback(ExchangeLog(team.root / ".segue" / "spool", team.root / ".segue" / "exchanges"))


def test_feedback_that_was_acknowledged_survives_a_kill(team: Team) -> None:
    """Of the worker that took it, at once after its 202; and what is sent again after that counts once."""
    with team.gateway(workers=1) as running:
        exchange = running.ask()[1]
        first = tell(running, exchange=exchange, thumbs="down", correction={"to": "Ms Ruf"})
        victim = running.workers(team.root / ".segue")[0]["pid"]
        os.kill(victim, signal.SIGKILL)
        while any(one["pid"] == victim or not one["revisions"] for one in running.workers(team.root / ".segue")):
            pass
        assert tell(running, exchange=exchange, thumbs="down", correction={"to": "Ms Ruf"}) == first
        tell(running, exchange=exchange, thumbs="up", feedback_id=first["feedback_id"])
    feedback = feedback_of(team)
    told = {one.outcome.kind: one for one in feedback.of(exchange)}
    assert (told["thumbs"].outcome.value, told["correction"].text) == (0.0, b'{"to": "Ms Ruf"}')
    assert feedback.standing() == Standing(known=2, orphans=0, refused=0, repeated=3, conflicting=1)
    assert not list((team.root / ".segue" / "spool").glob("*.spool")), "shipped with the exchanges"


def test_what_shadows_cost_is_noted_for_all_workers_and_stays_over_a_restart(team: Team) -> None:
    """By real workers, with the workspace's own prices; what the note says is what the log says they cost."""
    day = time.time_ns() // DAY_NS
    noted = []
    for _ in range(2):
        spending = MappedSpending(team.root / ".segue" / "shadow-spending-production")
        with team.gateway(workers=2) as running:
            before = sum(noted[-1:])
            while not before < spending.total("mail", day) < before + 1_000:  # more than that is put by for one under way
                running.ask()
        noted.append(spending.total("mail", day))
        spending.close()
    shadows = [one for one in team.kept() if one.arm == "shadow"]
    costs = [one.cost_microusd for one in shadows if one.cost_microusd is not None]
    assert len(costs) == len(shadows) >= 2
    assert sum(costs) == pytest.approx(noted[1])
    assert 0 < noted[0] < noted[1] <= 0.01e6


def test_a_cap_on_a_model_without_a_price_is_refused(team: Team) -> None:
    """When it is set, with the place where the price goes."""
    config: dict[str, Any] = json.loads((team.root / "segue.yaml").read_text())
    del config["prices"]
    (team.root / "segue.yaml").write_text(json.dumps(config))
    words = ("route", "set", "mail", "old", "--candidate", "new", "--shadow", "100%", "--shadow-usd-per-day", "1")
    with pytest.raises(AssertionError, match="input_usd_per_mtok"):
        team.segue(*words)
