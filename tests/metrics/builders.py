"""Stories of tickets as their events, numbered as the bus numbers them; whatever a generated story does, a real ticket could do."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.metrics.reduction import Entry, entry_of
from shared.events import feedback, intake, tickets
from shared.events.envelope import Event
from shared.events.tickets import Dimensions, Target
from shared.protocol import partition_of

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
CUSTOMER = UUID("3f2b8a52-0f0e-4a0c-9a55-0d7d0c5f6b11")

MILLISECOND, MINUTE, HOUR, DAY = timedelta(milliseconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def numbered(events: Iterable[Event]) -> list[Entry]:
    """The events as lines of the event log, in the order given: each gets the next number of its log."""
    heads: Counter[tuple[str, int]] = Counter()
    entries = []
    for event in events:
        log = (event.TOPIC.name, partition_of(event.key))
        heads[log] += 1
        entries.append(entry_of(*log, heads[log], event))
    return entries


def uuid(number: int) -> UUID:
    """An id that tests can name."""
    return UUID(int=0xA0000000_0000_4000_8000_000000000000 + number)


def request(number: int, at: datetime = START, **fields: Any) -> intake.RequestReceived:
    """A request came in."""
    values: dict[str, Any] = {
        "occurred_at": at,
        "request_id": uuid(number),
        "reference": f"AS-{number}",
        "customer_id": CUSTOMER,
        "channel": "web",
        "type": "repair",
        "locale": "en",
        "text": "It does not start.",
        "received_at": at,
        "completeness": 1.0,
    }
    return intake.RequestReceived(**{**values, **fields})


def answer(number: int, at: datetime = START, **fields: Any) -> feedback.SurveyAnswered:
    """A survey was answered."""
    values: dict[str, Any] = {
        "occurred_at": at,
        "invitation_id": uuid(number),
        "ticket_number": f"AS-{number}",
        "episode": 1,
        "customer_id": CUSTOMER,
        "form": "T1.1",
        "dimensions": Dimensions(status="resolved", priority="normal", channel="web", type="repair", team="repairs", agent="agent-1"),
        "resolved_at": at - DAY,
        "locale": "en",
    }
    return feedback.SurveyAnswered(**{**values, **fields})


def invited(number: int, at: datetime = START, **fields: Any) -> feedback.SurveyInvited:
    """A customer was asked."""
    return feedback.SurveyInvited(**_survey(number, at, resolved_at=at, expires_at=at + 7 * DAY, **fields))


def survey_cancelled(number: int, at: datetime = START, **fields: Any) -> feedback.SurveyCancelled:
    """The resolution did not hold before the answer came."""
    return feedback.SurveyCancelled(**_survey(number, at, **fields))


def _survey(number: int, at: datetime, **fields: Any) -> dict[str, Any]:
    values = answer(number, at).model_dump(exclude={"resolved_at", "locale"})
    shared = {name: value for name, value in values.items() if name in feedback.SurveyEvent.model_fields}
    return {**shared, **fields}


def anonymous_answer(number: int, at: datetime = START, **fields: Any) -> feedback.SurveyAnsweredAnonymously:
    """An answer without a way back, dated at the beginning of its day."""
    values: dict[str, Any] = {
        "occurred_at": at,
        "response_id": uuid(500_000 + number),
        "form": "T1.1",
        "answered_on": at.date(),
        "channel": "web",
        "locale": "en",
    }
    return feedback.SurveyAnsweredAnonymously(**{**values, **fields})


def merged_file(customer: int, into: int, at: datetime = START) -> intake.CustomerMerged:
    """Two files are one person."""
    return intake.CustomerMerged(occurred_at=at, customer_id=uuid(customer), into_customer_id=uuid(into), actor="agent-1")


def unmerged_file(customer: int, into: int, at: datetime = START) -> intake.CustomerUnmerged:
    """They are two again."""
    return intake.CustomerUnmerged(occurred_at=at, customer_id=uuid(customer), from_customer_id=uuid(into), actor="agent-1")


@dataclass
class Promise:
    """One target of a story's ticket."""

    started_at: datetime
    due_at: datetime
    met_at: datetime | None = None
    policy_version: int = 1
    business_share: float = 0.5
    """Of the time that it took, so much was business time."""

    def told(self) -> Target:
        """As events tell it."""
        business_ms = None if self.met_at is None else int((self.met_at - self.started_at) / MILLISECOND * self.business_share)
        return Target(
            started_at=self.started_at,
            due_at=self.due_at,
            met_at=self.met_at,
            business_ms=business_ms,
            policy_version=self.policy_version,
        )


