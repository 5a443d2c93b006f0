"""What is done meanwhile by many at once. None of it ends unseen: an error that nobody expected is a difference."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.chaos.ledger import Ledger


class Tasks:
    """Tasks under way; one that fails is written into the ledger as wrong."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._under_way: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._under_way)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Wait for all of them, and for what they start."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ledger.wrong.append(f"the harness itself failed: {error!r}")


async def ended(task: asyncio.Task[None]) -> None:
    """End what goes on until it is cancelled. Raises what it failed with: a player who was missing makes a run worth nothing."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
