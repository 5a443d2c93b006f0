"""Making a broker lose records that it has acknowledged, which Kafka never does by itself while its disk holds."""

from __future__ import annotations

import struct
from pathlib import Path

from deploy.local.kafka import KafkaServer
from shared.kafka import KafkaSettings
from shared.outbox import Log


def cut(broker: KafkaServer, settings: KafkaSettings, log: Log, *, end: int) -> int:
    """Take from a killed broker what a log holds from the offset `end` on; how many records it held before.

    The end must lie between two batches: the relay's batches are what it sent at once.
    """
    partition = settings.partition(log)
    folder = broker.data_dir / f"{partition.topic}-{partition.partition}"
    segment = max(folder.glob("*.log"))
    found = batches(segment)
    truncate(folder, segment, next(position for position, offset, _ in found if offset == end))
    _, last, count = found[-1]
    return last + count


def truncate(folder: Path, segment: Path, size: int) -> None:
    """End a partition's newest segment after so many bytes; what Kafka derived from it goes as well."""
    with segment.open("r+b") as file:
        file.truncate(size)
    for derived in (*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")):
        derived.unlink()


def batches(segment: Path) -> list[tuple[int, int, int]]:
    """(position in the file, first offset, number of records) of each record batch, as Kafka's format v2 has them."""
    data = segment.read_bytes()
    found, position = [], 0
    while position + 61 <= len(data):
        offset, length = struct.unpack_from(">qi", data, position)
        if length == 0:
            break  # the rest is preallocated
        (count,) = struct.unpack_from(">i", data, position + 57)
        found.append((position, offset, count))
        position += 12 + length
    return found