@dataclass
class Story:
    """One ticket. Each method is something that happens to it, `events` what the bus hears."""

    number: str = "AS-1"
    at: datetime = START
    dims: dict[str, Any] = field(default_factory=lambda: {"channel": "web", "type": "repair", "priority": "normal", "tier": "standard"})
    first_response_due: timedelta = 4 * HOUR
    resolution_due: timedelta = 3 * DAY
    customer: UUID = CUSTOMER
    business_share: float = 0.5
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.version = 1
        self.episode = 0
        self.status = "new"
        self.resolved_at = self.at
        self.first_response = Promise(self.at, self.at + self.first_response_due, business_share=self.business_share)
        self.resolution = Promise(self.at, self.at + self.resolution_due, business_share=self.business_share)
        self.next_response: Promise | None = None
        self._tell(tickets.TicketOpened, opened_at=self.at, first_response=self.first_response.told(), resolution=self.resolution.told())

    def later(self, span: timedelta) -> Story:
        """Time passes."""
        self.at += span
        return self

    def assigned(self, agent: str, team: str = "repairs") -> Story:
        """Somebody takes it."""
        self.dims |= {"agent": agent, "team": team}
        return self._change("assigned")._tell(tickets.TicketAssigned)

    def triaged(self, **dims: str) -> Story:
        """Its dimensions are set."""
        self.dims |= dims
        return self._change("triaged")._tell(tickets.TicketTriaged)

    def replied(self) -> Story:
        """A colleague answers the customer; the first time, the first response is met by the same change."""
        self._change(self.status)._tell(tickets.TicketReplied, message_id=uuid(self.version))
        if self.first_response.met_at is None:
            self.first_response.met_at = self.at
            self._tell(tickets.SlaMet, target="first_response", clock=self.first_response.told())
        if self.next_response is not None:
            self.next_response.met_at = self.at
            self._tell(tickets.SlaMet, target="next_response", clock=self.next_response.told())
            self.next_response = None
        return self

    def asked_again(self, due_in: timedelta = 2 * HOUR) -> Story:
        """The customer writes once more; the clock of his oldest unanswered message runs, once somebody has answered him at all."""
        if self.next_response is None and self.first_response.met_at is not None:
            self.next_response = Promise(self.at, self.at + due_in)
        told = None if self.next_response is None else self.next_response.told()
        return self._change(self.status)._tell(
            tickets.TicketMessageAdded, request_id=uuid(self.version), reference=f"{self.number}-{self.version}", next_response=told
        )

    def waits(self, status: str = "waiting_parts") -> Story:
        """Nothing can be done for the moment."""
        previous = self.status
        return self._change(status)._tell(tickets.TicketStatusChanged, previous_status=previous, action="wait")

    def breached(self, target: str) -> Story:
        """A timer tells that the due time has passed."""
        promise: Promise = getattr(self, target)
        self._change(self.status)
        self._tell(tickets.SlaBreached, at=promise.due_at, target=target, clock=promise.told())
        return self

    def escalated(self, target: str) -> Story:
        """Somebody higher is told about a promise; the promise itself is no part of it."""
        return self._tell(tickets.TicketEscalated, level=1, reason="sla_breached", target=target)

    def retargeted(self, target: str, due_in: timedelta, policy_version: int | None = None) -> Story:
        """Another promise, or a pause that moved the due time."""
        promise: Promise = getattr(self, target)
        promise.due_at = promise.started_at + due_in
        promise.policy_version = policy_version or promise.policy_version
        return self._change(self.status)._tell(tickets.SlaRetargeted, target=target, clock=promise.told())

    def resolved(self) -> Story:
        """A solution is given."""
        self.episode += 1
        self.resolution.met_at = self.resolved_at = self.at
        return self._change("resolved")._tell(
            tickets.TicketResolved,
            episode=self.episode,
            resolution_code="repaired",
            opened_at=self.first_response.started_at,
            locale="en",
            first_response=self.first_response.told(),
            resolution=self.resolution.told(),
        )

    def reopened(self, reason: str = "customer_reply") -> Story:
        """It did not hold."""
        self.resolution.met_at = None
        self._change("assigned")
        return self._tell(
            tickets.TicketReopened, episode=self.episode, resolved_at=self.resolved_at, reason=reason, resolution=self.resolution.told()
        )

    def confirmed(self) -> Story:
        """The customer says that it is solved."""
        return self._change("confirmed")._tell(tickets.TicketConfirmed, episode=self.episode)

    def closed(self, reason: str = "window_over") -> Story:
        """The end."""
        return self._change("closed")._tell(tickets.TicketClosed, reason=reason)

    def cancelled(self, reason: str = "withdrawn") -> Story:
        """Not wanted any more, or never a request at all."""
        return self._change("cancelled")._tell(tickets.TicketCancelled, reason=reason)

    def merged(self) -> Story:
        """Joined to another ticket."""
        previous = self.status
        return self._change("merged")._tell(tickets.TicketMerged, into_number="AS-ROOT", previous_status=previous)

    def unmerged(self) -> Story:
        """The merge is undone."""
        told = {"first_response": self.first_response.told(), "resolution": self.resolution.told()}
        return self._change("assigned")._tell(tickets.TicketUnmerged, from_number="AS-ROOT", **told)

    def _change(self, status: str) -> Story:
        self.version += 1
        self.status = status
        return self

    def _tell(self, kind: type[tickets.TicketEvent], at: datetime | None = None, **fields: Any) -> Story:
        dimensions = Dimensions(status=self.status, **self.dims)
        self.events.append(
            kind(
                occurred_at=at or self.at,
                ticket_number=self.number,
                ticket_version=self.version,
                customer_id=self.customer,
                dimensions=dimensions,
                actor="agent-1",
                **fields,
            )
        )
        return self


