"""The topics of the platform, who writes them, who reads them, how long they live.

A numbered log is one (topic, partition). Each topic has one source, so that its numbers are those of one outbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PARTITIONS: Final = 12
"""Fixed. To grow: a topic with a new name, drain, switch."""

WEEK_MS: Final = 7 * 24 * 3600 * 1000


class Kind(StrEnum):
    """What a topic may carry."""

    CONTENT = "content"
    """Texts, names, addresses, links; kept 7 days."""
    FACTS = "facts"
    """Ids, codes and numbers; kept for ever."""
    POSITIONS = "positions"
    """Where each consumer stands; compacted, unnumbered, safe to lose."""


@dataclass(frozen=True)
class Topic:
    """One topic. ``consumers`` are the services that read it: the source waits for each of them before it forgets a row."""

    name: str
    source: str
    kind: Kind
    consumers: tuple[str, ...]
    about: str

    @property
    def retention_ms(self) -> int:
        """Kafka's retention.ms; -1 is for ever."""
        return WEEK_MS if self.kind is Kind.CONTENT else -1

    @property
    def ce_source(self) -> str:
        """CloudEvents source of every record that belongs here."""
        return f"/aftercare/{self.source}"


INTAKE: Final = Topic(
    "aftercare.intake",
    "intake",
    Kind.CONTENT,
    ("tickets", "feedback", "metrics"),
    "requests with their text, customers",
)
TICKETS: Final = Topic("aftercare.tickets", "tickets", Kind.FACTS, ("intake", "feedback", "metrics"), "the life of every ticket")
FEEDBACK: Final = Topic(
    "aftercare.feedback", "feedback", Kind.FACTS, ("intake", "tickets", "metrics"), "surveys and their answers as numbers"
)
METRICS: Final = Topic("aftercare.metrics", "metrics", Kind.FACTS, (), "published figures and alarms")
TICKETS_OUTBOUND: Final = Topic(
    "aftercare.tickets.outbound", "tickets", Kind.CONTENT, ("intake",), "what a ticket wants its customer to know"
)
FEEDBACK_OUTBOUND: Final = Topic("aftercare.feedback.outbound", "feedback", Kind.CONTENT, ("intake",), "survey invitations for customers")

NUMBERED: Final = (INTAKE, TICKETS, FEEDBACK, METRICS, TICKETS_OUTBOUND, FEEDBACK_OUTBOUND)
POSITIONS_TOPIC: Final = "aftercare.positions"


def topic_named(name: str) -> Topic:
    """The numbered topic of that name.

    Raises:
        KeyError: no such topic.
    """
    return {topic.name: topic for topic in NUMBERED}[name]


def produced_by(service: str) -> tuple[Topic, ...]:
    """The topics whose numbers that service gives out."""
    return tuple(topic for topic in NUMBERED if topic.source == service)


def consumed_by(service: str) -> tuple[Topic, ...]:
    """The topics that service reads."""
    return tuple(topic for topic in NUMBERED if service in topic.consumers)
