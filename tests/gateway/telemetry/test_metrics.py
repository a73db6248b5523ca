"""Exchanges as metrics: what is counted, how it adds up, and that Prometheus can read it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from segue.exchanges.record import ServedExchange
from segue.gateway.telemetry.board import Board
from segue.gateway.telemetry.exposition import write_out
from segue.gateway.telemetry.metrics import METRICS, failure_word, status_class
from segue.gateway.telemetry.sums import Sums
from segue.gateway.telemetry.tally import tally
from tests.gateway.telemetry.builders import NEW, NOW_NS, OLD, an_exchange, places

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

words = st.sampled_from(["mail", "other"])
numbers = st.none() | st.integers(0, 10**7)
OUTSIDE = st.text().map("§{}".format)
"""Words that are none of the gateway's own: Hypothesis takes texts out of the code it tests, too."""
exchanges = st.builds(
    an_exchange,
    workflow=words,
    arm=st.sampled_from(["incumbent", "candidate", "shadow"]),
    bundle=st.sampled_from([OLD.digest, NEW.digest, "f" * 64]),
    answered_by=st.sampled_from([None, OLD.digest, NEW.digest]),
    status=st.none() | st.integers(-5, 700),
    latency_ns=numbers.map(lambda n: n and n * 9_000),
    ttft_ns=numbers.map(lambda n: n and n * 9_000),
    input_tokens=numbers,
    output_tokens=numbers,
    reasoning_tokens=numbers,
    cost_microusd=st.none() | st.integers(0, 10**9).map(float),
    failure=st.none() | OUTSIDE | st.sampled_from(["client gone", "status 503", "status 599", "bad_reply"]),
    fallback_from=st.sampled_from([None, NEW.digest]),
    fallback_reason=st.none() | OUTSIDE,
    scores=st.dictionaries(st.sampled_from(["refusal", "contract", "characters"]), st.none() | st.sampled_from([0.0, 1.0])),
    unit=st.none() | st.text(),
)


def value(text: str, name: str, **labels: str) -> float:
    """The sum of all samples of a name with these labels."""
    return sum(
        sample.value
        for family in read_text(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def written(*served: ServedExchange, now_ns: int = NOW_NS) -> str:
    """What Prometheus gets to read of them."""
    return write_out(tally(served, places(), now_ns))[0].decode()


def test_an_exchange_is_counted_with_all_that_is_known_of_it() -> None:
    """By workflow, bundle and arm; tokens, time and cost under the names of OpenTelemetry's conventions."""
    one = an_exchange(
        input_tokens=100,
        output_tokens=40,
        reasoning_tokens=30,
        cached_tokens=20,
        cost_microusd=1_500.0,
        ttft_ns=200_000_000,
        scores={"refusal": 0.0, "contract": None},
    )
    text = written(one, one, now_ns=NOW_NS + 4_500_000_000)
    whose = {"workflow": "mail", "bundle": OLD.short, "arm": "incumbent"}
    assert value(text, "segue_exchanges_total", **whose, status="2xx", failure="") == 2
    assert value(text, "segue_cost_usd_total", **whose) == pytest.approx(0.003)
    assert value(text, "segue_cost_unknown_total", **whose) == 0
    assert value(text, "segue_reasoning_tokens_total", **whose) == 60
    assert value(text, "segue_cached_tokens_total", **whose) == 40
    assert value(text, "segue_score_count", **whose, score="refusal") == 2
    assert value(text, "segue_score_sum", **whose, score="refusal") == 0
    assert value(text, "segue_score_unknown_total", **whose, score="contract") == 2
    assert value(text, "segue_log_delay_seconds") == 3
    model = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "gen_ai_request_model": "old-1"}
    assert value(text, "gen_ai_client_operation_duration_seconds_sum", **model) == pytest.approx(3.0)
    assert value(text, "gen_ai_client_operation_duration_seconds_bucket", **model, le="1.28") == 0
    assert value(text, "gen_ai_client_operation_duration_seconds_bucket", **model, le="2.56") == 2
    assert value(text, "gen_ai_client_operation_time_to_first_chunk_seconds_count", **model) == 2
    assert value(text, "gen_ai_client_token_usage_sum", **model, gen_ai_token_type="input") == 200
    assert value(text, "gen_ai_client_token_usage_sum", **model, gen_ai_token_type="output") == 80


def test_what_is_not_known_is_not_counted_as_none() -> None:
    """No tokens, no cost, no first chunk: no series of them, and an answer without a cost is counted as such."""
    text = written(an_exchange(), an_exchange(status=503, failure="status 503"))
    assert value(text, "segue_cost_unknown_total") == 1, "a failure costs nothing that anybody knows, and is no answer"
    for name in (
        "gen_ai_client_token_usage_count",
        "segue_cost_usd_total",
        "gen_ai_client_operation_time_to_first_chunk_seconds_count",
    ):
        assert f"\n{name}{{" not in text
    assert value(text, "segue_exchanges_total", status="5xx", failure="503") == 1
    assert value(text, "gen_ai_client_operation_duration_seconds_count", error_type="503") == 1


def test_a_fallback_is_counted_for_the_bundle_that_answered_and_with_the_one_that_did_not() -> None:
    """With the reason, as a word of a closed list."""
    fell = an_exchange(bundle=NEW.digest, arm="candidate", fallback_from=NEW.digest, fallback_reason="first_byte_timeout")
    text = written(fell)
    told = {"bundle": NEW.short, "answered_by": OLD.short, "reason": "first_byte_timeout"}
    assert value(text, "segue_fallbacks_total", **told) == 1
    assert value(text, "segue_exchanges_total", bundle=OLD.short, arm="candidate") == 1


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (None, ""),
        ("client gone", "client_gone"),
        ("status 429", "429"),
        ("status 418", "4xx"),
        ("status ²²²", "other"),
        ("status 99999", "other"),
        ("connect_timeout", "connect_timeout"),
        ("a word of the provider", "other"),
    ],
    ids=["none", "gone", "usual", "unusual", "no number", "no status", "ours", "foreign"],
)
def test_failures_are_words_of_a_closed_list(failure: str | None, word: str) -> None:
    """Whatever a provider says becomes no label."""
    assert failure_word(failure) == word


