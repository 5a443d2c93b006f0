"""Customers who look how their request stands."""

from __future__ import annotations

from services.tickets.proof import Tracking
from shared.settings import ServiceSettings


def tracking_of(settings: ServiceSettings) -> Tracking:
    """What makes and checks this platform's tracking links."""
    return Tracking(settings.signing_key.get_secret_value().encode(), settings.public_url)
