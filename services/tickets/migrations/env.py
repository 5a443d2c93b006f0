"""Alembic's entry: the metadata of tickets."""

from services.tickets.models.tables import metadata
from shared.migrations import run

run(metadata)
