"""Alembic's entry: the metadata of metrics."""

from services.metrics.models import metadata
from shared.migrations import run

run(metadata)
