"""A team's workspace on disk, and the eval and compare commands on it, without the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segue.evals.catalogue import Catalogue
from segue.evals.connections import Connections
from segue.evals.forecast import Forecast
from segue.evals.run import Progress
from segue.evals.session import Listener, Outcome, Request, Session
from segue.evals.spending import Spent
from segue.model import Exchange, Failure, Reply
from segue.providers.clock import ManualClock
from segue.store import Store
from segue.store.memory import MemoryStore
from segue.workspace import Workspace, load_workspace
from tests.evals.builders import AT, WHO

MODELS = {"old-1": {"accuracy": 0.9}, "new-2": {"accuracy": 0.9}}
WORKFLOW = {
    "incumbent": "now",
    "scorers": [{"name": "right", "type": "exact"}],
    "gate": {"primary": ["right"], "min_cases": 1},
}


class Team:
    """A workspace on disk with the workflow `mail`, bundles `now` and `next`, and one suite; its store is given."""

    def __init__(
        self,
        root: Path,
        *,
        store: Store | None = None,
        models: Mapping[str, Any] = MODELS,
        provider: Mapping[str, Any] | None = None,
        workflow: Mapping[str, Any] = WORKFLOW,
        cases: Sequence[Mapping[str, Any]] | int = 40,
    ) -> None:
        self.root = root
        self.store: Store = store or MemoryStore()
        self.estimates: list[Forecast] = []
        self.counted_before: list[Spent] = []
        self.began: list[tuple[str, int]] = []
        self.lost: list[int] = []
        self.runs = 0
        entry = provider or {"type": "scripted", "seed": 3, "models": models}
        some = [suite_line(f"c{number:04}") for number in range(cases)] if isinstance(cases, int) else cases
        self.write("segue.yaml", {"version": 1, "providers": {"sim": entry}})
        self.write("workflows/mail/workflow.yaml", workflow)
        self.write("workflows/mail/bundles/now.yaml", {"model": {"provider": "sim", "snapshot": "old-1"}})
        self.write("workflows/mail/bundles/next.yaml", {"model": {"provider": "sim", "snapshot": "new-2"}})
        self.write("workflows/mail/suites/main.jsonl", "".join(json.dumps(case) + "\n" for case in some))

    def write(self, name: str, content: Any) -> None:
        """Write a file; what is no text is written as JSON, which YAML reads."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    def session(self) -> Session:
        """A session with a clock that stands still and seeded randomness."""
        workspace = self._workspace()
        clock, rng = ManualClock(), np.random.default_rng(0)
        connections = Connections(workspace, self.store, clock=clock, rng=rng)
        return Session(
            Catalogue(workspace, self.store, **WHO), connections, now=lambda: AT, author="ada", new_run=self._new_run
        )

    def _workspace(self) -> Workspace:
        return load_workspace(self.root, {})

    def _new_run(self) -> str:
        self.runs += 1
        return f"run-{self.runs}"

    def listener(self, progressed: Callable[[Progress], None] = lambda _: None) -> Listener:
        """One that notes what it is told."""
        return Listener(
            estimated=self.estimates.append,
            counted_before=lambda spent, _: self.counted_before.append(spent),
            began=lambda what, planned: self.began.append((what, planned)),
            progressed=progressed,
            lost=self.lost.append,
        )

    def evaluate(self, *, stop_after: int | None = None, **fields: Any) -> Outcome:
        """`segue eval mail --candidate next`; interrupted once `stop_after` calls are finished."""
        wired: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

        def progressed(progress: Progress) -> None:
            if stop_after is not None and progress.done >= stop_after:
                loop, event = wired[0]
                loop.call_soon_threadsafe(event.set)

        self.began.clear()
        request = Request(workflow="mail", candidate="next", **fields)
        return self.session().evaluate(
            request, self.listener(progressed), stop=lambda event: wired.append((asyncio.get_running_loop(), event))
        )

    def behaviour(self, label: str) -> str:
        """Under which the answers of a bundle file are kept."""
        return Catalogue(self._workspace(), self.store, **WHO).bundle("mail", label).bundle.behaviour

    def answer(self, label: str, texts: Mapping[str, str | None], *, repeat: int = 0, **fields: Any) -> None:
        """Store what a bundle answered, by case; `None` is a failure."""
        cases = {case.case_id: case for case in self._workspace().iter_suite("mail", "main")}
        behaviour = self.behaviour(label)
        self.store.add_exchanges(
            Exchange(
                behaviour,
                case_id,
                cases[case_id].input_digest,
                repeat,
                reply=None if text is None else Reply(text),
                failure=Failure("timeout") if text is None else None,
                **fields,
            )
            for case_id, text in texts.items()
        )

    def compare(self, **fields: Any) -> Outcome:
        """`segue compare mail --candidate next`."""
        return self.session().compare(Request(workflow="mail", candidate="next", **fields), self.listener())


def suite_line(case_id: str, **fields: Any) -> dict[str, Any]:
    """A case as a suite writes it, answered rightly with `yes`."""
    return {
        "case_id": case_id,
        "messages": [{"role": "user", "content": f"Is {case_id} here?"}],
        "reference": "yes",
        "metadata": {"wrong": "no"},
        **fields,
    }
