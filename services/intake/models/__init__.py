"""The tables of intake. Rules that must hold whatever the code does are constraints here; `migrations/` creates what is declared here."""

from services.intake.models import customers, notifications, requests, tickets
from services.intake.models.metadata import METADATA

__all__ = ["METADATA", "customers", "notifications", "requests", "tickets"]
