"""What a run has to ask, and what it is likely to cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.evals.plan import estimate, missing_calls
from segue.model import Bundle, Exchange, Parameters, Reply, Usage
from segue.store.memory import MemoryStore
from tests.evals.builders import ARMS, NEW, OLD, a_bundle, a_case, some_cases

CASES = some_cases(6)
repeats = st.integers(0, 2)


def store_with(*keys: tuple[Bundle, str, int], cost: float | None = None) -> MemoryStore:
    """A store that has replies for these `(bundle, case, repeat)`."""
    store = MemoryStore()
    digests = {case.case_id: case.input_digest for case in CASES}
    store.add_exchanges(
        Exchange(bundle.behaviour, case_id, digests[case_id], repeat, reply=Reply("yes"), cost_microusd=cost)
        for bundle, case_id, repeat in keys
    )
    return store


@given(
    done=st.sets(st.tuples(st.sampled_from(["old-1", "new-2"]), st.sampled_from(CASES).map(lambda one: one.case_id), repeats)),
    wanted=st.sets(repeats),
)
def test_what_is_missing_and_what_is_stored_make_up_the_whole(done: set[tuple[str, str, int]], wanted: set[int]) -> None:
    """Whatever is stored already: nothing is asked twice, nothing is left out."""
    bundles = {"old-1": OLD, "new-2": NEW}
    store = store_with(*((bundles[snapshot], case_id, repeat) for snapshot, case_id, repeat in done))
    missing = [
        (call.bundle.model.snapshot, call.case.case_id, call.repeat)
        for call in missing_calls(store, ARMS, lambda: CASES, sorted(wanted))
    ]
    whole = {(snapshot, case.case_id, repeat) for snapshot in bundles for case in CASES for repeat in wanted}
    assert sorted(missing) == sorted(whole - done)


def test_a_changed_text_of_a_case_is_asked_anew() -> None:
    """An answer to an earlier text is no answer to this one."""
    store = store_with((OLD, "c0001", 0))
    changed = a_case("c0001").model_copy(update={"messages": a_case("other").messages})
    assert [call.case for call in missing_calls(store, ARMS[:1], lambda: [changed], [0])] == [changed]


def test_a_new_label_or_slice_of_a_case_asks_nothing_anew() -> None:
    """What the model is shown has not changed."""
    store = store_with((OLD, "c0001", 0))
    relabelled = a_case("c0001", slice={"lang": "de"}, reference="no")
    assert list(missing_calls(store, ARMS[:1], lambda: [relabelled], [0])) == []


def test_arms_that_behave_the_same_share_their_answers() -> None:
    """One is asked, for both."""
    twin = a_bundle("old-1").model_copy(update={"suite": "0" * 64})
    calls = list(missing_calls(MemoryStore(), [("incumbent", OLD), ("candidate", twin)], lambda: CASES, [0]))
    assert [call.arm for call in calls] == ["incumbent"] * len(CASES)


def test_the_keys_of_calls_are_the_keys_of_their_exchanges() -> None:
    """So that a call can be told from its answer."""
    call = next(missing_calls(MemoryStore(), ARMS, lambda: CASES, [2]))
    assert call.key == (OLD.behaviour, "c0000", CASES[0].input_digest, 2)


def price(bundle: Bundle, usage: Usage) -> float | None:
    """One millionth of a dollar per token, of the old model alone."""
    return None if bundle is NEW else float((usage.input_tokens or 0) + (usage.output_tokens or 0))


def test_an_estimate_says_what_is_missing_what_is_kept_and_where_the_price_comes_from() -> None:
    """Two answers of the incumbent are stored at 8 each; nothing is known of the candidate's price."""
    store = store_with((OLD, "c0001", 0), (OLD, "c0002", 0), cost=8.0)
    old, new = estimate(store, ARMS, lambda: CASES, range(2), price)
    assert (old.calls, old.kept, old.cost_microusd, old.basis) == (10, 2, 80.0, "mean of 2 stored calls")
    assert (new.calls, new.kept, new.cost_microusd, new.basis) == (12, 0, None, "no price is known for this model")


def test_without_any_answer_the_length_of_the_prompts_is_what_there_is() -> None:
    """A template of four hundred characters is about a hundred tokens; the limit bounds the answer."""
    bundle = a_bundle("old-1", system="x" * 400).model_copy(update={"parameters": Parameters(max_output_tokens=50)})
    case = a_case("c").model_copy(update={"messages": ()})
    (found,) = estimate(MemoryStore(), [("incumbent", bundle)], lambda: [case], [0], price)
    assert (found.cost_microusd, found.basis) == (150.0, "about 100 tokens in, at most 50 out")


def test_nothing_to_ask_costs_nothing() -> None:
    """Known to be zero, not unknown."""
    store = store_with((NEW, "c0001", 0))
    (found,) = estimate(store, [("candidate", NEW)], lambda: [CASES[1]], [0], price)
    assert (found.calls, found.cost_microusd, found.basis) == (0, 0.0, "everything is stored")
