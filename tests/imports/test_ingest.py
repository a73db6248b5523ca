"""Storing what was read: a suite, a bundle per release, its exchanges and labels; twice is once."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.imports import ImportProgress, ImportSummary, ingest, read_layout, read_promptfoo
from segue.model import Bundle, ModelRef
from segue.store import Store, open_store
from tests.imports.builders import AT, Faults, a_case, a_folder, a_label, a_recording


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store("memory:" if request.param == "memory" else tmp_path / "state" / "segue.db")
    yield opened
    opened.close()


def bring(folder: Path, store: Store, faults: Faults | None = None, **options: Any) -> ImportSummary:
    report = Faults() if faults is None else faults
    where = options.pop("where", None)
    source = read_layout(folder, report=report.append, where=where)
    return ingest(source, store=store, workflow="support", suite_name="main", author="ada", at=AT, **options)


def test_each_release_becomes_a_bundle_that_replays_its_recordings(tmp_path: Path, store: Store) -> None:
    """Provider `recorded`, the release as recording, known parameters where they belong, the rest under `extra`."""
    params = {"temperature": 0.2, "max_tokens": 50, "mode": "prompt"}
    folder = a_folder(tmp_path / "d", recordings=[a_recording(params=params, latency_s=2, cost_usd=0.5)], labels=[a_label()])
    summary = bring(folder, store)
    bundle = store.find_bundle("support", "old").bundle
    assert bundle.model == ModelRef(provider="recorded", snapshot="old-2026", recording="old")
    assert (bundle.parameters.temperature, bundle.parameters.max_output_tokens) == (0.2, 50)
    assert bundle.parameters.extra == {"mode": "prompt"}
    assert bundle.suite == summary.suite.digest
    (case,) = store.iter_cases(summary.suite.digest)
    (exchange,) = store.iter_exchanges(bundle.behaviour)
    assert (exchange.input_digest, exchange.latency_ms, exchange.cost_microusd) == (case.input_digest, 2000, 500000)
    assert exchange.cost_source == "recording"
    (label,) = store.iter_labels(bundle.behaviour)
    assert (label.labeler, label.label, label.repeat) == ("rule", "1", None)


def test_importing_twice_changes_nothing(tmp_path: Path, store: Store) -> None:
    """No new bundle, exchange, label or entry of the log; a failure stays one failure."""
    folder = a_folder(
        tmp_path / "d",
        recordings=[a_recording(), a_recording(model="new", output=None, error="timeout")],
        labels=[a_label()],
    )
    first = bring(folder, store)
    log = [entry.hash for entry in store.iter_log()]
    second = bring(folder, store)
    assert (first.is_unchanged, second.is_unchanged) == (False, True)
    assert [entry.hash for entry in store.iter_log()] == log
    assert first.suite == second.suite
    assert first.bundle_labels == second.bundle_labels
    assert store.verify_log().holds


def test_a_grown_import_adds_what_is_new(tmp_path: Path, store: Store) -> None:
    """The suite is another one, the label moves to the bundle that names it, and the answers stay where they are."""
    before = bring(a_folder(tmp_path / "d"), store).releases[0]
    folder = a_folder(tmp_path / "d", cases=[a_case(), a_case("b")], recordings=[a_recording(), a_recording("b")])
    after = bring(folder, store).releases[0]
    assert (before.behaviour == after.behaviour, before.digest == after.digest) == (True, False)
    assert (after.exchanges, after.new_exchanges) == (2, 1)
    assert store.labels("support") == {"old": after.digest}


def test_what_fits_nothing_is_named_by_line_and_the_rest_is_stored(tmp_path: Path, store: Store) -> None:
    """Unknown cases, doubled keys, another snapshot, labels of nothing: each is a fault with its line."""
    folder = a_folder(
        tmp_path / "d",
        cases=[a_case(), a_case("b"), a_case()],
        recordings=[
            a_recording(),
            a_recording("unknown"),
            a_recording(output="again"),
            a_recording("b", snapshot="another"),
            a_recording("b", repeat=9),
            a_recording("b", repeat=9),
        ],
        labels=[a_label(), a_label("unknown"), a_label("b", repeat=3), a_label(model="none"), a_label("b", repeat=9)],
    )
    faults = Faults()
    summary = bring(folder, store, faults)
    assert faults.where() == [
        ("cases.jsonl", 3, "case_id"),
        ("recordings.jsonl", 2, "case_id"),
        ("recordings.jsonl", 3, None),
        ("recordings.jsonl", 4, "snapshot"),
        ("recordings.jsonl", 6, None),
        ("labels.jsonl", 2, "case_id"),
        ("labels.jsonl", 3, None),
        ("labels.jsonl", 4, None),
    ]
    assert (summary.cases.kept, summary.exchanges.kept, summary.labels.kept) == (2, 2, 2)
    assert (summary.cases.rejected, summary.exchanges.rejected, summary.labels.rejected) == (1, 4, 3)
    assert len(list(store.iter_exchanges(summary.releases[0].behaviour))) == 2


def test_labels_that_contradict_are_named_and_the_others_kept(tmp_path: Path, store: Store) -> None:
    """Of two labels of one labeler the first stays; a labeler that contradicts itself everywhere is given up with a word."""
    number = 80
    cases = [a_case(str(one)) for one in range(number)]
    recordings = [a_recording(str(one)) for one in range(number)]
    labels = [a_label(str(one), label=value) for value in (1, 0) for one in range(number)]
    labels.append(a_label("5", labeler="human", label="good"))
    faults = Faults()
    summary = bring(a_folder(tmp_path / "d", cases, recordings, labels), store, faults)
    behaviour = summary.releases[0].behaviour
    assert {label.label for label in store.iter_labels(behaviour, "rule")} == {"1"}
    assert store.labelers(behaviour) == ["human", "rule"]
    assert (summary.labels.kept, summary.labels.rejected) == (number + 1, number)
    assert len(faults) == 50
    assert faults[0].line == number + 1
    assert "further ones are not tried" in faults[-1].what


def test_releases_get_labels_and_never_take_one_that_is_another_s(tmp_path: Path, store: Store) -> None:
    """A name becomes letters, digits and `. _ - +`; a label of a bundle of the team's own stays where it is."""
    own = Bundle(workflow="support", model=ModelRef(provider="openai", snapshot="x"))
    store.add_bundle(own, author="ada", at=AT)
    store.set_label("support", "gpt-4", own.digest, author="ada", at=AT)
    names = ["gpt-4", "gpt 4", "llama+original", "gpt-4o (tau, tools)", "日本"]
    summary = bring(a_folder(tmp_path / "d", recordings=[a_recording(model=name) for name in names]), store)
    assert summary.bundle_labels == {
        "gpt 4": "gpt-4-2",
        "gpt-4": "gpt-4-3",
        "gpt-4o (tau, tools)": "gpt-4o-tau-tools",
        "llama+original": "llama+original",
        "日本": "release",
    }
    assert store.labels("support")["gpt-4"] == own.digest
    again = bring(tmp_path / "d", store)
    assert again.bundle_labels == summary.bundle_labels


