"""Records of a numbered log on Kafka: CloudEvents 1.0, binary mode. The value is the event's data, headers say what identifies it.

A record without its topic's source, or without a number, is not ours, whoever wrote it: it is looked past.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from aiokafka import ConsumerRecord
from asyncpg.pgproto.pgproto import UUID as FastUUID

from shared.events.envelope import SPEC_VERSION
from shared.events.topics import Topic, topic_named
from shared.outbox import Log
from shared.protocol import Numbered

_LONGEST_NUMBER: Final = 18
"""Digits of the largest number that PostgreSQL's bigint surely holds."""


class OutboxRow(NamedTuple):
    """A row on its way to Kafka."""

    log: Log
    seq: int
    key: str
    type: str
    event_id: UUID
    previous_id: UUID | None
    headers: Mapping[str, str]
    payload: bytes


class LogRecord(NamedTuple):
    """A record of a numbered log as a consumer meets it; the body is still bytes."""

    log: Log
    offset: int
    numbered: Numbered
    type: str
    key: str
    time: datetime | None
    headers: Mapping[str, str]
    value: bytes

    @property
    def seq(self) -> int:
        """Its number."""
        return self.numbered.seq


def encode(row: OutboxRow) -> list[tuple[str, bytes]]:
    """The headers of a row."""
    (topic, _), seq, key, type_, event_id, previous_id, own, _ = row
    headers = [
        *_fixed_headers(topic, type_),
        ("ce_id", str(event_id).encode()),
        ("ce_subject", key.encode()),
        ("ce_sequence", b"%d" % seq),
    ]
    if previous_id is not None:
        headers.append(("ce_previous", str(previous_id).encode()))
    headers += [(name, value.encode()) for name, value in own.items()]
    return headers


@lru_cache(maxsize=1024)
def _fixed_headers(topic: str, type_: str) -> tuple[tuple[str, bytes], ...]:
    return (
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_source", topic_named(topic).ce_source.encode()),
        ("ce_type", type_.encode()),
        ("ce_dataschema", f"urn:aftercare:contract:{topic}:{type_}".encode()),
        ("content-type", b"application/json"),
    )


class RawHeaders(Mapping[str, str]):
    """The headers of a record as they came, decoded when somebody asks: most of them nobody reads."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Mapping[str, bytes]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        return self._raw[name].decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def decode(topic: Topic, record: ConsumerRecord[bytes | None, bytes | None]) -> LogRecord | None:
    """What a record says of itself; None when it is not one of this topic's numbered log."""
    try:
        raw = dict(record.headers)
        if raw.get("ce_source") != _source(topic):
            return None
        if None in raw.values():
            raw = {name: value for name, value in raw.items() if value is not None}
        key, time, previous = record.key, raw.get("ce_time"), raw.get("ce_previous")
        return LogRecord(
            (topic.name, record.partition),
            record.offset,
            Numbered(
                _number(raw["ce_epoch"].decode()),
                _number(raw["ce_sequence"].decode()),
                FastUUID(raw["ce_id"].decode()),
                None if previous is None else FastUUID(previous.decode()),
            ),
            raw["ce_type"].decode(),
            "" if key is None else key.decode(),
            None if time is None else datetime.fromisoformat(time.decode()),
            RawHeaders(raw),
            record.value or b"",
        )
    except (KeyError, ValueError):
        return None


@cache
def _source(topic: Topic) -> bytes:
    return topic.ce_source.encode()


def parse(log: Log, offset: int, key: str, headers: Mapping[str, str], value: bytes) -> LogRecord:
    """The record that the headers describe; KeyError or ValueError where they do not describe one."""
    time = datetime.fromisoformat(headers["ce_time"]) if "ce_time" in headers else None
    return LogRecord(log, offset, _numbered(headers), headers["ce_type"], key, time, headers, value)


def _numbered(headers: Mapping[str, str]) -> Numbered:
    previous = headers.get("ce_previous")
    return Numbered(
        epoch=_number(headers["ce_epoch"]),
        seq=_number(headers["ce_sequence"]),
        # the driver's own kind: made in a tenth of the time, equal to any other, and the ids go to the database only
        event_id=FastUUID(headers["ce_id"]),
        previous_id=None if previous is None else FastUUID(previous),
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise ValueError(f"{text!r} is not a number of a log")
    return int(text)


def last_of_ours(topic: Topic, records: Sequence[ConsumerRecord[bytes | None, bytes | None]]) -> LogRecord | None:
    """The last record that belongs to the numbered log, looking past everybody else's."""
    for record in reversed(records):
        decoded = decode(topic, record)
        if decoded is not None:
            return decoded
    return None
