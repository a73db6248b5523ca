"""All metrics of a gateway: name, type, labels, meaning. The table in `docs/operating-the-gateway.md` is tested against this.

Names and buckets of `gen_ai_*` follow OpenTelemetry's conventions for generative AI, as Prometheus writes them. Every value
of a label is a name declared in the workspace or a word of a closed list here: so many series, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from segue.gateway.http import FailureKind
from segue.model.exchange import FailureKind as ProviderFailureKind

Kind = Literal["counter", "gauge", "histogram", "summary"]
SECONDS = tuple(0.01 * 2**power for power in range(14))
TOKENS = tuple(float(4**power) for power in range(14))

_WHOSE = ("workflow", "bundle", "arm")
_GEN_AI = (
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "segue_workflow",
    "segue_bundle",
    "segue_arm",
)


@dataclass(frozen=True)
class Metric:
    """One metric. `name` as it is asked for in Prometheus; of a counter with its `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


_ALL = (
    Metric(
        "gen_ai_client_operation_duration_seconds",
        "histogram",
        (*_GEN_AI, "error_type"),
        "Time from the request's arrival until its answer is whole, fallbacks included.",
        SECONDS,
    ),
    Metric(
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "histogram",
        _GEN_AI,
        "Time until the first event of a stream that means something.",
        SECONDS,
    ),
    Metric(
        "gen_ai_client_token_usage",
        "histogram",
        (*_GEN_AI, "gen_ai_token_type"),
        "Tokens of one exchange, input and output, where the provider said them.",
        TOKENS,
    ),
    Metric(
        "segue_exchanges_total",
        "counter",
        (*_WHOSE, "status", "failure"),
        "Exchanges, by the bundle that answered (else the one the route chose), class of status and kind of failure.",
    ),
    Metric(
        "segue_fallbacks_total",
        "counter",
        ("workflow", "bundle", "answered_by", "reason"),
        "Exchanges that another bundle answered than the one the route chose.",
    ),
    Metric("segue_cost_usd_total", "counter", _WHOSE, "Cost of exchanges whose cost is known."),
    Metric("segue_cost_unknown_total", "counter", _WHOSE, "Answered exchanges whose cost is not known."),
    Metric("segue_reasoning_tokens_total", "counter", _WHOSE, "Output tokens spent on reasoning, where the provider said so."),
    Metric("segue_cached_tokens_total", "counter", _WHOSE, "Input tokens read from the provider's cache."),
    Metric("segue_score", "summary", (*_WHOSE, "score"), "Scores of answers: sum over count is their mean."),
    Metric("segue_score_unknown_total", "counter", (*_WHOSE, "score"), "Scores that were tried and could not be given."),
    Metric("segue_log_delay_seconds", "gauge", (), "Age of the oldest exchange in the last batch that was shipped."),
    Metric("segue_shipping_up", "gauge", (), "1 while the process that ships exchanges runs."),
    Metric("segue_spans_exported_total", "counter", (), "Spans that a collector took."),
    Metric("segue_spans_dropped_total", "counter", ("reason",), "Spans that no collector got: it refused, or too many waited."),
    Metric("segue_refused_total", "counter", ("reason",), "Requests that no bundle was asked for, by the code of the error."),
    Metric("segue_workers", "gauge", (), "Workers that run."),
    Metric("segue_worker_restarts_total", "counter", (), "Workers that ended without being asked."),
    Metric("segue_ready", "gauge", ("worker",), "1 where a worker has routes to serve and the log takes its exchanges."),
    Metric("segue_route_revision", "gauge", ("worker", "workflow"), "The revision of the route that a worker serves."),
    Metric("segue_connections", "gauge", ("worker",), "Connections of clients."),
    Metric("segue_calls_in_flight", "gauge", ("worker",), "Calls to providers under way, shadows included."),
    Metric("segue_calls_waiting", "gauge", ("worker",), "Calls that wait for a connection to a provider."),
    Metric("segue_shadows_in_flight", "gauge", ("worker",), "Shadows under way."),
    Metric("segue_breaker_workers", "gauge", ("bundle", "state"), "Workers whose breaker of a bundle is in this state."),
    Metric("segue_spool_kept_total", "counter", (), "Exchanges and feedback that were kept."),
    Metric("segue_spool_not_kept_total", "counter", (), "Those that were not: no room, or not to be encoded."),
    Metric("segue_spool_cut_total", "counter", (), "Those of which a body was too long and was cut."),
    Metric("segue_shadow_mirrored_total", "counter", ("workflow",), "Requests that the candidate was asked, too."),
    Metric("segue_shadow_shed_total", "counter", ("workflow", "reason"), "Requests that it was not, by reason."),
    Metric("segue_build_info", "gauge", ("version",), "1, with the version of Segue."),
)
METRICS: Mapping[str, Metric] = {one.name: one for one in _ALL}
"""By name."""

SCORES = ("contract", "refusal")
"""Scores that have a metric; the others are in the exchange log."""

_OWN = (
    "client gone",
    "breaker open",
    "too long",
    "stream without an answer",
    "not_served",
    "bad_reply",
)
_FAILURES = frozenset({*_OWN, *(one.value for one in FailureKind), *get_args(ProviderFailureKind)})
_STATUSES = frozenset((400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504, 529))


def failure_word(failure: str | None) -> str:
    """A failure as a label: a word of a closed list, the number of a usual status, or `other`; empty where there is none."""
    if failure is None:
        return ""
    if failure.startswith("status "):
        number = failure[7:]
        if number.isdecimal() and len(number) == 3:
            return number if int(number) in _STATUSES else f"{number[0]}xx"
        return "other"
    return failure.replace(" ", "_") if failure in _FAILURES else "other"


def status_class(status: int | None) -> str:
    """2xx, 4xx, …; `none` where the client got no status."""
    return f"{status // 100}xx" if status is not None and 100 <= status < 600 else "none"