def test_each_task_becomes_a_workflow_of_its_own(tmp_path: Path, store: Store) -> None:
    """What the selection leaves out is counted and not told; its parameters do not touch the bundle."""
    folder = a_folder(
        tmp_path / "d",
        cases=[a_case("a", task="sum"), a_case("b", task="poem")],
        recordings=[a_recording("a", params={"max_tokens": 1}), a_recording("b", params={"max_tokens": 2})],
        labels=[a_label("a"), a_label("b")],
    )
    faults = Faults()
    summary = bring(folder, store, faults, where={"task": "sum"})
    assert faults == []
    assert (summary.exchanges.kept, summary.exchanges.left_out, summary.labels.left_out) == (1, 1, 1)
    assert store.find_bundle("support", "old").bundle.parameters.max_output_tokens == 1


def test_parameters_that_differ_are_left_out_with_a_warning(tmp_path: Path, store: Store) -> None:
    """A bundle states nothing that does not hold for all its recordings, and no secret."""
    rows = [a_recording(params={"max_tokens": 1, "api_key": "sk-abcdefgh"}), a_recording("b", params={"max_tokens": 2})]
    rows[1]["params"]["api_key"] = "sk-abcdefgh"
    faults = Faults()
    bring(a_folder(tmp_path / "d", cases=[a_case(), a_case("b")], recordings=rows), store, faults)
    bundle = store.find_bundle("support", "old").bundle
    assert (bundle.parameters.max_output_tokens, bundle.parameters.extra) == (None, {})
    assert [fault.severity for fault in faults] == ["warning", "warning"]
    assert "max_tokens" in faults[1].what
    assert not any("sk-" in fault.sentence() for fault in faults)


