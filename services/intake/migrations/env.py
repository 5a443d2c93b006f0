"""Runs the migrations of intake."""

from services.intake.models import METADATA
from shared import migrations

migrations.run(METADATA)
