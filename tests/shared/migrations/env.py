"""Runs the migrations of a service that has only the shared tables."""

from alembic import context

from shared import migrations
from tests.shared.tables import metadata_of

migrations.run(metadata_of(context.config.attributes["service"]))
