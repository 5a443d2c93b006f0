"""The cut: a killed broker's logs end earlier than what it had acknowledged."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final

from tests.kafka.damage import batches, truncate

SHARE: Final = 0.4
"""Of the partitions that hold something."""
MOST_BATCHES: Final = 6
OURS: Final = "aftercare."


def cut_tails(data: Path, random: Random) -> dict[str, int]:
    """Cut the last batches off some of the platform's partitions; how many records each lost.

    Sometimes the cut goes through the middle of a batch, as a power cut would: Kafka drops the rest of it when it recovers.

    Args:
        data: a killed broker's folder with a folder per partition.
    """
    lost: dict[str, int] = {}
    for folder in sorted(data.glob(f"*{OURS}*-*")):
        segment = max(folder.glob("*.log"), default=None)
        found = batches(segment) if segment is not None else []
        if segment is None or not found or random.random() > SHARE:
            continue
        kept = len(found) - random.randint(1, min(MOST_BATCHES, len(found)))
        position, _, _ = found[kept]
        torn = random.choice((0, random.randint(1, 60)))
        truncate(folder, segment, position + torn)
        lost[folder.name] = sum(count for _, _, count in found[kept:])
    return lost
