"""What of a gateway's telemetry is on. From `segue.yaml` and the command line; goes to its processes as it is."""

from __future__ import annotations

from dataclasses import dataclass

from segue.model.serving import LogForm


@dataclass(frozen=True)
class TelemetrySettings:
    """`metrics` is where the listener is (host and port), `None` where there is none."""

    metrics: tuple[str, int] | None = None
    log: LogForm = "text"
    spans: bool = False

    @property
    def looks_at_exchanges(self) -> bool:
        """Whether shipping has anything to do for it."""
        return self.metrics is not None or self.log == "access" or self.spans
