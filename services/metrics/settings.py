"""What the environment tells metrics."""

from __future__ import annotations

from typing import ClassVar

from shared.settings import ServiceSettings


class MetricsSettings(ServiceSettings):
    """Only what every service has, so far."""

    service: ClassVar[str] = "metrics"
