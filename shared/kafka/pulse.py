"""Whether the broker still answers a client's fetches: aiokafka may stop asking for good, without an error, after a broker came back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from aiokafka import TopicPartition

from shared.clock import monotonic


class Fetching(Protocol):
    """What is asked of a client."""

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions that it has now."""

    def last_poll_timestamp(self, partition: TopicPartition) -> int | None:
        """When a fetch of the partition was answered the last time, by a clock that may be set; None: never."""


class Pulse:
    """Of one client. A fetch is answered after a second or two at the latest, so one that asks is heard of all the time."""

    def __init__(self, client: Fetching) -> None:
        self._client = client
        self._newest = 0
        self._heard_at = monotonic()

    def silent_for(self, partitions: Iterable[TopicPartition]) -> float:
        """Seconds in which calls of this saw no answer to a fetch of any of these partitions; 0 when there is none to ask for."""
        assigned = self._client.assignment()
        answers = [self._client.last_poll_timestamp(partition) or 0 for partition in partitions if partition in assigned]
        newest = max(answers, default=None)
        if newest is None or newest != self._newest:
            self._newest = newest or 0
            self.excuse()
        return monotonic() - self._heard_at

    def excuse(self) -> None:
        """Count from now: until now the client had a reason not to ask."""
        self._heard_at = monotonic()
