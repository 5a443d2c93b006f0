"""The tables that every service has in its own database: of delivery, of keys, of idempotency.

A service declares them in its own metadata and creates them in its first migration: shared definition, separate tables.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.events.topics import PARTITIONS, Topic, consumed_by, produced_by

_OFTEN_UPDATED: Final = {"fillfactor": "50"}
"""Room in each page for the next version of a row, so that an update touches no index."""


def shared_tables(metadata: MetaData, *, service: str, timers: bool) -> None:
    """Declare the tables of the delivery protocol, of keys and of idempotency in the metadata of a service.

    Args:
        timers: whether the service has deadlines of its own.
    """
    if produced_by(service):
        _producer_tables(metadata)
        _resume_table(metadata)
    if consumed_by(service):
        _consumer_tables(metadata)
    if timers:
        _timer_table(metadata)
    _api_key_table(metadata)
    _idempotency_table(metadata)


def _producer_tables(metadata: MetaData) -> None:
    Table(
        "outbox_head",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", SmallInteger, primary_key=True),
        Column("epoch", Integer, nullable=False, server_default="1"),
        Column("head", BigInteger, nullable=False),
        Column("head_id", Uuid),
        Column("stopped", Text, comment="why nothing may be appended: the database was restored"),
        postgresql_with=_OFTEN_UPDATED,
    )
    Table(
        "outbox_cursor",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", SmallInteger, primary_key=True),
        Column("seq", BigInteger, nullable=False),
        Column("floor", BigInteger, nullable=False, server_default="0"),
        Column("owner", Text),
        Column("owned_at", DateTime(timezone=True)),
        Column("sent_at", DateTime(timezone=True)),
        Column("checked_at", DateTime(timezone=True)),
        Column("stopped", Text, comment="why nothing is sent: restored, or a row is missing"),
        postgresql_with=_OFTEN_UPDATED,
    )
    Table(
        "outbox_known",
        metadata,
        Column("consumer", Text, primary_key=True),
        Column("topic", Text, primary_key=True),
        Column("part", SmallInteger, primary_key=True),
        Column("last_seq", BigInteger, nullable=False),
        Column("last_id", Uuid),
        Column("stamp", DateTime(timezone=True), nullable=False),
        Column("expected", BigInteger),
        Column("expected_at", DateTime(timezone=True)),
        Column("rewound_to", BigInteger),
        Column("rewound_at", DateTime(timezone=True)),
        postgresql_with=_OFTEN_UPDATED,
    )
    Table(
        "outbox",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", SmallInteger, primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("day", Date, primary_key=True, server_default=func.current_date()),
        Column("key", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("event_id", Uuid, nullable=False),
        Column("previous_id", Uuid),
        Column("headers", JSONB, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        postgresql_partition_by="RANGE (day)",
    )


def _resume_table(metadata: MetaData) -> None:
    Table(
        "outbox_resume",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", SmallInteger, primary_key=True),
        Column("epoch", Integer, primary_key=True, autoincrement=False, comment="the history that began"),
        Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("resumed_by", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("cursor", BigInteger, nullable=False),
        Column("old_head", BigInteger, nullable=False),
        Column("head", BigInteger, nullable=False),
        Column("lost", JSONB, nullable=False, comment="events that only the broker has: number, id, type, key"),
    )


def _consumer_tables(metadata: MetaData) -> None:
    Table(
        "consumer_part",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", SmallInteger, primary_key=True),
        Column("epoch", Integer, nullable=False, server_default="0"),
        Column("last_seq", BigInteger, nullable=False),
        Column("last_id", Uuid),
        Column("next_off", BigInteger, nullable=False),
        Column("updated_at", DateTime(timezone=True)),
        Column("stopped", Text, comment="why nothing more is applied: two histories met, or too much fails"),
        postgresql_with=_OFTEN_UPDATED,
    )
    Table(
        "parked_key",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", SmallInteger, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    )
    Table(
        "dead_letter",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("part", SmallInteger, primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("epoch", Integer, nullable=False),
        Column("kafka_offset", BigInteger, nullable=False),
        Column("key", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("event_id", Uuid, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("value", LargeBinary, comment="cleared when resolved"),
        Column("error_class", Text, comment="null: waits behind an earlier one of its key"),
        Column("error_text", Text),
        Column("handler_version", Text, nullable=False),
        Column("first_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("attempts", Integer, nullable=False, server_default="1"),
        Column("status", Text, nullable=False, server_default="parked", comment="parked, replayed or discarded"),
        Column("resolved_by", Text),
        Column("resolved_at", DateTime(timezone=True)),
        Column("reason", Text),
        Index("dead_letter_parked", "topic", "part", "key", "seq", postgresql_where=text("status = 'parked'")),
    )


def _timer_table(metadata: MetaData) -> None:
    Table(
        "timer",
        metadata,
        Column("kind", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("gen", Integer, nullable=False),
        Column("due_at", DateTime(timezone=True), nullable=False),
        Index("timer_due_at", "due_at"),
    )


def _api_key_table(metadata: MetaData) -> None:
    Table(
        "api_key",
        metadata,
        Column("key_id", Text, primary_key=True),
        Column("key_hash", LargeBinary, nullable=False),
        Column("principal", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("role", Text, nullable=False),
        Column("scopes", ARRAY(Text), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("expires_at", DateTime(timezone=True)),
        Column("revoked_at", DateTime(timezone=True)),
    )


def _idempotency_table(metadata: MetaData) -> None:
    Table(
        "idempotency",
        metadata,
        Column("principal", Text, primary_key=True),
        Column("route", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("status", Integer),
        Column("headers", JSONB),
        Column("response", LargeBinary),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index("idempotency_created_at", "created_at"),
    )


def insert_logs(connection: Connection, service: str) -> None:
    """One head and one cursor per log, and what is known of each consumer: nothing yet, so 0."""
    for topic in produced_by(service):
        for part in range(PARTITIONS):
            _insert_produced(connection, topic, part)
    for topic in consumed_by(service):
        for part in range(PARTITIONS):
            connection.execute(
                text("INSERT INTO consumer_part (topic, part, last_seq, next_off) VALUES (:topic, :part, 0, 0)"),
                {"topic": topic.name, "part": part},
            )


def _insert_produced(connection: Connection, topic: Topic, part: int) -> None:
    log = {"topic": topic.name, "part": part}
    connection.execute(text("INSERT INTO outbox_head (topic, part, head) VALUES (:topic, :part, 0)"), log)
    connection.execute(text("INSERT INTO outbox_cursor (topic, part, seq) VALUES (:topic, :part, 0)"), log)
    for consumer in topic.consumers:
        connection.execute(
            text("INSERT INTO outbox_known (consumer, topic, part, last_seq, stamp) VALUES (:consumer, :topic, :part, 0, 'epoch')"),
            {"consumer": consumer, **log},
        )
