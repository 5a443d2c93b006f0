"""Brings the database of feedback to its newest version."""

from services.feedback.models import METADATA
from shared import migrations

migrations.run(METADATA)
