"""Comparisons that are not comparable are refused, with the reason and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.errors import NotComparableError, NotFoundError
from segue.evals.catalogue import Catalogue
from segue.evals.connections import Connections
from segue.evals.session import Listener, Request, Session
from segue.gates.report import Report
from segue.model import Bundle, Case, Exchange, Message, ModelRef, RecordedLabel, Reply, Usage
from segue.providers.clock import SystemClock
from segue.store import MemoryStore
from segue.workspace import load_workspace

WHO: dict[str, str] = {"author": "ada", "at": "2026-01-01T00:00:00Z"}


class Bench:
    """A workspace with one workflow, and two recorded arms in a memory store."""

    def __init__(self, root: Path, scorers: str, *, n: int = 30) -> None:
        (root / "workflows" / "w").mkdir(parents=True)
        (root / "segue.yaml").write_text("version: 1\n")
        (root / "workflows" / "w" / "workflow.yaml").write_text(f"incumbent: old\nscorers:\n{scorers}")
        self.root = root
        self.store = MemoryStore()
        self.cases = [
            Case(case_id=f"c{index:03}", messages=(Message(role="user", content=f"{index}?"),), reference="yes")
            for index in range(n)
        ]
        suite = self.store.add_suite("w", "main", self.cases, **WHO)
        self.bundles = {name: self.add_bundle(name, suite.digest) for name in ("old", "new")}

    def add_bundle(self, name: str, suite: str) -> Bundle:
        """A recorded bundle whose label is its name."""
        bundle = Bundle(workflow="w", model=ModelRef(provider="recorded", snapshot=f"m-{name}", recording=name), suite=suite)
        self.store.add_bundle(bundle, **WHO)
        self.store.set_label("w", name, bundle.digest, **WHO)
        return bundle

    def answer(self, name: str, **more: Any) -> None:
        """Every case answered right."""
        self.store.add_exchanges(
            Exchange(self.bundles[name].behaviour, case.case_id, case.input_digest, reply=Reply("yes"), **more)
            for case in self.cases
        )

    def label(self, name: str, labeler: str) -> None:
        """Every answer labelled 1."""
        labels = (RecordedLabel(case.case_id, labeler, "1") for case in self.cases)
        self.store.add_labels(self.bundles[name].behaviour, labels)

    def compare(self, **more: Any) -> Report:
        """The comparison of old and new."""
        workspace = load_workspace(self.root, {})
        catalogue = Catalogue(workspace, self.store, **WHO)

        class NoRandomness:
            def random(self) -> float:
                return 0.0

        connections = Connections(workspace, self.store, clock=SystemClock(), rng=NoRandomness())
        session = Session(catalogue, connections, now=lambda: WHO["at"], author="ada", new_run=lambda: "run")
        return session.compare(Request(workflow="w", candidate="new", **more), Listener()).report


EXACT = "  - {name: correct, type: exact}\n"
JUDGED = "  - {name: good, type: recorded_label, labeler: 'judge:one'}\n"


def test_a_confidence_that_means_less_is_said_with_the_threshold_that_keeps_the_old_point(tmp_path: Path) -> None:
    """The incumbent is right nine times in ten when it says 0.9; the candidate only six times."""
    scorers = (
        "  - {name: correct, type: label, extract: json_field, field: answer}\n"
        "  - {name: sure, type: confidence, json_field: confidence, threshold: 0.9, keep: precision}\n"
    )
    bench = Bench(tmp_path, scorers, n=300)
    for name, right in (("old", 9), ("new", 6)):
        exchanges = []
        for index, case in enumerate(bench.cases):
            answer = "yes" if index % 10 < right or index % 3 == 0 else "no"
            sure = (0.9, 0.95, 0.99)[index % 3]
            reply = Reply(f'{{"answer": "{answer}", "confidence": {sure}}}')
            exchanges.append(Exchange(bench.bundles[name].behaviour, case.case_id, case.input_digest, reply=reply))
        bench.store.add_exchanges(exchanges)
    report = bench.compare()
    found = report.confidence[0]
    assert found.old_ece is not None
    assert found.new_ece is not None
    assert found.new_ece > found.old_ece
    assert found.brier_worse
    assert "confidence-moved" in [reason.code for reason in report.reasons]
    assert any("Calibration error" in note for note in report.notes)


def test_another_judge_on_the_other_arm_is_refused(tmp_path: Path) -> None:
    """The candidate's outputs were judged by somebody else."""
    bench = Bench(tmp_path, JUDGED)
    for name, labeler in (("old", "judge:one"), ("new", "judge:two")):
        bench.answer(name)
        bench.label(name, labeler)
    with pytest.raises(NotComparableError) as refusal:
        bench.compare()
    assert "outputs of new were labelled by judge:two" in refusal.value.faults[0].what
    assert refusal.value.faults[0].fix


