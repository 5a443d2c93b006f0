"""How long the broker may hold a fetch back.

While events flow they are fetched together: each answer costs a transaction. While there are none the broker may wait for long, and answers
with the first: so a platform at rest asks seldom, and whoever comes after a quiet time waits for nobody.
"""

from __future__ import annotations

from typing import Final

from aiokafka import AIOKafkaConsumer

AT_ONCE: Final = 1
"""Bytes: the first record is worth an answer."""
GATHER_BYTES: Final = 256 * 1024
"""So much makes a fetch worth answering at once: about five hundred events, a full transaction of most consumers."""


class Gathering:
    """Of one client, made with ``fetch_min_bytes=GATHER_BYTES``.

    The client has no setting that may change while it runs, but reads these two anew for each fetch. One that does not any more gathers
    always, as it was made.
    """

    def __init__(self, client: AIOKafkaConsumer, *, gather_ms: int, quiet_ms: int) -> None:
        """``gather_ms``: as the client was made; ``quiet_ms``: how long a fetch may stay unanswered while there is nothing."""
        self._client = client
        self._flowing = (GATHER_BYTES, gather_ms)
        self._quiet = (AT_ONCE, max(gather_ms, quiet_ms))

    def answered(self, *, with_records: bool) -> None:
        """What the last poll brought; holds for the next fetch. Call it before anything is awaited: the next fetch goes out then."""
        fetcher = self._client._fetcher
        if fetcher is not None:
            fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = self._flowing if with_records else self._quiet
