"""All tables, those of the delivery included. Loaded by whoever makes or compares them, not by a service that runs."""

from services.tickets.models import cases, people, promises, tickets, words
from services.tickets.models.columns import metadata
from shared.migrations import shared_tables

__all__ = ["cases", "metadata", "people", "promises", "tickets", "words"]

shared_tables(metadata, service="tickets", timers=True)
