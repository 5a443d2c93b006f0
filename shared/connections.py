"""The connections of one process to its service's database: a few, made when they are needed, kept while they live.

The driver's own pool asks the server to reset a connection after each use, and SQLAlchemy's runs the driver in a greenlet; both cost more
than a short transaction does. Here every use ends with COMMIT or ROLLBACK, so there is nothing to reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

WAIT: Final = 5.0
"""Seconds to wait for a connection that somebody gives back."""
CLOSE_TIMEOUT: Final = 2.0
"""Seconds for a connection's good-bye."""


class Connections:
    """At most ``size`` connections, which ``connect`` makes; used by one event loop. Those that the server closed are replaced."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        self._connect = connect
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(size)
        self._is_closed = False

    async def take(self) -> Connection:
        """A connection that nobody else uses until it is given back; the one that was used last.

        Raises:
            TimeoutError: all were in use for too long.
        """
        if self._free.locked():
            async with asyncio.timeout(WAIT):
                await self._free.acquire()
        else:
            await self._free.acquire()
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
            return await self._connect()
        except BaseException:
            self._free.release()
            raise

    def give_back(self, connection: Connection) -> None:
        """End a use. One that is still inside a transaction was left in the middle: it is dropped, and the server rolls back."""
        if self._is_closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append(connection)
        self._free.release()

    async def close(self) -> None:
        """Close those that nobody uses; the others when they are given back."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await connection.close(timeout=CLOSE_TIMEOUT)
