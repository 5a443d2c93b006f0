"""`python -m tests.kafka.consumer_process [stalling]`: a consumer in a process of its own, to be killed.

Stalling, it says "written" when its first effects are written, and then never commits them. Settings come from the environment:
DATABASE_URL, KAFKA_BOOTSTRAP_SERVERS, TOPIC_PREFIX.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from shared.consumer import Consumer, Received
from shared.database import Database, Transaction
from shared.events.topics import TICKETS
from shared.kafka import KafkaSettings
from tests.shared.flow import note


async def stall(tx: Transaction, received: Sequence[Received]) -> None:
    """Write the effects and hang before COMMIT."""
    await note(tx, received)
    sys.stdout.write("written\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def run() -> None:
    """Consume until killed."""
    database = Database(os.environ["DATABASE_URL"], pool_size=3, application_name="consumer-process")
    kafka = KafkaSettings(os.environ["KAFKA_BOOTSTRAP_SERVERS"], topic_prefix=os.environ["TOPIC_PREFIX"])
    handle = stall if "stalling" in sys.argv[1:] else note
    await Consumer(database, "feedback", 0, [TICKETS], handle, kafka).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(run())
