"""Staff as values for deciding: ids and codes. Names of people stay in the database.

An agent's id is the principal of his key. Nothing here is ever deleted: whoever leaves, and whatever is dissolved, becomes inactive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Presence(StrEnum):
    """Whether somebody is at work."""

    PRESENT = "present"
    AWAY = "away"
    """Back in a moment: keeps what he has and is given nothing."""
    OFFLINE = "offline"


class Distribution(StrEnum):
    """How a team's tickets find their agent."""

    ROUND_ROBIN = "round_robin"
    BY_HAND = "by_hand"
    """They wait in the queue until somebody takes them."""


class WhenOffline(StrEnum):
    """What becomes of the open tickets of an agent who goes offline."""

    KEEP = "keep"
    QUEUE = "queue"


class Tier(StrEnum):
    """How dear a customer is to the house; intake grades them."""

    STANDARD = "standard"
    SILVER = "silver"
    GOLD = "gold"
    VIP = "vip"


class Position(StrEnum):
    """What somebody is in the house. It tells colleagues whom to ask; what he may do is his key's role."""

    CUSTOMER_SERVICE_SPECIALIST = "customer_service_specialist"
    TECHNICAL_SUPPORT_ENGINEER = "technical_support_engineer"
    RETURNS_SPECIALIST = "returns_specialist"
    COMPLAINT_SPECIALIST = "complaint_specialist"
    AFTER_SALES_SPECIALIST = "after_sales_specialist"
    SUPERVISOR = "supervisor"
    TEAM_LEADER = "team_leader"
    TRAINING_SUPERVISOR = "training_supervisor"
    RECORDER = "recorder"
    ANALYST = "analyst"
    REPORTER = "reporter"
    IT = "it"
    FINANCE = "finance"
    PRODUCT = "product"
    FIELD_ENGINEER = "field_engineer"
    SALES = "sales"
    SERVICE_ENGINEER = "service_engineer"
    SUPERVISION = "supervision"
    EXPERT = "expert"


class Agent(NamedTuple):
    """Somebody who works on tickets. The first of his teams is his home. Whoever gives work makes one of each of the team: it is cheap."""

    id: str
    teams: tuple[str, ...] = ()
    skills: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    """Tiers of customers whom he is there for; he is given no others, and they are given to him first. Empty: everybody."""
    capacity: int | None = None
    """Open tickets beyond which he is given no more; he may still take some. None: no limit."""
    presence: Presence = Presence.OFFLINE
    is_active: bool = True
    given_at: datetime | None = None
    """When he was given work the last time; None before the first time."""

    @property
    def is_at_work(self) -> bool:
        """Whether he can be given work, and asked."""
        return self.is_active and self.presence is Presence.PRESENT


@dataclass(frozen=True, slots=True)
class Team:
    """Agents who share a queue, and what it is there for. Of these lists an empty one does not restrict."""

    id: str
    types: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    distribution: Distribution = Distribution.ROUND_ROBIN
    when_offline: WhenOffline = WhenOffline.KEEP
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Skill:
    """What a ticket may need. It needs it when all lists that name anything name it; a skill without lists is needed by none."""

    id: str
    types: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    is_active: bool = True

    def is_needed(self, work: Work) -> bool:
        """Whether the work cannot be done without it."""
        if not self.is_active or not (self.types or self.categories):
            return False
        return (not self.types or work.type in self.types) and (not self.categories or work.category in self.categories)


class Work(NamedTuple):
    """What assignment looks at of a ticket."""

    type: str | None
    channel: str
    tier: str
    category: str | None = None
