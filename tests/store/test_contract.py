"""What every store does alike: the memory fake, SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from segue.errors import ConflictError, InputError, NotFoundError, StoreError
from segue.model import (
    Case,
    Exchange,
    Failure,
    Message,
    Reply,
    Score,
    TokenLogprob,
    ToolCall,
    Usage,
    digest_of,
    suite_digest,
)
from segue.store import ArmRow, CaseRow, Claim, RecordedLabel, Store
from tests.store.builders import WHO, a_bundle, a_case, a_digest, a_failure, a_reply, a_route, a_score
from tests.store.conftest import Place


class TestBundles:
    def test_a_bundle_comes_back_as_it_was_added(self, store: Store) -> None:
        """By its digest, with who added it and when."""
        bundle = a_bundle("Sei höflich. 🙂")
        assert store.add_bundle(bundle, **WHO)
        record = store.get_bundle(bundle.digest)
        assert (record.bundle, record.author, record.at) == (bundle, "ada", "2024-05-01T12:00:00Z")

    def test_adding_a_bundle_again_changes_nothing(self, store: Store) -> None:
        """The first author stays, and the log has one entry."""
        store.add_bundle(a_bundle(), **WHO)
        assert not store.add_bundle(a_bundle(), author="bob", at="later")
        assert store.get_bundle(a_bundle().digest).author == "ada"
        assert len(list(store.iter_log())) == 1

    def test_bundles_are_listed_oldest_first_and_per_workflow(self, store: Store) -> None:
        """Another workflow's bundles do not show."""
        prompts = ["z", "a", "m"]
        for prompt in prompts:
            store.add_bundle(a_bundle(prompt), **WHO)
        store.add_bundle(a_bundle(workflow="other"), **WHO)
        assert [one.bundle.prompt.system for one in store.list_bundles("refunds")] == prompts
        assert store.list_bundles("nothing") == []

    def test_a_bundle_is_found_by_label_digest_or_prefix(self, store: Store) -> None:
        """In upper case too, as git does; never in another workflow."""
        bundle = a_bundle()
        store.add_bundle(bundle, **WHO)
        store.set_label("refunds", "prod", bundle.digest, **WHO)
        for ref in ("prod", bundle.digest, bundle.digest[:4], bundle.digest[:12].upper()):
            assert store.find_bundle("refunds", ref).bundle == bundle
        with pytest.raises(NotFoundError):
            store.find_bundle("other", bundle.digest)

    def test_an_unknown_ref_names_the_near_ones(self, store: Store) -> None:
        """Three digits are too few to mean a digest."""
        store.add_bundle(a_bundle(), **WHO)
        store.set_label("refunds", "production", a_bundle().digest, **WHO)
        with pytest.raises(NotFoundError, match="Did you mean 'production'"):
            store.find_bundle("refunds", "producton")
        with pytest.raises(NotFoundError):
            store.find_bundle("refunds", a_bundle().digest[:3])
        with pytest.raises(NotFoundError):
            store.get_bundle(a_digest("nothing"))

    def test_a_prefix_of_two_bundles_is_ambiguous(self, store: Store) -> None:
        """Told with enough digits to tell them apart."""
        by_prefix: dict[str, str] = {}
        for number in range(3000):
            bundle = a_bundle(str(number))
            other = by_prefix.setdefault(bundle.digest[:4], str(number))
            if other != str(number):
                break
        first, second = a_bundle(other), a_bundle(str(number))
        store.add_bundle(first, **WHO)
        store.add_bundle(second, **WHO)
        with pytest.raises(ConflictError) as caught:
            store.find_bundle("refunds", first.digest[:4])
        assert first.digest[:12] in caught.value.what
        assert second.digest[:12] in caught.value.what


class TestLabels:
    def test_a_label_moves_and_every_move_is_in_the_log(self, store: Store) -> None:
        """Setting it where it is already is no move."""
        old, new = a_bundle("old"), a_bundle("new")
        store.add_bundle(old, **WHO)
        store.add_bundle(new, **WHO)
        assert store.set_label("refunds", "prod", old.digest, **WHO) is None
        assert store.set_label("refunds", "prod", new.digest, **WHO) == old.digest
        assert store.set_label("refunds", "prod", new.digest, **WHO) == new.digest
        assert store.labels("refunds") == {"prod": new.digest}
        assert store.labels("other") == {}
        moves = [entry.body for entry in store.iter_log() if entry.kind == "label-moved"]
        assert [(move["before"], move["digest"]) for move in moves] == [(None, old.digest), (old.digest, new.digest)]
        assert store.verify_log().holds

    def test_a_label_points_only_at_a_bundle_of_its_workflow(self, store: Store) -> None:
        """Neither an unknown digest nor another workflow's bundle."""
        store.add_bundle(a_bundle(workflow="other"), **WHO)
        for digest in (a_digest("nothing"), a_bundle(workflow="other").digest):
            with pytest.raises(NotFoundError):
                store.set_label("refunds", "prod", digest, **WHO)
        assert store.labels("refunds") == {}


