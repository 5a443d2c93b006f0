"""What every event is, whatever it says: a frozen contract with a type, a topic and a key.

The contract says what happened and when. What identifies the message (id, number in its log, predecessor) is put on by `shared/outbox.py`,
so that decisions stay free of random numbers and tests compare whole events. Producers are strict (the checker refuses unknown
fields, the published schema is closed), consumers tolerant (unknown fields are ignored, unknown types skipped).
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.events.topics import Topic

SPEC_VERSION: Final = "1.0"
FILLER_TYPE: Final = "outbox.filler.v1"
"""Type of a record without effect that only holds a number: after a restore, and so that personal data may leave the outbox."""


class Fact(BaseModel):
    """A frozen value inside an event; unknown fields are ignored by readers."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_timedelta="float")


class Event(Fact):
    """Root of all contracts. A subclass sets TYPE, TOPIC and KEY (the field whose order matters) and is registered by doing so."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[Topic]
    KEY: ClassVar[str]

    occurred_at: AwareDatetime
    """When it happened in the world, not when it was written or sent."""

    @property
    def key(self) -> str:
        """Kafka key: what must stay in order. Never a phone number or an address."""
        return str(getattr(self, self.KEY))


class Written(NamedTuple):
    """An event as JSON already: for the few types that are written so often that their service writes them itself.

    ``payload`` is what the contract's own writer gives, byte for byte; a law of the service's tests says so.
    """

    contract: type[Event]
    key: str
    occurred_at: datetime
    payload: bytes
    trace: str | None = None
    """The trace of what caused it, as a `traceparent`, where that is not the present one."""
