"""What holds after any sequence of writes, and in whatever order they come."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from segue.errors import SegueError
from segue.model import Case, Exchange, Failure, Reply, Score, Usage
from segue.store import MemoryStore, RecordedLabel, Store, open_store
from segue.store.encoding import decode_json, decode_scores, encode_json, encode_scores
from tests.store.builders import a_bundle, a_digest

ids = st.sampled_from(["a", "b", "B", "é", "\U0001f642", "10", "9"])
keys = st.tuples(ids, st.sampled_from(["i", "j"]), st.integers(0, 11))
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
counts = st.none() | st.integers(0, 2**40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
replies = st.builds(Reply, text=st.text(st.characters(codec=None)), refusal=st.none() | st.text())
failures = st.builds(
    Failure, kind=st.sampled_from(["timeout", "server"]), detail=st.text(max_size=2), attempts=st.integers(1, 2)
)
scores = st.lists(
    st.builds(
        Score, name=st.sampled_from(["x", "y"]), value=st.floats(allow_nan=False, allow_infinity=False), detail=json_values
    )
    | st.builds(Score, name=st.just("z"), status=st.just("unscored"), reason=st.text()),
    max_size=3,
    unique_by=lambda score: score.name,
)


@st.composite
def exchanges(draw: st.DrawFn, *, may_fail: bool = True) -> Exchange:
    case_id, input_digest, repeat = draw(keys)
    fails = may_fail and draw(st.booleans())
    return Exchange(
        draw(st.sampled_from(["old", "new"])),
        case_id,
        input_digest,
        repeat,
        reply=None if fails else draw(replies),
        failure=draw(failures) if fails else None,
        usage=draw(st.builds(Usage, counts, counts, counts, counts)),
        latency_ms=draw(numbers),
    )


def all_of(store: Store) -> dict[str, Any]:
    """Everything a store can be asked, apart from the log."""
    return {
        **{f"exchanges {one}": list(store.iter_exchanges(one)) for one in ("old", "new")},
        **{f"arm {one}": list(store.iter_arm(one, ["s", "t"])) for one in ("old", "new")},
        **{f"labels {one}": list(store.iter_labels(one)) for one in ("old", "new")},
        **{f"scores {one}": list(store.iter_scores("new", one)) for one in ("s", "t")},
        "finished": [store.finished("new"), store.finished("new", with_failures=True)],
        "open": [store.open_attempts("r1"), store.open_attempts("r2")],
        "bundles": store.list_bundles("refunds"),
        "pointers": store.labels("refunds"),
        "suites": [(one, list(store.iter_cases(one.digest)), list(store.iter_case_rows(one.digest))) for one in listed(store)],
        "runs": store.list_runs("refunds"),
        "verdicts": store.list_verdicts("refunds"),
    }


def listed(store: Store) -> list[Any]:
    return [*store.list_suites("refunds"), *store.list_suites("other")]


@settings(max_examples=30)
@given(
    st.lists(exchanges(may_fail=False), unique_by=lambda one: (one.behaviour, one.case_id, one.input_digest, one.repeat)),
    st.data(),
)
def test_the_order_of_adding_does_not_matter(empty_sqlite: Path, given_exchanges: list[Exchange], data: st.DataObject) -> None:
    """Nor into how many calls it is split, nor whether scores come before the replies they are of."""
    shuffled = data.draw(st.permutations(given_exchanges))
    cut = data.draw(st.integers(0, len(shuffled)))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty_sqlite, Path(folder) / "state.db")
        one, other = MemoryStore(), open_store(Path(folder) / "state.db")
        one.add_exchanges(given_exchanges)
        other.add_scores("new", "s", [(x.case_id, x.input_digest, x.repeat, [Score("n", 1.0)]) for x in shuffled])
        other.add_exchanges(shuffled[:cut])
        other.add_exchanges(shuffled[cut:])
        one.add_scores("new", "s", [(x.case_id, x.input_digest, x.repeat, [Score("n", 1.0)]) for x in given_exchanges])
        assert all_of(one) == all_of(other)
        other.close()


@given(json_values)
def test_json_comes_back_as_it_was_written(value: Any) -> None:
    """Whatever text is in it."""
    assert decode_json(encode_json(value)) == value


@given(scores)
def test_scores_come_back_as_they_were_written(given_scores: list[Score]) -> None:
    """Plain or with all that can be said of them."""
    assert list(decode_scores(*encode_scores(given_scores))) == given_scores


class TwoStores(RuleBasedStateMachine):
    """Whatever is done, SQLite answers as the fake does, refuses as it does, and its chain holds."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        shutil.copy(self.template, Path(self.folder.name) / "state.db")
        self.fake, self.sqlite = MemoryStore(), open_store(Path(self.folder.name) / "state.db")
        self.is_dirty = False

    def both(self, method: str, *args: Any, **named: Any) -> None:
        told = []
        for store in (self.fake, self.sqlite):
            try:
                told.append(getattr(store, method)(*args, **named))
            except SegueError as error:
                told.append((type(error), error.what, error.faults))
        assert told[0] == told[1]
        self.is_dirty = True

    @rule(batch=st.lists(exchanges(), max_size=6))
    def add_exchanges(self, batch: list[Exchange]) -> None:
        self.both("add_exchanges", batch)

    @rule(run=st.sampled_from(["r1", "r2"]), batch=st.lists(keys, max_size=3))
    def begin_attempts(self, run: str, batch: list[tuple[str, str, int]]) -> None:
        self.both("begin_attempts", run, [("new", *key) for key in batch])

    @rule(scorer=st.sampled_from(["s", "t"]), batch=st.lists(st.tuples(keys, scores), max_size=4))
    def add_scores(self, scorer: str, batch: list[tuple[tuple[str, str, int], list[Score]]]) -> None:
        self.both("add_scores", "new", scorer, [(*key, one) for key, one in batch])

    @rule(
        batch=st.lists(
            st.builds(RecordedLabel, ids, st.sampled_from(["h", "rule"]), st.sampled_from("yn"), st.none() | st.integers(0, 2)),
            max_size=3,
        )
    )
    def add_labels(self, batch: list[RecordedLabel]) -> None:
        self.both("add_labels", "new", batch)

    @rule(prompt=st.sampled_from("abc"), label=st.sampled_from(["prod", "next"]), adds=st.booleans())
    def add_and_point(self, prompt: str, label: str, adds: bool) -> None:
        if adds:
            self.both("add_bundle", a_bundle(prompt), author="ada", at="t")
        self.both("set_label", "refunds", label, a_bundle(prompt).digest, author="ada", at="t")

    @rule(
        workflow=st.sampled_from(["refunds", "other"]),
        cases=st.lists(st.builds(Case, case_id=ids, critical=st.booleans()), max_size=4),
    )
    def add_suite(self, workflow: str, cases: list[Case]) -> None:
        self.both("add_suite", workflow, "main", cases, author="ada", at="t")

    @rule(run=st.sampled_from(["r1", "r2"]), body=json_values, ends=st.booleans())
    def add_or_finish_run(self, run: str, body: Any, ends: bool) -> None:
        if ends:
            self.both("finish_run", run, body, author="ada", at="t")
        else:
            self.both("add_run", run, "refunds", body, author="ada", at="t")

    @rule(name=st.sampled_from("vw"), body=json_values)
    def add_verdict(self, name: str, body: Any) -> None:
        self.both("add_verdict", a_digest(name), "refunds", body, author="ada", at="t")

    @rule(body=json_values)
    def append_log(self, body: Any) -> None:
        self.both("append_log", "note", "s", body, author="ada", at="t")

    @precondition(lambda self: self.is_dirty)
    @invariant()
    def both_hold_the_same(self) -> None:
        assert all_of(self.fake) == all_of(self.sqlite)
        assert list(self.fake.iter_log()) == list(self.sqlite.iter_log())
        assert self.fake.verify_log() == self.sqlite.verify_log()
        assert self.sqlite.verify_log().holds
        self.is_dirty = False

    def teardown(self) -> None:
        self.sqlite.close()
        self.folder.cleanup()


def test_sqlite_and_the_fake_agree_after_any_sequence(empty_sqlite: Path) -> None:
    """Of writes that succeed and writes that are refused."""
    TwoStores.template = empty_sqlite
    run_state_machine_as_test(TwoStores, settings=settings(max_examples=15, stateful_step_count=12, deadline=None))
