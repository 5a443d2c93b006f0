"""The open loop: requests leave at their times, whatever became of those before; each is sent again with its key until acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final
from uuid import UUID

from shared.clock import monotonic
from tests.chaos.ledger import Entry, Ledger
from tests.chaos.story import INVALID_SHARE, Story
from tests.chaos.wire import BUSY, PAUSE, Caller, NoAnswer

RESEND_SHARE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts at one request, once there were several."""
PATH: Final = "/v1/requests"


class Load:
    """Sends what the story tells, and writes the ledger."""

    def __init__(self, caller: Caller, story: Story, ledger: Ledger, seed: str) -> None:
        self._caller = caller
        self._story = story
        self._ledger = ledger
        self._seed = seed

    async def run(self, rate: float, seconds: float, opened: Callable[[Entry], bool]) -> None:
        """`rate` requests a second, Poisson, for so long; returns when all are acknowledged or given up.

        Args:
            opened: is told each acknowledged request of its own; whether somebody works on its ticket from now on.
        """
        # of its own: what becomes of a request moves no later one
        arrivals = Random(f"{self._seed}/arrivals")
        begin = monotonic()
        due = begin
        async with asyncio.TaskGroup() as tasks:
            while (due := due + arrivals.expovariate(rate)) < begin + seconds:
                await asyncio.sleep(max(0.0, due - monotonic()))
                if arrivals.random() < INVALID_SHARE:
                    tasks.create_task(self._send_invalid(str(UUID(int=arrivals.getrandbits(128)))))
                else:
                    tasks.create_task(self._follow(self._story.next(), due, opened))

    async def _follow(self, entry: Entry, due: float, opened: Callable[[Entry], bool]) -> None:
        if not await self.send(entry, due):
            return
        if entry.kind == "new" and not (entry.number not in self._ledger.marked and opened(entry)):
            self._story.keep(entry)
        dice = Random(f"{self._seed}/{entry.number}")
        if dice.random() < RESEND_SHARE:
            await asyncio.sleep(dice.expovariate(0.3))
            await self._resend(entry)

    async def send(self, entry: Entry, due: float | None = None) -> bool:
        """Send until acknowledged; whether it was. ``due``: the intended time, from which its latency counts."""
        self._story.busy.add(entry.customer)
        entry.first_sent = monotonic()
        try:
            while not self._caller.patience.is_over:
                if (is_done := await self._try(entry)) is not None:
                    if is_done and due is not None:
                        self._ledger.latencies.append(entry.acked_at - due)
                    return is_done
                # a thousand who wait for a database must not keep it from coming back
                await asyncio.sleep(min(PAUSE * 1.5 ** min(entry.attempts, 10), LONGEST_PAUSE))
            self._ledger.give_up(f"entry {entry.number}")
            return False
        finally:
            self._story.busy.discard(entry.customer)

    async def _try(self, entry: Entry) -> bool | None:
        """Acknowledged, refused, or (None) to be tried again."""
        entry.attempts += 1
        try:
            answer = await self._caller.once("POST", PATH, entry.body, key=entry.key)
        except NoAnswer as error:
            self._ledger.done[f"sent again: {error}"] += 1
            return None
        if answer.status == 202:
            self._ledger.acknowledge(entry, answer.json(), answer.body, monotonic())
            self._ledger.done[f"{entry.kind} requests"] += 1
            return True
        if answer.status in BUSY:
            self._ledger.done[f"sent again: {answer.status}"] += 1
            return None
        self._ledger.wrong.append(f"entry {entry.number} ({entry.kind}) was refused: {answer.status} {answer.body[:300]!r}")
        return False

    async def _resend(self, entry: Entry) -> None:
        """Somebody who did not see his 202 sends once more: the answer must be the same."""
        while not self._caller.patience.is_over:
            try:
                answer = await self._caller.once("POST", PATH, entry.body, key=entry.key)
            except NoAnswer:
                await asyncio.sleep(PAUSE)
                continue
            if answer.status not in BUSY:
                self._ledger.done["sent twice"] += 1
                if (answer.status, answer.body) != (202, entry.answer):
                    told = f"{answer.status} {answer.body[:200]!r}"
                    self._ledger.wrong.append(f"entry {entry.number} sent again was answered {told} instead of {entry.answer[:200]!r}")
                return
            await asyncio.sleep(PAUSE)
        self._ledger.give_up(f"entry {entry.number}, sent again,")

    async def _send_invalid(self, key: str) -> None:
        body = self._story.invalid()
        while not self._caller.patience.is_over:
            try:
                answer = await self._caller.once("POST", PATH, body, key=key)
            except NoAnswer:
                await asyncio.sleep(PAUSE)
                continue
            if answer.status in BUSY:
                await asyncio.sleep(PAUSE)
                continue
            self._ledger.done["invalid requests"] += 1
            if not 400 <= answer.status < 500:
                self._ledger.wrong.append(f"an invalid request was answered {answer.status}: {body}")
            return
        self._ledger.give_up("an invalid request")
