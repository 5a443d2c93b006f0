"""What operators see of a process: logs as events, the trace that joins them, and Prometheus figures.

The name is *telemetry* because "metrics" is the KPI service. Nothing here may carry personal data: keys of log lines come from an allowed
list, texts are searched for addresses and secrets, and labels of figures are closed sets.

    log = telemetry.logger()
    log.info("ticket_reopened", number=number, reason="low_answer")
"""

from shared.telemetry.figures import (
    HTTP_IN_FLIGHT,
    HTTP_REQUEST_SECONDS,
    HTTP_REQUESTS,
    REGISTRY,
    describe_build,
    exposition,
    watch_event_loop,
)
from shared.telemetry.logs import bind, configure_logs, lines_to, logger
from shared.telemetry.trace import Trace, correlation_id, trace, traceparent

__all__ = [
    "HTTP_IN_FLIGHT",
    "HTTP_REQUESTS",
    "HTTP_REQUEST_SECONDS",
    "REGISTRY",
    "Trace",
    "bind",
    "configure_logs",
    "correlation_id",
    "describe_build",
    "exposition",
    "lines_to",
    "logger",
    "trace",
    "traceparent",
    "watch_event_loop",
]
