"""A service's own PostgreSQL: a few connections, and one transaction per knock at a door.

Handlers get a `Transaction` and never commit. They speak to asyncpg: set-based SQL with unnest arrays. What is cold and not of any handler
may use the SQLAlchemy `engine`, whose connections are made for the occasion; the library is loaded with it, so that a service that runs
without needs thirty megabytes less.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import asyncpg
import orjson

from shared.connections import CLOSE_TIMEOUT, Connection, Connections

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

TRANSIENT_STATES: Final = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57014", "25P03", "58030"})
"""SQLSTATEs after which the same work may succeed: serialisation, deadlock, time-outs, a server going away, a disk that fails."""
TRANSIENT_CLASSES: Final = ("08", "53")
"""The same for whole classes: the connection is gone; the server is out of disk, memory or connections, which is no record's fault."""

Isolation = Literal["read_committed", "repeatable_read", "serializable"]

CONNECT_TIMEOUT: Final = 5.0
"""Seconds until a connection must be there."""
COMMAND_TIMEOUT: Final = 10.0
"""Seconds that one statement may take before the client gives up."""
PLANS_LIVE: Final = 10.0
"""Seconds for which a connection keeps a statement with its plan. A plan that was made while a table was small reads it whole, however
large it has grown, until something analyses it: in the first minutes of a database that is every row for each batch. A new plan asks how
large the table is."""


class Transaction:
    """An open transaction. SQL goes through `fetch`, `fetchrow`, `fetchval`, `execute` with $1 parameters."""

    def __init__(self, driver: Connection) -> None:
        self.driver = driver

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """All rows. jsonb parameters and results are JSON text: see `to_json` and `from_json`."""
        return await self.driver.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        return await self.driver.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        return await self.driver.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement; the command tag, e.g. ``UPDATE 3``."""
        return await self.driver.execute(query, *args)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows by COPY: half the work of INSERT on both sides, for what is only added and can meet nothing that is there already.

        Values are as in parameters; of a tsvector column the text of its words with blanks between them.
        """
        await self.driver.copy_records_to_table(table, columns=columns, records=rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What is done inside is undone when it raises; the transaction lives on."""
        async with self.driver.transaction():
            yield


class Database:
    """The database of one process. Create it in the process that uses it, and `close` it at the end."""

    def __init__(self, url: str, *, pool_size: int, application_name: str) -> None:
        self._url = f"postgresql://{asyncpg_url(url).partition('://')[2]}"
        options: dict[str, Any] = {
            "command_timeout": COMMAND_TIMEOUT,
            "timeout": CONNECT_TIMEOUT,
            "max_cached_statement_lifetime": PLANS_LIVE,
            "server_settings": {"application_name": application_name, "timezone": "UTC"},
        }
        self._options = options
        self._connections = Connections(self._connect, pool_size)

    @property
    def url(self) -> str:
        """As it was given, with the password."""
        return self._url

    @cached_property
    def engine(self) -> AsyncEngine:
        """The same database for SQLAlchemy."""
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        # the dialect decodes jsonb for the whole connection, also for statements that go straight to the driver: leave it text
        return create_async_engine(asyncpg_url(self._url), poolclass=NullPool, json_deserializer=str, connect_args=self._options)

    async def _connect(self) -> Connection:
        connection: Connection = await asyncpg.connect(self._url, **self._options)
        # the binary form of tsvector, which COPY asks for
        await connection.set_type_codec("tsvector", schema="pg_catalog", encoder=tsvector, decoder=bytes, format="binary")
        return connection

    @asynccontextmanager
    async def transaction(self, *, isolation: Isolation = "read_committed", readonly: bool = False) -> AsyncIterator[Transaction]:
        """One transaction: commits when the block ends, rolls back when it raises."""
        driver = await self._connections.take()
        try:
            transaction = driver.transaction(isolation=isolation, readonly=readonly)
            await transaction.start()
            try:
                yield Transaction(driver)
            except BaseException:
                # where that fails as well the connection is gone, and the server rolls back; what went wrong first is what counts
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError):
                    await transaction.rollback()
                raise
            await transaction.commit()
        finally:
            self._connections.give_back(driver)

    @asynccontextmanager
    async def single_statements(self) -> AsyncIterator[Transaction]:
        """Each statement is a transaction of its own, at a third of the round trips: for readers that look at one thing."""
        driver = await self._connections.take()
        try:
            yield Transaction(driver)
        finally:
            self._connections.give_back(driver)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Transaction]:
        """A connection that is closed afterwards, where each statement is a transaction of its own: for what locks beyond one."""
        driver = await self._connect()
        try:
            yield Transaction(driver)
        finally:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError):
                await driver.close(timeout=CLOSE_TIMEOUT)

    async def ping(self) -> None:
        """Answers, or raises what `is_transient` knows."""
        async with self.single_statements() as tx:
            await tx.fetchval("SELECT 1")

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.close()
        if "engine" in self.__dict__:
            await self.engine.dispose()


def tsvector(text: str) -> bytes:
    """What PostgreSQL's tsvectorsend would send for these words, without positions. Each word stands in the text once, in any order."""
    words = text.encode().split()
    return b"".join((struct.pack("!I", len(words)), *(word + b"\0\0\0" for word in words)))


def asyncpg_url(url: str) -> str:
    """The same address for SQLAlchemy's asyncpg dialect."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError("a database URL must start with postgresql://")
    return f"postgresql+asyncpg://{rest}"


def is_transient(error: BaseException) -> bool:
    """Whether waiting and doing the same again may help: the database is away, busy, or chose us as a deadlock's victim."""
    if type(error).__module__.startswith("sqlalchemy."):
        return _is_transient_there(error)
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state in TRANSIENT_STATES or state.startswith(TRANSIENT_CLASSES)
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, asyncpg.DataError)
    if isinstance(error, asyncpg.InternalClientError):
        # what the driver raises when a connection is lost in the middle of a step
        return True
    return isinstance(error, OSError | asyncio.TimeoutError)


def _is_transient_there(error: BaseException) -> bool:
    """The same for what SQLAlchemy and its dialect raise around the driver's errors."""
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError

    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_transient(error.orig))
    # the dialect's own errors: the cause tells which one of the driver's it was
    return isinstance(error, PoolTimeoutError) or (error.__cause__ is not None and is_transient(error.__cause__))


def to_json(value: Any) -> str:
    """Text for a jsonb parameter."""
    return orjson.dumps(value, default=_plain).decode()


def _plain(value: object) -> str:
    # the driver's ids are of a subclass that the encoder does not know
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def from_json(value: str | bytes | None) -> Any:
    """Value of a jsonb result."""
    return None if value is None else orjson.loads(value)


def column(rows: Sequence[Any], name: str) -> list[Any]:
    """One attribute of each row, as an array parameter for unnest."""
    return [getattr(row, name) for row in rows]
