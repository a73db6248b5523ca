"""An upgrade's log as a test needs it, and traffic of two arms written through the real spool and shipper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from segue.controller.live import LogEvidence, Timing
from segue.exchanges import Outcome, ServedExchange
from segue.exchanges.query import ExchangeLog
from segue.model.plan import Plan, PlanGate, PlanStep
from segue.upgrade.log import Opening, Upgrade, UpgradeEntry
from segue.upgrade.state import Period, Stage
from tests.exchanges.builders import a_shipper, a_spool, drain

OLD, NEW = "a" * 64, "b" * 64
T0 = 1_767_225_600.0
"""1 January 2026, 00:00 UTC."""
HOUR, DAY = 3_600.0, 86_400.0
QUALITY: dict[str, Any] = {"metric": "quality", "better": "higher", "baseline": 0.9, "age": 0.0}
SLICES = {"task=refund": 0.2, "task=other": 0.8}
QUICK = Timing(block_s=HOUR, settle_s=0.0, reread_s=0.0)


def a_plan(*gates: dict[str, Any], **fields: Any) -> Plan:
    """Two steps, a gate on quality, one cycle a day, no shadow, a short soak."""
    # Wide rungs and large shares: a few thousand requests say all that there is to say.
    steps = (PlanStep(share=0.25, hold=2, excludes=5), PlanStep(share=0.5, hold=2, excludes=4))
    given = {"steps": steps, "shadow": {"length": 0}, "soak": 2.0, "slices": SLICES, **fields}
    return Plan(gates=tuple(PlanGate(**gate) for gate in gates or (QUALITY,)), **given)


def an_opening(plan: Plan | None = None, **given: Any) -> Opening:
    """Of `reply`, opened a day before `T0`."""
    values: dict[str, Any] = {
        "upgrade": "up",
        "workflow": "reply",
        "incumbent": OLD,
        "candidate": NEW,
        "plan": plan or a_plan(),
        "by": "ann",
        "at": T0 - DAY,
    }
    return Opening(**{**values, **given})


def entered(upgrade: Upgrade, stage: Stage, at: float, *, step: int = 0, **moved: Any) -> Upgrade:
    """The upgrade with an entry that leads to this stage or step, confirmed at once by a second one."""
    last = upgrade.state
    fresh = {} if stage == last.stage else {"evidence_from": at, "restarts": 0}
    state = last.model_copy(
        update={"stage": stage, "step": step, "entered_at": at, "periods": (), **fresh, "number": last.number + 1, **moved}
    )
    upgrade = _with(upgrade, "passed", at, state)
    periods = (Period(begin=at),)
    return _with(upgrade, "confirmed", at, state.model_copy(update={"periods": periods, "number": state.number + 1}))


def _with(upgrade: Upgrade, event: Any, at: float, state: Any) -> Upgrade:
    entry = UpgradeEntry(upgrade=upgrade.opening.upgrade, number=state.number, event=event, at=at, state=state)
    return Upgrade(upgrade.opening, (*upgrade.entries, entry))


def in_canary(plan: Plan | None = None, **given: Any) -> Upgrade:
    """In the first step of the canary since `T0`."""
    return entered(Upgrade(an_opening(plan, **given)), "canary", T0)


def served(at: float, number: int, arm: str, **given: Any) -> ServedExchange:
    """One exchange of either arm, or the candidate's shadow."""
    values: dict[str, Any] = {
        "id": f"x{number:07d}",
        "at_ns": round(at * 1e9),
        "workflow": "reply",
        "environment": "production",
        "arm": arm,
        "bundle": OLD if arm == "incumbent" else NEW,
        "segment": "everyone",
        "status": 200,
        "latency_ns": 900_000_000,
        "cost_microusd": 1000.0,
    }
    return ServedExchange(**{**values, **given})


Rates = Callable[[str, str], float]
"""By arm and task: how often quality is good."""


def traffic(
    *,
    days: float,
    per_day: int,
    share: float,
    good: Rates = lambda arm, task: 0.9,
    seed: int = 1,
    since: float = T0,
    first: int = 0,
    **given: Any,
) -> Iterator[ServedExchange]:
    """Evenly spread requests with a score each; a fifth of them about refunds."""
    draw = Random(seed)
    count = int(days * per_day)
    for number in range(count):
        arm = "candidate" if draw.random() < share else "incumbent"
        task = "refund" if draw.random() < 0.2 else "other"
        score = float(draw.random() < good(arm, task))
        at = since + (number + 0.5) * DAY * days / count
        yield served(at, first + number, arm, slices={"task": task}, scores={"quality": score}, **given)


class Log:
    """A spool, its shipper and the log that reads both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = a_spool(folder, segment_bytes=1 << 20)
        self.shipper = a_shipper(folder, batch_bytes=1 << 20)
        self.log = ExchangeLog(folder / "spool", folder / "archive")

    def write(self, rows: Iterable[ServedExchange | Outcome], *, ship: bool = True) -> None:
        """Append them all, and ship."""
        for number, row in enumerate(rows):
            if number % 500 == 0:
                self.spool.tend()
            assert self.spool.append(row, b"", b"") is not None
        self.spool.tend()
        if ship:
            drain(self.shipper)

    def evidence(self, timing: Timing = QUICK, **given: Any) -> LogEvidence:
        """A reader that has read nothing."""
        return LogEvidence(self.log, timing, **given)

    def close(self) -> None:
        self.shipper.close()
        self.spool.close()
