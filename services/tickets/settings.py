"""What the environment tells tickets."""

from __future__ import annotations

from typing import ClassVar

from shared.settings import ServiceSettings


class TicketsSettings(ServiceSettings):
    """Only what every service has, so far."""

    service: ClassVar[str] = "tickets"