# ------------------------------------------------------------------ histories

SPANS = (timedelta(seconds=30), timedelta(seconds=61), MINUTE, 20 * MINUTE, HOUR, 5 * HOUR, DAY, 3 * DAY, 7 * DAY, 8 * DAY)


CUSTOMERS = 12
"""Files of random histories: few, so that the same person complains again."""


def random_story(chance: random.Random, number: int, at: datetime) -> Story:
    """A ticket to which up to a dozen things happen, in an order that is possible."""
    story = Story(
        number=f"AS-{number}",
        at=at,
        dims={
            "channel": chance.choice(["web", "email", "chat", "bot", "internal"]),
            "type": chance.choice([None, "repair", "complaint", "complaint"]),
            "priority": chance.choice(["normal", "urgent"]),
            "tier": chance.choice(["standard", "gold"]),
            "root_topic": chance.choice([None, "leak", "noise"]),
            "category": chance.choice([None, "heating"]),
        },
        customer=uuid(chance.randrange(CUSTOMERS)),
        business_share=chance.choice([0, 0.25, 0.5, 1]),
    )
    for _ in range(chance.randrange(12)):
        if chance.random() < 0.7:
            story.later(chance.choice(SPANS))
        _something(chance, story)
        if story.status == "cancelled":
            break
    return story


def _something(chance: random.Random, story: Story) -> None:
    """One thing that may happen to a ticket in its state."""
    match story.status:
        case "resolved" | "confirmed":
            chance.choice([story.reopened, story.confirmed, story.closed, story.closed, lambda: story.breached("first_response")])()
        case "closed":
            chance.choice([story.reopened if story.episode else lambda: None, lambda: None, lambda: None])()
        case "merged":
            chance.choice([story.unmerged, lambda: None])()
        case _:
            _work(chance, story)


