"""Alembic's entry: the metadata of tickets."""

from services.tickets.models import metadata
from shared.migrations import run

run(metadata)
