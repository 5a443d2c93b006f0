"""The shared tables of the service that the database plays, and the table `applied` of the tests."""

from alembic import op
from sqlalchemy import MetaData

from shared.migrations import create_shared_tables
from tests.shared.tables import applied_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    context = op.get_context()
    assert context.config is not None
    create_shared_tables(context.config.attributes["service"], timers=True)
    metadata = MetaData()
    applied_table(metadata)
    metadata.create_all(op.get_bind())
