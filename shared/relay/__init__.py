"""The relay carries the outbox to Kafka: in order, from the cursor, one batch at a time per log.

What to send is decided by `shared/protocol`; a relay that dies at any point, or lives on as a zombie, costs repeats, which consumers drop.
Any number of relays share the logs of a database. `round` is one step, `cursors` its SQL, `sender` its producer.
"""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import timedelta
from uuid import uuid4

from shared import kafka, protocol, telemetry
from shared.backoff import backoff, pause
from shared.clock import monotonic
from shared.database import Database, Transaction, is_transient
from shared.kafka.tail import TailReader
from shared.outbox import Log, Wakeup
from shared.relay import cursors
from shared.relay.rest import Rest
from shared.relay.round import Outcome, Round
from shared.relay.sender import Sender

_log = telemetry.logger()


class Relay:
    """The relay of one process."""

    def __init__(
        self,
        database: Database,
        settings: kafka.KafkaSettings,
        *,
        wakeup: Wakeup | None = None,
        quiet: timedelta = protocol.QUIET,
        lease: timedelta = timedelta(seconds=5),
        poll: float = 0.05,
        idle_poll: float = 0.25,
        gather: float = 0.1,
        rows_per_batch: int = 500,
        send_timeout: float = 8.0,
        tail_timeout: float = 4.0,
        round_timeout: float = 14.0,
    ) -> None:
        """Times without a unit are seconds.

        Args:
            wakeup: what the doors of this process call after COMMIT; without it rows wait for the next poll.
            poll: between two looks at an outbox without work; twice as long after each look that finds none, `idle_poll` at most: so long
                may the first row after a quiet time wait that another process wrote.
            gather: rounds begin at least so far apart while there is less to send than one batch may hold: what is written meanwhile goes
                along, instead of each few rows costing a transaction and a request of their own.
            lease: after so long without a round of its owner, a log may be taken by another relay.
            round_timeout: must stay below the database's idle_in_transaction_session_timeout.
        """
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._database = database
        self._wakeup = wakeup or Wakeup()
        self._quiet = quiet
        self._lease = lease
        self._poll = poll
        self._idle_poll = max(poll, idle_poll)
        self._gather = gather
        self._rows_per_batch = rows_per_batch
        self._round_timeout = round_timeout
        self._sender = Sender(settings, timeout=send_timeout)
        self._tails = TailReader(settings, timeout=tail_timeout)
        self._rest = Rest()
        self._checked: set[Log] = set()
        """Logs whose tail was read since the present producer was made."""

    async def run(self, stop: asyncio.Event) -> None:
        """Carry rows until told to stop; the batch in hand is finished."""
        stopping = asyncio.create_task(self._wake_when(stop), name="relay-stop")
        failures, wait = 0, self._poll
        try:
            while not stop.is_set():
                began = monotonic()
                try:
                    outcome = await self.round()
                    if not outcome.rows and outcome.owned < cursors.LOGS_PER_ROUND:
                        wait = await self._await_work(wait)
                except Exception as error:
                    if not (isinstance(error, kafka.CLIENT_ERRORS) or is_transient(error)):
                        raise
                    failures += 1
                    _log.warning("relay_round_failed", attempt=failures, error=type(error).__name__)
                    await self._wakeup.wait(backoff(failures))
                    continue
                failures = 0
                if outcome.rows:
                    wait = self._poll
                if outcome.rows < self._rows_per_batch:
                    await pause(stop, began + self._gather - monotonic())
        finally:
            stopping.cancel()
            await self.close()

    async def round(self) -> Outcome:
        """One round, and what it did.

        Raises what `kafka.CLIENT_ERRORS` lists while no producer can be made, and what `is_transient` knows while the database is away.
        """
        await self._sender.connect()
        try:
            async with asyncio.timeout(self._round_timeout), self._database.transaction() as tx:
                outcome = await self._round(tx)
        except BaseException:
            # what was sent and what was not is unknown
            await self._start_afresh()
            raise
        self._checked |= outcome.checked
        self._rest.recovered(outcome.sent)
        self._rest.failed(outcome.unread | outcome.unsent, monotonic())
        if outcome.unsent:
            await self._start_afresh()
        return outcome

    async def _await_work(self, wait: float) -> float:
        """Return when somebody called or a look finds work; how long to wait the next time.

        A look is one statement without locks, where a round would be a transaction of three.
        """
        while not await self._wakeup.wait(wait):
            wait = min(2 * wait, self._idle_poll)
            async with self._database.single_statements() as tx:
                if await cursors.is_work_there(tx, self._claim()):
                    break
        return wait

    async def close(self) -> None:
        """Let go of the clients."""
        await self._sender.close()
        await self._tails.close()

    async def _round(self, tx: Transaction) -> Outcome:
        owned = await cursors.own(tx, self._claim())
        if not owned:
            return Outcome()
        parts = Round(tx, self.name, self._sender, self._tails, self._checked, self._quiet, self._rows_per_batch)
        return await parts.carry(owned)

    def _claim(self) -> cursors.Claim:
        return cursors.Claim(self.name, self._lease, self._quiet, self._rest.resting(monotonic()))

    async def _start_afresh(self) -> None:
        """After an error: a new producer, and the tail of every log again."""
        self._checked.clear()
        await self._sender.close()

    async def _wake_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wakeup()
