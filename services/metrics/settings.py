"""What the environment tells metrics, beside what every service is told."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.settings import ServiceSettings


class MetricsSettings(ServiceSettings):
    """Read from ``METRICS_<FIELD>``."""

    service: ClassVar[str] = "metrics"

    stream_seconds: float = Field(default=600, ge=0, le=86_400)
    """How long a live stream lasts before its caller has to come back: who has lost his key or his session loses the stream as well."""
    rebuild_processes: int | None = Field(default=None, ge=1, le=64)
    """Processes that a rebuild works in; by default as many as there are cores for it. 1: in the process that was asked, without others."""