class TestSuites:
    def test_a_suite_has_the_digest_of_the_model_whatever_the_order(self, store: Store) -> None:
        """The store's streaming digest is the one `segue.model` works out."""
        cases = [a_case(case_id) for case_id in ("z", "ä", "a", '"q"', "\U0001f642", "\uffff", "A")]
        suite = store.add_suite("refunds", "main", iter(cases), **WHO)
        again = store.add_suite("refunds", "main", reversed(cases), **WHO)
        assert suite == again
        assert suite.digest == suite_digest((case.case_id, case.digest) for case in cases)
        assert (suite.n_cases, suite.name, suite.workflow) == (7, "main", "refunds")
        assert store.get_suite(suite.digest) == suite
        assert store.list_suites("refunds") == [suite]
        assert store.verify_log().n_entries == 1

    def test_cases_come_in_the_order_of_code_points(self, store: Store) -> None:
        """Not in that of a language, nor of UTF-16."""
        ids = ["b", "B", "a", "Z", "ä", "é", "10", "9", "\U0001f642", "\uffff", "a b", "a-b"]
        suite = store.add_suite("refunds", "main", map(a_case, ids), **WHO)
        assert [case.case_id for case in store.iter_cases(suite.digest)] == sorted(ids)
        assert [row.case_id for row in store.iter_case_rows(suite.digest)] == sorted(ids)

    def test_a_case_comes_back_whole_and_light(self, store: Store) -> None:
        """With everything a comparison needs of it in the light form."""
        case = Case(
            case_id="c",
            task="refund",
            slice={"lang": "de"},
            messages=(Message(role="user", content="Hallo"), Message(role="assistant", tool_calls=(ToolCall(name="t"),))),
            reference={"answer": [1, 2.5, None, True]},
            kind="red-team",
            critical=True,
            cluster="doc-1",
            metadata={"from": "ticket"},
        )
        suite = store.add_suite("refunds", "main", [case], **WHO)
        assert list(store.iter_cases(suite.digest)) == [case]
        slices = {"task": "refund", "lang": "de"}
        assert list(store.iter_case_rows(suite.digest)) == [
            CaseRow("c", case.input_digest, "refund", slices, "red-team", True, "doc-1")
        ]

    def test_a_new_version_that_changes_one_case_is_another_suite(self, store: Store) -> None:
        """The old one stays as it was."""
        first = store.add_suite("refunds", "main", [a_case("a"), a_case("b")], **WHO)
        second = store.add_suite("refunds", "main", [a_case("a"), a_case("b", critical=True)], **WHO)
        assert [case.critical for case in store.iter_cases(first.digest)] == [False, False]
        assert [case.critical for case in store.iter_cases(second.digest)] == [False, True]
        assert store.list_suites("refunds") == [first, second]
        assert store.verify_log().holds

    def test_the_same_cases_under_another_name_are_listed_there_too(self, store: Store) -> None:
        """One digest; `get_suite` gives the name it was first added under."""
        first = store.add_suite("refunds", "main", [a_case()], **WHO)
        second = store.add_suite("invoices", "copy", [a_case()], **WHO)
        assert first.digest == second.digest
        assert store.list_suites("invoices") == [second]
        assert store.get_suite(first.digest) == first
        assert store.verify_log().holds

    def test_two_cases_with_one_id_are_refused_and_all_of_them_named(self, store: Store) -> None:
        """Whether they differ or not, and nothing is stored."""
        cases = [a_case("a"), a_case("b"), a_case("a", critical=True), a_case("b"), a_case("c")]
        with pytest.raises(ConflictError) as caught:
            store.add_suite("refunds", "main", cases, **WHO)
        assert [fault.path for fault in caught.value.faults] == ["a", "b"]
        assert store.list_suites("refunds") == []
        assert store.verify_log().n_entries == 0

    def test_one_case_given_twice_is_refused_across_batches(self, store: Store) -> None:
        """However far apart the two are."""
        case = a_case("same")
        cases = [case, *(Case(case_id=f"c{number}") for number in range(1200)), case]
        with pytest.raises(ConflictError, match="'same'"):
            store.add_suite("refunds", "main", iter(cases), **WHO)

    def test_an_empty_suite_is_a_suite(self, store: Store) -> None:
        """Whether it may gate anything is for others to say."""
        suite = store.add_suite("refunds", "main", [], **WHO)
        assert (suite.digest, suite.n_cases) == (digest_of([]), 0)
        assert list(store.iter_cases(suite.digest)) == []

    def test_only_the_cases_asked_for_come(self, store: Store) -> None:
        """In order, once each; ids the suite does not have are passed over."""
        suite = store.add_suite("refunds", "main", [Case(case_id=f"c{number:04}") for number in range(1200)], **WHO)
        wanted = [f"c{number:04}" for number in range(1100, 0, -1)]
        found = [case.case_id for case in store.iter_cases(suite.digest, case_ids=[*wanted, "c0001", "nothing"])]
        assert found == sorted(wanted)
        assert list(store.iter_cases(suite.digest, case_ids=[])) == []

    def test_an_unknown_suite_is_not_an_empty_one(self, store: Store) -> None:
        """Whatever is asked of it."""
        digest = a_digest("nothing")
        for ask in (store.get_suite, store.iter_cases, store.iter_case_rows):
            with pytest.raises(NotFoundError):
                ask(digest)

    def test_a_suite_whose_source_breaks_off_leaves_nothing(self, store: Store) -> None:
        """The error of the source is what the caller sees."""

        def broken() -> Iterator[Case]:
            yield from map(a_case, ("a", "b"))
            raise RuntimeError("the file ended")

        with pytest.raises(RuntimeError, match="the file ended"):
            store.add_suite("refunds", "main", broken(), **WHO)
        assert store.list_suites("refunds") == []
        assert store.add_suite("refunds", "main", [a_case("a")], **WHO).n_cases == 1