def test_nothing_to_import_is_refused(tmp_path: Path, store: Store) -> None:
    """No case, or no recording: silence is no success."""
    with pytest.raises(InputError, match="no case"):
        bring(a_folder(tmp_path / "one", cases=[]), store)
    with pytest.raises(InputError, match="no recording"):
        bring(a_folder(tmp_path / "two", recordings=["{"]), store)
    assert store.list_bundles("support") == []


def test_a_release_of_which_nothing_could_be_kept_is_told(tmp_path: Path, store: Store) -> None:
    """Its bundle is there, and empty; the warning says so."""
    faults = Faults()
    folder = a_folder(tmp_path / "d", recordings=[a_recording(), a_recording(model="new", output=None)])
    summary = bring(folder, store, faults)
    assert [(one.release, one.exchanges) for one in summary.releases] == [("new", 0), ("old", 1)]
    assert "No recording of release 'new'" in faults[-1].what


def test_progress_is_told_by_stage(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch by batch, so that long imports are seen to move."""
    monkeypatch.setattr(import_module("segue.imports.ingest"), "BATCH", 2)
    ids = ["a", "b", "c"]
    folder = a_folder(
        tmp_path / "d", [a_case(one) for one in ids], [a_recording(one) for one in ids], [a_label(one) for one in ids]
    )
    steps: list[ImportProgress] = []
    bring(folder, store, progress=steps.append)
    assert [(step.stage, step.done) for step in steps] == [
        ("cases", 2),
        ("cases", 3),
        ("exchanges", 2),
        ("exchanges", 3),
        ("labels", 2),
        ("labels", 3),
    ]


def test_the_prompt_of_a_promptfoo_release_is_part_of_its_bundle(store: Store) -> None:
    """Two prompts on one provider are two behaviours; the outcome is written in a line each."""
    file = Path(__file__).with_name("promptfoo_results.json")
    faults = Faults()
    source = read_promptfoo(file, report=faults.append)
    summary = ingest(source, store=store, workflow="hours", suite_name="main", author="ada", at=AT)
    bundle = store.find_bundle("hours", "old-polite").bundle
    assert (bundle.prompt.system, bundle.prompt.template) == ("Answer in {{lang}}.", "{{question}}")
    assert (bundle.parameters.temperature, bundle.parameters.extra) == (0.2, {})
    assert [(fault.severity, "apiKey" in fault.what) for fault in faults] == [("warning", True)]
    lines = summary.lines()
    assert lines[0].startswith("suite main ")
    assert "old / polite → old-polite " in lines[2]
    assert "1 of them failures" in lines[1]
    assert summary.as_json()["counts"]["exchanges"]["kept"] == 4


@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abcx"), st.sampled_from(["old", "new"]), st.integers(0, 9), st.sampled_from(["1", "2"])),
        max_size=30,
    )
)
def test_the_store_holds_the_first_recording_of_each_known_key(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int, str]]
) -> None:
    """Whatever the order and the doubles: kept plus rejected is all there was, and importing again changes nothing."""
    first: dict[tuple[str, str, int], str] = {}
    for case_id, model, repeat, output in rows:
        if case_id != "x":
            first.setdefault((model, case_id, repeat), output)
    recordings = [a_recording(case_id, model, repeat=repeat, output=output) for case_id, model, repeat, output in rows]
    folder = a_folder(tmp_path_factory.mktemp("any"), [a_case(one) for one in "abc"], [*recordings, a_recording(model="last")])
    first["last", "a", 0] = "answer"
    store = open_store("memory:")
    summary = bring(folder, store)
    stored = {
        (one.release, exchange.case_id, exchange.repeat): exchange.reply.text
        for one in summary.releases
        for exchange in store.iter_exchanges(one.behaviour)
        if exchange.reply
    }
    assert stored == first
    assert (summary.exchanges.kept, summary.exchanges.rejected) == (len(first), len(rows) + 1 - len(first))
    assert bring(folder, store).is_unchanged
