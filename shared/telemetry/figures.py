"""Prometheus figures of a process. Labels are closed sets: a route's template, never a path; no ids."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

from shared import clock

__all__ = [
    "EVENT_LOOP_LAG",
    "HTTP_IN_FLIGHT",
    "HTTP_REQUESTS",
    "HTTP_REQUEST_SECONDS",
    "REGISTRY",
    "describe_build",
    "exposition",
    "watch_event_loop",
]

HTTP_REQUESTS: Final = Counter("http_requests", "Requests answered", ["service", "route", "method", "status_class"])
HTTP_REQUEST_SECONDS: Final = Histogram(
    "http_request_duration_seconds",
    "Time from the first byte read to the last byte written",
    ["service", "route", "method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
HTTP_IN_FLIGHT: Final = Gauge("http_requests_in_flight", "Requests being answered", ["service"])
EVENT_LOOP_LAG: Final = Gauge("event_loop_lag_seconds", "How late the event loop ran a task that was due", ["service"])
_BUILD: Final = Gauge("build_info", "1; what runs is in the labels", ["service", "version"])

LAG_INTERVAL: Final = 0.5
"""Seconds between two measurements of the event loop's lag."""


def describe_build(service: str, version: str) -> None:
    """Set build_info."""
    _BUILD.labels(service, version).set(1)


def exposition() -> tuple[bytes, str]:
    """All figures of this process as Prometheus reads them, and their media type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST


async def watch_event_loop(service: str, stop: asyncio.Event) -> None:
    """Measure the event loop's lag until told to stop."""
    gauge = EVENT_LOOP_LAG.labels(service)
    while not stop.is_set():
        due = clock.monotonic() + LAG_INTERVAL
        try:
            async with asyncio.timeout(LAG_INTERVAL):
                await stop.wait()
        except TimeoutError:
            gauge.set(max(0.0, clock.monotonic() - due))
