"""The board as Prometheus reads it. Imports prometheus_client; nothing light may import this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TypeVar

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector, CollectorRegistry

from segue.gateway.telemetry.metrics import METRICS
from segue.gateway.telemetry.metrics import Metric as Declared
from segue.gateway.telemetry.sums import Distribution, Series, Sums

Value = TypeVar("Value")


def write_out(sums: Sums, accept: str = "") -> tuple[bytes, str]:
    """The text and its content type, in the form that the asker takes (`Accept`): Prometheus's own, or OpenMetrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(sums))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Snapshot(Collector):
    """All declared metrics with the series that there are."""

    def __init__(self, sums: Sums) -> None:
        self._sums = sums

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering needs no look at the values."""
        return ()

    def collect(self) -> Iterator[Metric]:
        sums = self._sums
        values = _by_name({**sums.counts, **sums.gauges})
        distributions = _by_name(sums.distributions)
        for metric in METRICS.values():
            if metric.kind in ("histogram", "summary"):
                yield _distribution(metric, distributions.get(metric.name, []))
            else:
                kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                family = kind(metric.name, metric.help, labels=metric.labels)
                for labels, value in values.get(metric.name, []):
                    family.add_metric(labels, value)
                yield family


def _distribution(metric: Declared, series: list[tuple[tuple[str, ...], Distribution]]) -> Metric:
    if metric.kind == "summary":
        means = SummaryMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, one in series:
            means.add_metric(labels, one.counts[0], one.total)
        return means
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    ends = [repr(round(bound, 9)) for bound in metric.buckets] + ["+Inf"]
    for labels, one in series:
        family.add_metric(labels, list(zip(ends, accumulate(one.counts), strict=True)), one.total)
    return family


def _by_name(series: Mapping[Series, Value]) -> dict[str, list[tuple[tuple[str, ...], Value]]]:
    found: dict[str, list[tuple[tuple[str, ...], Value]]] = {}
    for name, labels in sorted(series):
        found.setdefault(name, []).append((labels, series[name, labels]))
    return found