def _work(chance: random.Random, story: Story) -> None:
    agent = chance.choice(["agent-1", "agent-2", "agent-3"])
    target, due = chance.choice(["first_response", "resolution", "next_response"]), chance.choice([HOUR, DAY, 5 * DAY])
    happenings = [
        lambda: story.assigned(agent, team=chance.choice(["repairs", "returns"])),
        lambda: story.triaged(priority=chance.choice(["low", "urgent"]), type=chance.choice(["repair", "complaint", "praise"])),
        story.asked_again,
        lambda: story.waits(chance.choice(["waiting_parts", "waiting_customer", "in_progress"])),
        story.replied,
        story.replied,
        lambda: _breach(story, target),
        lambda: _breach(story, target),
        lambda: _retarget(story, target, due, chance.choice([None, 2, 3])),
        story.resolved,
        story.resolved,
        story.resolved,
        lambda: story.closed("no_customer_answer"),
        lambda: story.cancelled(chance.choice(["withdrawn", "spam", "test", "dismissed"])),
        story.merged,
    ]
    chance.choice(happenings)()


def _breach(story: Story, target: str) -> None:
    story.escalated(target)
    promise: Promise | None = getattr(story, target)
    if promise is not None and promise.met_at is None:
        story.breached(target)


def _retarget(story: Story, target: str, due: timedelta, policy_version: int | None) -> None:
    promise: Promise | None = getattr(story, target)
    if promise is not None and promise.met_at is None:
        story.retargeted(target, due, max(policy_version or 1, promise.policy_version))


def random_history(seed: int, stories: int, begun_within: timedelta = 14 * DAY) -> list[Event]:
    """Requests, tickets and answers of some weeks, in a possible order."""
    chance = random.Random(seed)
    events: list[Event] = []
    for number in range(stories):
        at = START + chance.randrange(begun_within // MINUTE) * MINUTE
        events.append(request(number, at, channel=chance.choice(["web", "email", "internal"]), type=chance.choice([None, "repair"])))
        events.extend(random_story(chance, number, at).events)
        events.extend(_random_survey(chance, number, at))
        events.extend(_random_merges(chance, at))
        if chance.random() < 0.1:  # told again, under another number: it counts once
            events.append(chance.choice(events))
    return events


def _random_survey(chance: random.Random, number: int, at: datetime) -> list[Event]:
    """An invitation, or none; an answer, or none; a cancellation, or none."""
    later = at + chance.choice(SPANS)
    scores = {"overall": chance.choice([None, 1, 2, 4, 5, 5]), "recommend": chance.choice([None, *range(11)])}
    events: list[Event] = []
    if chance.random() < 0.7:
        events.append(invited(number, at))
    if chance.random() < 0.6:
        events.append(answer(number - chance.randrange(2), later, form=chance.choice(["T1.1", "T1.2", "T2.1"]), **scores))
    elif chance.random() < 0.4:
        events.append(survey_cancelled(number, later))
    elif chance.random() < 0.4:
        events.append(anonymous_answer(number, later, tier=chance.choice([None, "gold"]), **scores))
    return events


def _random_merges(chance: random.Random, at: datetime) -> list[Event]:
    """Files that are one person, and files that were not; sometimes in a circle."""
    customer, into = chance.sample(range(CUSTOMERS), 2)
    if chance.random() < 0.1:
        return [merged_file(customer, into, at)]
    return [unmerged_file(customer, into, at)] if chance.random() < 0.1 else []


def in_batches(entries: Sequence[Entry], chance: random.Random) -> list[list[Entry]]:
    """The same entries, in pieces of any size."""
    batches, rest = [], list(entries)
    while rest:
        size = chance.randrange(1, 1 + max(1, len(rest)))
        batches.append(rest[:size])
        rest = rest[size:]
    return batches