def test_later_batches_are_added_to_earlier_ones() -> None:
    """Counts and distributions; of a gauge the last one holds."""
    sums = Sums()
    for age_ns in (9, 2):
        sums.add(tally([an_exchange(scores={"refusal": 1.0})], places(), NOW_NS + age_ns * 10**9))
    text = write_out(sums)[0].decode()
    assert value(text, "segue_exchanges_total") == 2
    assert (value(text, "segue_score_sum"), value(text, "segue_score_count")) == (2, 2)
    assert value(text, "gen_ai_client_operation_duration_seconds_sum") == 3
    assert value(text, "segue_log_delay_seconds") == 0.5


@given(st.lists(exchanges, max_size=30), st.integers(0, 30))
@settings(max_examples=60)
def test_batches_add_up_to_the_whole(served: Sequence[ServedExchange], cut: int) -> None:
    """However exchanges are shipped; and no label is a word from outside."""
    whole, parts = tally(served, places(), NOW_NS), Sums()
    for part in (served[:cut], served[cut:]):
        parts.add(tally(part, places(), NOW_NS))
    assert parts.counts == pytest.approx(whole.counts)
    assert parts.distributions.keys() == whole.distributions.keys()
    for series, one in whole.distributions.items():
        assert (parts.distributions[series].counts, parts.distributions[series].total) == (one.counts, pytest.approx(one.total))
    assert sum(n for (name, _), n in whole.counts.items() if name == "segue_exchanges_total") == len(served)
    known = {"mail", "other", OLD.short, NEW.short, "f" * 10, "incumbent", "candidate", "shadow", "contract", "refusal", "chat"}
    known |= {"openai", "anthropic", "old-1", "new-1", "input", "output", "none", *(f"{n}xx" for n in range(1, 6))}
    known |= {failure_word(one) for one in ("client gone", "status 503", "bad_reply", "x", None)}
    for series in (*whole.counts, *whole.distributions):
        assert set(series[1]) <= known, series


@given(st.lists(exchanges, max_size=8))
@settings(max_examples=40)
def test_both_forms_are_read_by_prometheus_own_parsers(served: Sequence[ServedExchange]) -> None:
    """Every family has its type, its help and its labels; buckets only grow."""
    board = Board('1.0"\\\n')
    board.add(tally(served, places(), NOW_NS))
    for accept, read in (("", read_text), (OPENMETRICS, read_openmetrics)):
        text, content_type = write_out(board.snapshot(), accept)
        assert ("openmetrics" in content_type) == bool(accept)
        families = {family.name: family for family in read(text.decode())}
        assert families.keys() == {name.removesuffix("_total") for name in METRICS}
        for metric in METRICS.values():
            family = families[metric.name.removesuffix("_total")]
            assert (family.type, family.documentation) == (metric.kind, metric.help)
            assert all(set(metric.labels) | {"le"} >= set(sample.labels) for sample in family.samples)
        durations = families["gen_ai_client_operation_duration_seconds"].samples
        buckets = [sample.value for sample in durations if sample.name.endswith("_bucket")]
        n = len(METRICS["gen_ai_client_operation_duration_seconds"].buckets) + 1
        for at in range(0, len(buckets), n):
            assert buckets[at : at + n] == list(accumulate(buckets[at : at + n], max))


def test_names_are_those_of_the_conventions() -> None:
    """As OpenTelemetry's own package has them, written as Prometheus writes a metric in seconds."""
    conventions = {
        gen_ai_metrics.GEN_AI_CLIENT_OPERATION_DURATION: "seconds",
        gen_ai_metrics.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK: "seconds",
        gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE: "",
    }
    expected = {"_".join(filter(None, (name.replace(".", "_"), unit))) for name, unit in conventions.items()}
    assert {name for name in METRICS if name.startswith("gen_ai")} == expected


def test_no_status_is_none() -> None:
    """A client that went away got none; a number that is no status is none either."""
    assert [status_class(one) for one in (None, 200, 404, 503, 99, 600)] == ["none", "2xx", "4xx", "5xx", "none", "none"]
