"""A service that has only the shared tables, and one where the tests of the consumer write what they applied."""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, MetaData, SmallInteger, Table, Text, Uuid, func

from shared.migrations import shared_tables

LOCATION: Final = Path(__file__).with_name("migrations")


def metadata_of(service: str) -> MetaData:
    """The tables of a service that plays `service`."""
    metadata = MetaData()
    shared_tables(metadata, service=service, timers=True)
    applied_table(metadata)
    return metadata


def applied_table(metadata: MetaData) -> Table:
    """What a handler of the tests did, one row per effect: no unique key, so that an effect done twice is seen."""
    return Table(
        "applied",
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("topic", Text, nullable=False),
        Column("part", SmallInteger, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("key", Text, nullable=False),
        Column("event_id", Uuid, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    )
