"""When a message that did not get through is tried again, and when it is given up. Real time throughout."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID

FIRST_DELAY: Final = timedelta(seconds=30)
LONGEST_DELAY: Final = timedelta(hours=1)
GIVE_UP_AFTER: Final = timedelta(hours=24)
"""Since the first attempt."""


def retry_at(attempts: int, first_attempt_at: datetime, now: datetime, spread: float = 1.0) -> datetime | None:
    """When to try again after the ``attempts``-th attempt failed; None is never.

    The delay doubles each time; ``spread`` in [0, 1] takes up to half of it away, so that messages that failed together do not come back
    together.
    """
    delay = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY) * (0.5 + 0.5 * spread)
    return now + delay if now + delay - first_attempt_at <= GIVE_UP_AFTER else None


def spread(event_id: UUID, attempts: int) -> float:
    """A number in [0, 1) that differs from message to message and from attempt to attempt, and is the same whoever asks."""
    digest = blake2b(event_id.bytes + attempts.to_bytes(4, "big"), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
