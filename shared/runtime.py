"""What the parts of one process of a service have in common: its settings, its database, its keys, its health."""

from __future__ import annotations

from importlib import metadata
from typing import Any, Generic, Self

from typing_extensions import TypeVar

from shared.auth import Keys, Sessions
from shared.database import Database
from shared.health import Health
from shared.outbox import Wakeup
from shared.pages import Cursors
from shared.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings, default=ServiceSettings)
"""A service's own settings: `Runtime[IntakeSettings]`; a bare `Runtime` knows those that all services have."""


def release() -> str:
    """The version of Aftercare that runs."""
    return metadata.version("aftercare")


class Runtime(Generic[S]):
    """Made once per process, in its event loop, and handed to every room of the service."""

    def __init__(self, settings: S, database: Database) -> None:
        self.settings: S = settings
        self.database = database
        self.service = settings.service
        self.version = release()
        self.keys = Keys(database)
        signing_key = settings.signing_key.get_secret_value()
        self.sessions = Sessions(self.keys, signing_key)
        self.cursors = Cursors(signing_key)
        self.health = Health(database)
        self.wakeup = Wakeup()
        """Call it after COMMIT of a transaction that appended to the outbox; the relay of this process then need not wait for its poll."""

    @classmethod
    def for_tests(cls, database: Database, settings: S) -> Self:
        """A runtime that counts as started, over a database that the test owns."""
        runtime = cls(settings, database)
        runtime.health.is_started = True
        return runtime

    @classmethod
    def start(cls, settings: S) -> Self:
        """With a pool of its own; `close` it at the end."""
        url = settings.database_url.get_secret_value()
        name = f"aftercare-{settings.service}-{settings.ordinal}"
        return cls(settings, Database(url, pool_size=settings.pool_size, application_name=name))

    async def close(self) -> None:
        """Close the pool."""
        await self.database.close()


AnyRuntime = Runtime[Any]
"""A runtime of whatever service."""