def test_a_labeler_that_nobody_is_gets_the_near_names(tmp_path: Path) -> None:
    """A slip in workflow.yaml is not a missing label."""
    bench = Bench(tmp_path, JUDGED.replace("judge:one", "judge:on"))
    for name in ("old", "new"):
        bench.answer(name)
        bench.label(name, "judge:one")
    with pytest.raises(NotFoundError, match="Did you mean 'judge:one'"):
        bench.compare()


def test_arms_measured_on_different_suites_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    """Choosing a suite makes the cases that an arm lacks count as missing."""
    bench = Bench(tmp_path, EXACT)
    other = bench.store.add_suite("w", "main", bench.cases[:20], **WHO)
    bench.bundles["new"] = bench.add_bundle("new", other.digest)
    for name in ("old", "new"):
        bench.answer(name)
    with pytest.raises(NotComparableError, match="was measured on suite") as refusal:
        bench.compare()
    assert other.digest[:10] in refusal.value.fix
    assert bench.compare(suite=other.digest).coverage.suite == 20


def test_costs_by_different_price_lists_are_worked_out_alike(tmp_path: Path) -> None:
    """The incumbent was paid by an old list: both arms are priced by today's, and the report says so."""
    bench = Bench(tmp_path, EXACT)
    prices = "prices:\n"
    for name in ("old", "new"):
        prices += f"  m-{name}: {{input_usd_per_mtok: 1.0, output_usd_per_mtok: 2.0}}\n"
        bench.answer(name, usage=Usage(100, 50), cost_microusd=1.0 if name == "old" else 9.0, cost_source=f"list of {name}")
    (tmp_path / "segue.yaml").write_text("version: 1\n" + prices)
    report = bench.compare()
    cost = next(one for one in report.operations if one.name == "cost")
    assert (cost.old.mean, cost.new.mean) == (200.0, 200.0)
    assert any("paid by different prices" in note for note in report.notes)


def test_costs_by_different_price_lists_without_a_price_are_refused(tmp_path: Path) -> None:
    """Nothing to price them by: the remedy is to name the price."""
    bench = Bench(tmp_path, EXACT)
    for name in ("old", "new"):
        bench.answer(name, usage=Usage(100, 50), cost_microusd=1.0, cost_source=f"list of {name}")
    with pytest.raises(NotComparableError, match="no price for m-old, m-new") as refusal:
        bench.compare()
    assert "prices: in segue.yaml" in refusal.value.fix


def test_a_corrected_expectation_is_judged_anew_and_no_model_is_asked(tmp_path: Path) -> None:
    """The answers stay; what was right by the old reference is wrong by the new one."""
    bench = Bench(tmp_path, EXACT)
    bench.answer("old")
    bench.answer("new")
    before = bench.compare()
    turned = [case.model_copy(update={"reference": "no"}) for case in bench.cases]
    suite = bench.store.add_suite("w", "main", turned, **WHO)
    after = bench.compare(suite=suite.digest)
    assert (before.findings[0].new.mean, after.findings[0].new.mean) == (1.0, 0.0)
    assert after.coverage.common == 30


def test_the_same_behaviour_twice_is_nothing_to_compare(tmp_path: Path) -> None:
    """Unless different repeats of it are asked for."""
    bench = Bench(tmp_path, EXACT)
    bench.answer("old")
    bench.store.set_label("w", "new", bench.bundles["old"].digest, **WHO)
    with pytest.raises(NotComparableError, match="nothing to compare"):
        bench.compare()


def test_results_of_an_earlier_text_of_a_case_are_not_used(tmp_path: Path) -> None:
    """They are counted as stale, and the case as missing."""
    bench = Bench(tmp_path, EXACT)
    bench.answer("old")
    bench.answer("new")
    changed = [
        case.model_copy(update={"messages": (Message(role="user", content="another question"),)}) for case in bench.cases[:5]
    ]
    suite = bench.store.add_suite("w", "main", [*changed, *bench.cases[5:]], **WHO)
    report = bench.compare(suite=suite.digest)
    assert (report.coverage.stale, report.coverage.common, report.coverage.neither) == (10, 25, 5)
    assert report.outcome == "hold"
