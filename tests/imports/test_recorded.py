"""The recorded upgrades, read completely: counts as their READMEs state them, and no fault."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from segue.imports import ingest, read_layout, read_table
from segue.imports.layout import LayoutSource
from segue.store import open_store
from tests.imports.builders import AT, LLMDRIFT_HEADER, Faults

pytestmark = pytest.mark.recorded

COUNTS = {
    "llmdrift": (2656, 10624, 10824, 4),
    "bfcl": (1390, 11120, 11120, 8),
    "xstest": (450, 1350, 6750, 3),
    "taubench_airline": (50, 200, 200, 1),
}


@pytest.mark.parametrize("name", list(COUNTS))
def test_every_data_set_is_read_completely_without_a_fault(segue_data: Path, name: str) -> None:
    """Cases, recordings, labels and releases as the README counts them."""
    faults = Faults()
    source = read_layout(segue_data / name, report=faults.append)
    read = tuple(sum(1 for _ in stream) for stream in (source.cases(), source.exchanges(), source.labels()))
    assert (*read, len(source.releases())) == COUNTS[name]
    assert faults == []


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "llmdrift"])
def test_every_data_set_can_be_stored_without_a_fault(segue_data: Path, name: str) -> None:
    """And a second time without a change."""
    cases, recordings, labels, releases = COUNTS[name]
    store, faults = open_store("memory:"), Faults()
    for is_again in (False, True):
        source = read_layout(segue_data / name, report=faults.append)
        summary = ingest(source, store=store, workflow=name, suite_name="main", author="ada", at=AT)
        assert (summary.cases.kept, summary.exchanges.kept, summary.labels.kept) == (cases, recordings, labels)
        assert (len(summary.releases), summary.is_unchanged) == (releases, is_again)
    assert faults == []


def test_each_task_of_llmdrift_is_a_workflow_with_its_own_parameters(segue_data: Path) -> None:
    """LeetCode was recorded with another `max_tokens` than the other tasks: together the bundle states none, apart it does."""
    store, faults = open_store("memory:"), Faults()
    for task, tokens in (("leetcode", 2000), ("sensitiveq", 1000)):
        source = read_layout(segue_data / "llmdrift", report=faults.append, where={"task": task})
        ingest(source, store=store, workflow=task, suite_name="main", author="ada", at=AT)
        bundle = store.find_bundle(task, "gpt-4-0613").bundle
        assert (bundle.parameters.temperature, bundle.parameters.max_output_tokens) == (0.1, tokens)
    assert faults == []
    together = read_layout(segue_data / "llmdrift", report=faults.append)
    ingest(together, store=store, workflow="all", suite_name="main", author="ada", at=AT)
    assert [(fault.severity, "max_tokens" in fault.what) for fault in faults] == [("warning", True)] * 4


def test_system_messages_and_tools_arrive_as_they_were(segue_data: Path) -> None:
    """tau-bench's policy stands in a file of its folder; BFCL's schemas keep their own word for object."""
    policy = (segue_data / "taubench_airline" / "system.txt").read_text(encoding="utf-8")
    cases = list(read_layout(segue_data / "taubench_airline", report=Faults().append).cases())
    assert {case.messages[0].content for case in cases} == {policy}
    bfcl = read_layout(segue_data / "bfcl", report=Faults().append)
    assert {tool.parameters["type"] for case in bfcl.cases() for tool in case.tools} == {"dict"}
    kinds = Counter("calls" if one.reply and one.reply.tool_calls else "text" for one in bfcl.exchanges())
    assert kinds == {"calls": 4526, "text": 6594}


def test_the_same_answers_as_a_table_of_llmdrift_s_columns_read_the_same(segue_data: Path, tmp_path: Path) -> None:
    """The recordings, written as the published CSV has them, come back answer by answer through the preset."""
    for task in ("prime", "opinionqa"):
        layout = read_layout(segue_data / "llmdrift", report=Faults().append, where={"task": task})
        file = tmp_path / f"{task}.csv"
        _write_as_published(layout, file, task)
        faults = Faults()
        table = read_table(file, "llmdrift", report=faults.append)
        assert sum(1 for _ in table.cases()) == sum(1 for _ in layout.cases())
        for ours, theirs in zip(layout.exchanges(), table.exchanges(), strict=True):
            assert (ours.release, ours.reply, ours.repeat, ours.usage) == (
                theirs.release,
                theirs.reply,
                theirs.repeat,
                theirs.usage,
            )
            assert (ours.latency_ms, ours.cost_microusd, ours.at) == (theirs.latency_ms, theirs.cost_microusd, theirs.at)
        assert faults == []


def _write_as_published(layout: LayoutSource, file: Path, task: str) -> None:
    """Ids without the suffix that tells questions of one id apart: finding them is the preset's work."""
    cases = {case.case_id: case for case in layout.cases()}
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(LLMDRIFT_HEADER.split(","))
        for number, one in enumerate(layout.exchanges()):
            case = cases[one.case_id]
            source_id = one.case_id.removeprefix(f"{task}-").partition("#")[0]
            cost, latency = one.cost_microusd or 0, one.latency_ms or 0
            head = [number, number, f"openaichat/{one.release}", one.params["temperature"], one.params["max_tokens"], 0, task]
            what = [source_id, case.messages[0].text, case.reference if isinstance(case.reference, str) else ""]
            took = [
                one.reply.text if one.reply else "",
                latency / 1000,
                cost / 1e6,
                "20230716",
                one.at,
                one.usage.output_tokens,
            ]
            rows.writerow([*head, *what, *took, ""])