class TestExchanges:
    def test_sources_of_costs_are_named_once_and_an_unknown_cost_has_none(self, store: Store) -> None:
        """Two price lists, and a reply whose cost is not known."""
        store.add_exchanges(
            [
                a_reply("c1", cost_microusd=3.0, cost_source="list of May"),
                a_reply("c2", cost_microusd=4.0, cost_source="list of June"),
                a_reply("c3", cost_microusd=5.0, cost_source="list of May"),
                a_reply("c4", cost_source="unknown: no usage"),
            ]
        )
        assert store.cost_sources("b") == ["list of June", "list of May"]
        assert store.cost_sources("nobody") == []

    def test_an_exchange_comes_back_as_it_was_added(self, store: Store) -> None:
        """All of a reply, all of what it took."""
        reply = Reply(
            text="Ja\u2028\x00 und \ud800 nein",
            tool_calls=(ToolCall(name="refund", arguments='{"broken', id="1"), ToolCall(name="f")),
            trajectory=(Message(role="user", content="?"), Message(role="assistant", content="!")),
            finish_reason="tool_calls",
            refusal="",
            logprobs=(TokenLogprob("a", -0.1), TokenLogprob("b", float("-inf"))),
        )
        exchange = Exchange(
            "b", "c", a_digest("c"), 3, reply=reply, usage=Usage(1, 2, 0, 4), latency_ms=7923000.5, ttft_ms=0.25,
            cost_microusd=12.5, cost_source="prices 2024-05", at="2024-05-01T12:00:00Z",
        )  # fmt: skip
        failure = Exchange("b", "d", "i", failure=Failure("rate_limit", "slow\x00 down \udc80", attempts=4), latency_ms=1.0)
        assert store.add_exchanges([exchange, failure]) == 2
        assert list(store.iter_exchanges("b")) == [exchange, failure]

    def test_what_is_unknown_stays_unknown(self, store: Store) -> None:
        """`None` never becomes zero."""
        store.add_exchanges([a_reply()])
        assert next(store.iter_exchanges("b")) == a_reply()
        assert list(store.iter_arm("b", [])) == [ArmRow("c1", "i", 0, "reply")]

    def test_the_first_reply_of_a_key_stays(self, store: Store) -> None:
        """Neither a second reply nor a later failure takes its place, in one call or in several."""
        assert store.add_exchanges([a_reply(text="first"), a_reply(text="second"), a_failure()]) == 1
        assert store.add_exchanges([a_reply(text="third")]) == 0
        assert store.add_exchanges([a_failure()]) == 0
        assert [one.reply for one in store.iter_exchanges("b")] == [Reply("first")]

    def test_a_reply_takes_the_place_of_earlier_failures(self, store: Store) -> None:
        """In one call or in several."""
        assert store.add_exchanges([a_failure("a"), a_reply("a"), a_failure("b")]) == 3
        assert store.add_exchanges([a_reply("b")]) == 1
        assert [one.reply is not None for one in store.iter_exchanges("b")] == [True, True]
        assert [row.status for row in store.iter_arm("b", [])] == ["reply", "reply"]

    def test_the_last_failure_of_a_key_is_seen(self, store: Store) -> None:
        """The very same failure again is not new, so importing a file twice adds nothing."""
        assert store.add_exchanges([a_failure(detail="first"), a_failure(detail="second")]) == 2
        assert store.add_exchanges([a_failure(detail="second")]) == 0
        assert [one.failure for one in store.iter_exchanges("b")] == [Failure("timeout", "second")]
        row = ArmRow("c1", "i", 0, "failure", failure_kind="timeout")
        assert list(store.iter_arm("b", [])) == [row]

    def test_finished_tells_replies_from_failures(self, store: Store) -> None:
        """A failure counts only if asked for."""
        store.add_exchanges([a_reply("a"), a_failure("b"), a_reply("c", repeat=2), a_reply("a", behaviour="other")])
        assert store.finished("b") == {("a", "i", 0), ("c", "i", 2)}
        assert store.finished("b", with_failures=True) == {("a", "i", 0), ("b", "i", 0), ("c", "i", 2)}
        assert store.finished("nothing") == set()

    def test_exchanges_come_in_the_order_of_their_keys(self, store: Store) -> None:
        """Case by code points, then input, then repeat as a number."""
        keys = [
            ("b", "i", 10),
            ("b", "i", 9),
            ("a", "j", 0),
            ("a", "i", 0),
            ("é", "i", 0),
            ("Z", "i", 0),
            ("\U0001f642", "i", 0),
        ]
        store.add_exchanges(Exchange("b", *key, reply=Reply("x")) for key in keys)
        found = [(one.case_id, one.input_digest, one.repeat) for one in store.iter_exchanges("b")]
        assert found == sorted(keys)
        assert [(row.case_id, row.input_digest, row.repeat) for row in store.iter_arm("b", [])] == sorted(keys)

    def test_only_the_exchanges_of_the_cases_asked_for_come(self, store: Store) -> None:
        """With all their repeats."""
        store.add_exchanges(a_reply(f"c{number:04}", repeat=repeat) for number in range(700) for repeat in (0, 1))
        wanted = [f"c{number:04}" for number in range(600)]
        found = [(one.case_id, one.repeat) for one in store.iter_exchanges("b", case_ids=wanted[::-1])]
        assert found == [(case_id, repeat) for case_id in wanted for repeat in (0, 1)]

    def test_more_than_a_batch_with_failures_among_them(self, store: Store) -> None:
        """Every third fails first and succeeds later in the same call."""
        exchanges = []
        for number in range(2500):
            if number % 3 == 0:
                exchanges.append(a_failure(f"c{number}"))
            exchanges.append(a_reply(f"c{number}"))
        assert store.add_exchanges(iter(exchanges)) == len(exchanges)
        assert store.add_exchanges(iter(exchanges)) == 0
        assert len(store.finished("b")) == 2500

    def test_a_call_that_breaks_off_stores_nothing(self, store: Store) -> None:
        """One call is one transaction; the next one works."""

        def broken() -> Iterator[Exchange]:
            yield from (a_reply(f"c{number}", behaviour="new") for number in range(1500))
            raise RuntimeError("the connection ended")

        with pytest.raises(RuntimeError):
            store.add_exchanges(broken())
        assert store.finished("new") == set()
        assert store.add_exchanges([a_reply(behaviour="new")]) == 1
        assert store.finished("new") == {("c1", "i", 0)}

    @pytest.mark.parametrize(
        "exchange",
        [
            a_reply("a\0b"),
            a_reply("a\ud800"),
            a_reply(latency_ms=float("nan")),
            a_reply(cost_microusd=float("inf")),
        ],
        ids=["nul", "surrogate", "nan", "infinite"],
    )
    def test_what_no_database_can_keep_is_refused_by_all(self, store: Store, exchange: Exchange) -> None:
        """And the good one beside it is not stored either."""
        with pytest.raises(InputError):
            store.add_exchanges([a_reply("good"), exchange])
        assert store.finished("b") == set()

    def test_nothing_to_add_is_no_error(self, store: Store) -> None:
        """Of any kind."""
        assert store.add_exchanges([]) == 0
        assert store.add_scores("b", "s", []) == 0
        assert store.add_labels("b", []) == 0
        store.begin_attempts("run", [])
        assert list(store.iter_exchanges("b")) == []
        assert list(store.iter_arm("b", ["s"])) == []

    def test_writes_from_many_threads_while_others_read(self, store: Store) -> None:
        """Nothing is lost, nothing is counted twice, and readers never see half a call."""
        added: list[int] = []
        odd: list[int] = []

        def write(first: int) -> None:
            for number in range(first, first + 20):
                added.append(store.add_exchanges([a_reply(f"c{number}"), a_reply(f"c{number}", repeat=1)]))

        def read() -> None:
            for _ in range(20):
                count = sum(1 for _ in store.iter_arm("b", []))
                if count % 2:
                    odd.append(count)

        threads = [threading.Thread(target=write, args=(first,)) for first in (0, 10, 40)]
        threads += [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (sum(added), odd) == (100, [])
        assert len(store.finished("b")) == 100


class TestScores:
    def test_scores_come_back_as_they_were_added(self, store: Store) -> None:
        """Plain ones, and ones with all there is to a score."""
        whole = (
            Score("label", 1.0, label="refund \ud800", detail={"read": ["refund", 1, None]}),
            Score("tone", status="unscored", reason="no judge\0"),
            Score("length", 0.1 + 0.2),
        )
        rows = [("a", "i", 0, (a_score(),)), ("a", "i", 1, whole), ("b", "i", 0, ())]
        assert store.add_scores("b", "s", iter(rows)) == 3
        assert list(store.iter_scores("b", "s")) == rows

    def test_scores_of_some_cases_alone(self, store: Store) -> None:
        """In the same order, whatever the order they are asked in; more cases than fit one statement are no matter."""
        rows = [(f"c{number:04}", "i", repeat, (a_score(),)) for number in range(1200) for repeat in range(2)]
        store.add_scores("b", "s", iter(rows))
        assert list(store.iter_scores("b", "s", case_ids=["c0007", "none", "c0003"])) == [*rows[6:8], *rows[14:16]]
        assert list(store.iter_scores("b", "s", case_ids=[])) == []
        assert list(store.iter_scores("b", "s", case_ids=[row[0] for row in rows[::-1]])) == rows

    def test_the_first_scores_of_a_key_stay(self, store: Store) -> None:
        """Of another scorer or behaviour, a key is another key."""
        assert store.add_scores("b", "s", [("a", "i", 0, [a_score(1.0)]), ("a", "i", 0, [a_score(0.0)])]) == 1
        assert store.add_scores("b", "s", [("a", "i", 0, [Score("correct", 0.0, label="x")])]) == 0
        assert store.add_scores("b", "t", [("a", "i", 0, [a_score(0.5)])]) == 1
        assert store.add_scores("c", "s", [("a", "i", 0, [a_score(0.25)])]) == 1
        assert [one[3] for one in store.iter_scores("b", "s")] == [(a_score(1.0),)]

    def test_scored_with_nothing_is_still_scored(self, store: Store) -> None:
        """A scorer that does not apply to a case is not asked again."""
        store.add_scores("b", "s", [("a", "i", 0, [])])
        assert store.scored("b", "s") == {("a", "i", 0)}
        assert store.scored("b", "t") == set()

    def test_an_arm_has_the_scores_of_the_scorers_asked_for(self, store: Store) -> None:
        """Tried but not scored is `None`; never scored is absent; a failure has none."""
        store.add_exchanges([a_reply("a"), a_reply("b"), a_reply("b", repeat=1), a_failure("c")])
        store.add_scores("b", "s", [("b", "i", 0, [a_score(0.0)]), ("a", "i", 0, [a_score(1.0)]), ("x", "i", 0, [a_score()])])
        store.add_scores("b", "t", [("a", "i", 0, [Score("tone", status="error", reason="judge down"), a_score(0.5, "len")])])
        store.add_scores("b", "u", [("a", "i", 0, [a_score(0.0, "other")])])
        scores = [(row.case_id, row.repeat, dict(row.scores)) for row in store.iter_arm("b", ["s", "t"])]
        assert scores == [
            ("a", 0, {"correct": 1.0, "tone": None, "len": 0.5}),
            ("b", 0, {"correct": 0.0}),
            ("b", 1, {}),
            ("c", 0, {}),
        ]
        assert [dict(row.scores) for row in store.iter_arm("b", ["nothing"])] == [{}, {}, {}, {}]

    def test_an_arm_carries_what_each_call_took(self, store: Store) -> None:
        """Without reading a reply."""
        store.add_exchanges([a_reply(usage=Usage(1, 2, 3, 4), latency_ms=5.0, ttft_ms=6.0, cost_microusd=7.0)])
        assert list(store.iter_arm("b", [])) == [
            ArmRow("c1", "i", 0, "reply", None, 5.0, 6.0, 7.0, input_tokens=1, output_tokens=2, reasoning_tokens=3)
        ]

    def test_a_score_that_is_no_number_is_refused(self, store: Store) -> None:
        """It would come back as something else."""
        with pytest.raises(InputError, match="finite"):
            store.add_scores("b", "s", [("a", "i", 0, [a_score(float("nan"))])])
        assert store.scored("b", "s") == set()


class TestRecordedLabels:
    def test_labels_come_back_in_order(self, store: Store) -> None:
        """By case and repeat, the one for all repeats first."""
        labels = [
            RecordedLabel("b", "human-1", "yes", detail={"note": "ä"}),
            RecordedLabel("a", "rule", "no", repeat=1),
            RecordedLabel("a", "rule", "yes", repeat=0),
            RecordedLabel("a", "human-1", "yes"),
            RecordedLabel("a", "human-1", "no", repeat=0),
        ]
        assert store.add_labels("b", iter(labels)) == 5
        assert list(store.iter_labels("b")) == [labels[3], labels[4], labels[2], labels[1], labels[0]]
        assert list(store.iter_labels("b", "rule")) == [labels[2], labels[1]]
        assert store.labelers("b") == ["human-1", "rule"]
        assert (list(store.iter_labels("c")), store.labelers("c")) == ([], [])

    def test_the_same_label_again_is_not_new(self, store: Store) -> None:
        """Importing twice adds nothing."""
        label = RecordedLabel("a", "rule", "yes")
        assert store.add_labels("b", [label, label]) == 1
        assert store.add_labels("b", [label]) == 0

    def test_another_label_of_the_same_labeler_is_a_conflict(self, store: Store) -> None:
        """All of them are named, none of the call is stored, and no label is shown."""
        store.add_labels("b", [RecordedLabel("a", "rule", "yes"), RecordedLabel("b", "rule", "yes", repeat=1)])
        clashing = [
            RecordedLabel("new", "rule", "yes"),
            RecordedLabel("a", "rule", "secret"),
            RecordedLabel("b", "rule", "secret", repeat=1),
        ]
        with pytest.raises(ConflictError) as caught:
            store.add_labels("b", clashing)
        assert [fault.path for fault in caught.value.faults] == ["a", "b"]
        assert "secret" not in str(caught.value.as_json())
        assert len(list(store.iter_labels("b"))) == 2

    def test_a_label_within_one_call_can_clash_too(self, store: Store) -> None:
        """The order does not make one right."""
        with pytest.raises(ConflictError):
            store.add_labels("b", [RecordedLabel("a", "rule", "yes"), RecordedLabel("a", "rule", "no")])
        assert list(store.iter_labels("b")) == []

    @pytest.mark.parametrize("label", [RecordedLabel("a", "rule", "y\0"), RecordedLabel("a", "rule", "y", repeat=-1)])
    def test_a_label_that_cannot_be_kept_is_refused(self, store: Store, label: RecordedLabel) -> None:
        """A negative repeat would read as all repeats."""
        with pytest.raises(InputError):
            store.add_labels("b", [label])


class TestAttempts:
    def test_an_attempt_is_open_until_its_exchange_is_stored(self, store: Store) -> None:
        """A reply or a failure ends it; another run's attempts are another run's."""
        keys = [("b", "a", "i", 0), ("b", "b", "i", 0), ("c", "a", "i", 1)]
        store.begin_attempts("run-1", keys)
        store.begin_attempts("run-2", keys[:1])
        assert store.open_attempts("run-1") == set(keys)
        store.add_exchanges([a_reply("a"), a_failure("b")])
        assert store.open_attempts("run-1") == {("c", "a", "i", 1)}
        assert store.attempts("run-1") == set(keys)
        assert store.open_attempts("run-2") == set()
        assert store.open_attempts("nothing") == store.attempts("nothing") == set()

    def test_trying_again_after_a_failure_is_open_again(self, store: Store) -> None:
        """An earlier failure does not hide a call that may be lost, and the next failure ends it, however alike."""
        key = ("b", "c1", "i", 0)
        store.begin_attempts("run", [key])
        store.add_exchanges([a_failure()])
        assert store.open_attempts("run") == set()
        store.begin_attempts("run", [key])
        store.begin_attempts("run", [key])
        assert store.open_attempts("run") == {key}
        assert store.add_exchanges([a_failure()]) == 1
        assert store.open_attempts("run") == set()


class TestRuns:
    def test_a_run_has_a_beginning_and_then_an_end(self, store: Store) -> None:
        """Two records, two entries of the log."""
        store.add_run("r1", "refunds", {"repeats": 2, "z": 1, "a": [0.5, None]}, **WHO)
        assert store.get_run("r1") == ({"repeats": 2, "z": 1, "a": [0.5, None]}, None)
        store.finish_run("r1", {"done": 10}, **WHO)
        assert store.get_run("r1") == ({"repeats": 2, "z": 1, "a": [0.5, None]}, {"done": 10})
        assert [entry.kind for entry in store.iter_log()] == ["run-began", "run-finished"]

    def test_runs_are_listed_newest_first(self, store: Store) -> None:
        """Per workflow."""
        for number in range(3):
            store.add_run(f"r{number}", "refunds", {"n": number}, author="ada", at=f"t{number}")
        store.add_run("other", "invoices", {}, **WHO)
        store.finish_run("r1", {"done": True}, **WHO)
        assert store.list_runs("refunds") == [
            ("r2", "t2", {"n": 2}, None),
            ("r1", "t1", {"n": 1}, {"done": True}),
            ("r0", "t0", {"n": 0}, None),
        ]

    def test_a_run_is_recorded_once(self, store: Store) -> None:
        """The same again changes nothing; anything else is a conflict."""
        store.add_run("r", "refunds", {"a": 1, "b": 2}, **WHO)
        store.add_run("r", "refunds", {"b": 2, "a": 1}, author="bob", at="later")
        for workflow, body in (("refunds", {"a": 2}), ("other", {"a": 1, "b": 2})):
            with pytest.raises(ConflictError):
                store.add_run("r", workflow, body, **WHO)
        store.finish_run("r", {"done": 1}, **WHO)
        store.finish_run("r", {"done": 1}, **WHO)
        with pytest.raises(ConflictError):
            store.finish_run("r", {"done": 2}, **WHO)
        assert store.verify_log().n_entries == 2

    def test_an_unknown_run_has_neither(self, store: Store) -> None:
        """It cannot be ended either."""
        store.add_run("run-2024", "refunds", {}, **WHO)
        with pytest.raises(NotFoundError, match="run-2024"):
            store.get_run("run-2025")
        with pytest.raises(NotFoundError):
            store.finish_run("run-2025", {}, **WHO)

    def test_a_body_that_json_cannot_carry_is_refused(self, store: Store) -> None:
        """And leaves neither a record nor an entry."""
        with pytest.raises(InputError):
            store.add_run("r", "refunds", {"rate": float("nan")}, **WHO)
        with pytest.raises(InputError):
            store.add_run("r", "refunds", {"rate": object()}, **WHO)
        assert store.list_runs("refunds") == []
        assert store.verify_log().n_entries == 0

    def test_changing_a_body_afterwards_does_not_change_the_record(self, store: Store) -> None:
        """Neither the one that was given nor the one that was read."""
        body = {"list": [1]}
        store.add_run("r", "refunds", body, **WHO)
        body["list"].append(2)
        store.get_run("r")[0]["list"].append(3)
        assert store.get_run("r")[0] == {"list": [1]}
        assert store.verify_log().holds


class TestVerdicts:
    def test_a_verdict_is_found_by_digest_and_prefix(self, store: Store) -> None:
        """And by nothing else."""
        body = {"verdict": "hold", "n": 3}
        digest = digest_of(body)
        store.add_verdict(digest, "refunds", body, **WHO)
        assert store.get_verdict(digest) == (digest, body)
        assert store.get_verdict(digest[:6].upper()) == (digest, body)
        for ref in (a_digest("nothing"), digest[:3], "", "%"):
            with pytest.raises(NotFoundError):
                store.get_verdict(ref)

    def test_a_prefix_of_two_verdicts_is_ambiguous(self, store: Store) -> None:
        """More digits are asked for."""
        store.add_verdict("abcd" + "0" * 60, "refunds", {"n": 1}, **WHO)
        store.add_verdict("abcd" + "f" * 60, "refunds", {"n": 2}, **WHO)
        with pytest.raises(ConflictError):
            store.get_verdict("abcd")
        assert store.get_verdict("abcdf")[1] == {"n": 2}

    def test_verdicts_are_listed_newest_first(self, store: Store) -> None:
        """Per workflow."""
        for number in range(3):
            store.add_verdict(a_digest(str(number)), "refunds", {"n": number}, author="ada", at=f"t{number}")
        assert [(at, body["n"]) for _, at, body in store.list_verdicts("refunds")] == [("t2", 2), ("t1", 1), ("t0", 0)]
        assert store.list_verdicts("other") == []

    def test_a_verdict_is_recorded_once(self, store: Store) -> None:
        """The same again changes nothing; anything else is a conflict."""
        store.add_verdict(a_digest("v"), "refunds", {"n": 1}, **WHO)
        store.add_verdict(a_digest("v"), "refunds", {"n": 1}, **WHO)
        with pytest.raises(ConflictError):
            store.add_verdict(a_digest("v"), "refunds", {"n": 2}, **WHO)
        assert len(store.list_verdicts("refunds")) == 1


ADA, BOB = Claim("run-1", "2026-03-01T12:00:00Z", "ada"), Claim("run-2", "2026-03-01T12:05:00Z", "bob")


class TestClaims:
    def test_one_holds_a_name_and_the_next_is_told_who_does(self, store: Store) -> None:
        """Other names are free; what was let go of can be held again."""
        assert store.claim("eval refunds", ADA) is None
        assert store.claim("eval refunds", BOB) == ADA
        assert store.claim("eval invoices", BOB) is None
        store.release("eval refunds")
        store.release("nothing")
        assert store.claim("eval refunds", BOB) is None
        assert store.claim("eval refunds", ADA) == BOB

    def test_a_claim_is_no_record(self, store: Store) -> None:
        """The log does not grow."""
        store.claim("eval refunds", ADA)
        store.release("eval refunds")
        assert list(store.iter_log()) == []

    def test_a_claim_that_cannot_be_written_is_refused(self, store: Store) -> None:
        """Like any other text."""
        with pytest.raises(InputError):
            store.claim("a\0", ADA)
        store.close()
        with pytest.raises(StoreError, match="closed"):
            store.claim("eval refunds", ADA)

    def test_a_claim_ends_with_the_store_that_made_it(self, database: Place) -> None:
        """Whoever opened the same database meanwhile is told who holds it; a long name as far as it fits."""
        first, second = database.open(), database.open()
        zoe = Claim("run-0123456789ab", "2026-03-01T12:00:00Z", "zoé of the very long name of a whole department")
        assert first.claim("eval refunds", zoe) is None
        told = second.claim("eval refunds", ADA)
        assert told is not None
        assert (told.run, told.at, told.author[:2]) == (zoe.run, zoe.at, "zo")
        first.close()
        for _ in range(5_000):
            # A server notices in its own time that a connection has ended.
            if second.claim("eval refunds", ADA) is None:
                break
        else:
            pytest.fail("the claim outlived its store")


class TestLog:
    def test_entries_are_chained_from_the_first(self, store: Store) -> None:
        """Each hash is the digest of all other fields, the hash before it among them."""
        for number in range(3):
            store.append_log("note", f"s{number}", {"n": number, "f": 0.1}, author="ada", at="t")
        entries = list(store.iter_log())
        assert [entry.seq for entry in entries] == [1, 2, 3]
        before = "0" * 64
        for entry in entries:
            fields = {name: getattr(entry, name) for name in ("seq", "at", "author", "kind", "subject", "body", "prev_hash")}
            assert entry.prev_hash == before
            assert entry.hash == digest_of(fields)
            before = entry.hash
        check = store.verify_log()
        assert (check.holds, check.n_entries, check.head) == (True, 3, before)
        assert list(store.iter_log(after=2)) == entries[2:]

    def test_an_empty_log_holds(self, store: Store) -> None:
        """Its head is the one the first entry starts from."""
        check = store.verify_log()
        assert (check.holds, check.n_entries, check.head) == (True, 0, "0" * 64)

    def test_only_the_store_writes_entries_that_vouch(self, store: Store) -> None:
        """An entry without its record would read as a record that was removed."""
        with pytest.raises(ConflictError):
            store.append_log("bundle-added", a_digest("b"), {}, **WHO)
        assert store.verify_log().n_entries == 0

    def test_an_entry_that_cannot_be_kept_is_refused(self, store: Store) -> None:
        """With the chain as it was."""
        with pytest.raises(InputError):
            store.append_log("note", "a\0", {}, **WHO)
        with pytest.raises(InputError):
            store.append_log("note", "a", {"n": 2**60}, **WHO)
        assert store.append_log("note", "a", None, **WHO).seq == 1

    def test_every_write_of_a_record_is_in_the_log(self, store: Store) -> None:
        """With who did it and when."""
        store.add_bundle(a_bundle(), **WHO)
        store.set_label("refunds", "prod", a_bundle().digest, **WHO)
        store.add_suite("refunds", "main", [a_case()], **WHO)
        store.add_run("r", "refunds", {}, **WHO)
        store.finish_run("r", {}, **WHO)
        store.add_verdict(a_digest("v"), "refunds", {}, **WHO)
        store.flip_route(a_route(a_bundle()), follows=None, reason="first", **WHO)
        store.open_upgrade("refunds-1", "refunds", "production", {}, **WHO)
        store.add_upgrade_entry("refunds-1", 1, {}, ends=True, fence=None, **WHO)
        store.add_fact("drill", "refunds", "refunds-1", {}, **WHO)
        entries = list(store.iter_log())
        assert [entry.kind for entry in entries] == [
            "bundle-added",
            "label-moved",
            "suite-added",
            "run-began",
            "run-finished",
            "verdict-recorded",
            "route-flipped",
            "upgrade-opened",
            "upgrade-entry",
            "fact-noted",
        ]
        assert {(entry.author, entry.at) for entry in entries} == {("ada", "2024-05-01T12:00:00Z")}
        assert store.verify_log().holds


def test_a_closed_store_says_so(store: Store) -> None:
    """Closing twice is no error; using it is."""
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.add_exchanges([a_reply()])
    with pytest.raises(StoreError, match="closed"):
        list(store.iter_arm("b", []))


def test_what_an_iterator_gives_does_not_change_under_it(store: Store) -> None:
    """A reader that has begun sees one state, and does not hold writers up."""
    store.add_exchanges(a_reply(f"c{number:04}") for number in range(2500))
    rows = store.iter_exchanges("b")
    first = next(rows)
    store.add_exchanges(a_reply(f"d{number:04}") for number in range(10))
    store.add_bundle(a_bundle(), **WHO)
    assert first.case_id == "c0000"
    assert sum(1 for _ in rows) == 2499
    assert sum(1 for _ in store.iter_exchanges("b")) == 2510
