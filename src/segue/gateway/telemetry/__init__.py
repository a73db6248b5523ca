"""What operators see of a gateway: Prometheus metrics, OpenTelemetry spans, log lines. Off the way of any request.

Exchanges become telemetry where they are shipped (`observer`), from the facts that the log keeps; what only a worker knows it
says once a second (`live`). Both meet in the keeper (`board`), which writes metrics out (`exposition`, `listener`) and prints
what happens (`lines`). `traceparent` is the one module a worker needs for a request. Content and keys have no place in any
type here. Why so: `docs/decisions/0012-telemetry.md`; for operators: `docs/operating-the-gateway.md`.
"""
