"""What a service department hears in some time, as records of the numbered logs: generated, without I/O, the same for the same seed.

A life is one request with all that follows: the ticket is opened and assigned, work begins, a reply meets the first response, some
customers write again, most tickets are resolved, some reopened, most customers are asked how it went, a third of them answers. Shares and
waits are those of the demo; every record is such as the services publish, and a test reads them all through the contracts.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from shared.events import feedback, intake, tickets
from shared.events.envelope import Event
from shared.kafka.records import OutboxRow, encode
from shared.outbox import Log
from shared.protocol import partition_of

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)

EVENTS_OF_A_LIFE: Final = 11.8
"""About so many on average."""
CHANNELS: Final = ("web", "email", "phone", "chat", "wechat", "app", "whatsapp", "sms")
_CHANNEL_WEIGHTS: Final = (24, 20, 16, 14, 12, 8, 4, 2)
TYPES: Final = ("repair", "enquiry", "complaint", "return", "technical_support", "exchange", "refund", "installation")
_TYPE_WEIGHTS: Final = (26, 22, 14, 12, 10, 6, 6, 4)
PRIORITIES: Final = ("low", "normal", "high", "urgent")
_PRIORITY_WEIGHTS: Final = (15, 60, 20, 5)
TIERS: Final = ("standard", "silver", "gold", "vip")
_TIER_WEIGHTS: Final = (70, 15, 10, 5)
TEAMS: Final = ("repairs", "returns", "complaints", "frontline", "field", "technical")
AGENTS_PER_TEAM: Final = 8
TOPICS: Final = ("leak", "noise", "delivery", "wrong_part", "billing", "will_not_start", "manual", "warranty")

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event before it has a number."""

    at: datetime
    contract: type[Event]
    key: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it lies in its log."""

    row: OutboxRow
    at: datetime

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """As the relay sends them."""
        return encode(self.row)


def records(lives: int, *, within: timedelta, seed: int = 1) -> list[Record]:
    """The events of so many lives that begin within a time, numbered in the order in which they happened."""
    chance = random.Random(seed)
    begin = (BEGIN + within * chance.random() for _ in range(lives))
    happened = [happening for number, at in enumerate(begin) for happening in Life(chance, number, at).happenings]
    happened.sort(key=lambda happening: happening.at)
    return list(numbered(happened, chance))


def numbered(happened: Iterable[Happening], chance: random.Random) -> Iterator[Record]:
    """Each gets the next number of its log, an id, and names the one before it."""
    heads: Counter[Log] = Counter()
    ids: dict[Log, UUID] = {}
    for each in happened:
        log = (each.contract.TOPIC.name, partition_of(each.key))
        heads[log] += 1
        previous, ids[log] = ids.get(log), _uuid(chance)
        headers = {
            "ce_time": each.at.isoformat(),
            "ce_epoch": "1",
            "traceparent": f"00-{chance.getrandbits(128):032x}-{heads[log]:016x}-01",
        }
        yield Record(
            OutboxRow(
                log, heads[log], each.key, each.contract.TYPE, ids[log], previous, headers, orjson.dumps(each.data, option=orjson.OPT_UTC_Z)
            ),
            each.at,
        )


def by_log(found: Sequence[Record]) -> dict[Log, list[Record]]:
    """The records of each log, in order."""
    logs: dict[Log, list[Record]] = {}
    for record in found:
        logs.setdefault(record.row.log, []).append(record)
    return logs


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


# ------------------------------------------------------------------ one life


class Life:
    """One request and all that follows."""

    def __init__(self, chance: random.Random, number: int, at: datetime) -> None:
        self.happenings: list[Happening] = []
        self._chance = chance
        self._at = at
        self._begin = at
        self._number = f"AS-{at:%Y%m%d}-{number:08X}"
        self._customer = str(_uuid(chance))
        self._version = 0
        self._status = "assigned"
        self._team = chance.choice(TEAMS)
        self._dims: dict[str, Any] = {
            "type": chance.choices(TYPES, _TYPE_WEIGHTS)[0],
            "status": "assigned",
            "step": None,
            "priority": chance.choices(PRIORITIES, _PRIORITY_WEIGHTS)[0],
            "category": "heating",
            "root_topic": chance.choice(TOPICS),
            "channel": chance.choices(CHANNELS, _CHANNEL_WEIGHTS)[0],
            "team": self._team,
            "agent": self._agent(),
            "tier": chance.choices(TIERS, _TIER_WEIGHTS)[0],
            "product_model": "GX-200",
            "batch": None,
        }
        self._first = self._target(at, 4 * HOUR)
        self._resolution = self._target(at, 3 * DAY)
        self._episode = 0
        self._live()

    def _live(self) -> None:
        self._received()
        self._opened()
        if self._may(0.25):
            self._later(10 * MINUTE)
            self._tell(tickets.TicketTriaged)
        if self._may(0.4):
            self._later(20 * MINUTE)
            previous = self._dims["agent"]
            self._dims["agent"] = self._agent()
            self._tell(tickets.TicketAssigned, previous_agent=previous, previous_team=self._team, reason="handed_over")
        self._later(30 * MINUTE)
        self._status = "in_progress"
        self._tell(tickets.TicketStatusChanged, previous_status="assigned", action="start", reason=None)
        self._later(90 * MINUTE)
        self._replied(self._first, "first_response")
        while self._may(0.35):
            self._asked_again()
        self._later(DAY)
        if self._may(0.95):
            self._resolved()
        else:
            self._status = "cancelled"
            self._tell(tickets.TicketCancelled, reason="withdrawn")

    # --- what happens ---

    def _received(self) -> str:
        request = str(_uuid(self._chance))
        if self._version == 0 and self._may(0.6):
            self._say(intake.CustomerRegistered, self._customer, customer_id=self._customer, name="林小姐", locale="zh-CN", tier="standard")
        self._say(
            intake.RequestReceived,
            self._customer,
            request_id=request,
            reference=self._number,
            customer_id=self._customer,
            channel=self._dims["channel"],
            external_id=None,
            type=self._dims["type"],
            locale="zh-CN",
            subject="It does not start",
            text="The heating that I bought in spring does not start any more; it clicks twice and goes out. "
            * self._chance.randrange(1, 4),
            truncated=False,
            product={"model": "GX-200", "serial_number": "SN-1002003", "purchase_date": "2025-03-01", "order_number": None},
            expected_resolution_at=None,
            received_at=self._at,
            occurred_at_clamped=False,
            in_reply_to=None,
            external_id_reused=False,
            completeness=0.9,
            missing_fields=[],
            entered_by="customer",
            conversation_id=None,
            proofs=[],
        )
        return request

    def _opened(self) -> None:
        request = self.happenings[-1].data["request_id"]
        self._at += SECOND
        self._tell(
            tickets.TicketOpened,
            request_id=request,
            opened_at=self._begin,
            linked_to=None,
            entered_by="customer",
            assignment="round_robin",
            first_response=dict(self._first),
            resolution=dict(self._resolution),
        )

    def _replied(self, clock: dict[str, Any], target: str) -> None:
        if self._at > clock["due_at"]:
            self._tell(tickets.SlaBreached, at=clock["due_at"], target=target, clock=dict(clock))
        self._tell(tickets.TicketReplied, message_id=str(_uuid(self._chance)), public=True)
        self._meet(clock)
        self._tell(tickets.SlaMet, same=True, target=target, clock=dict(clock))

    def _asked_again(self) -> None:
        self._later(3 * HOUR)
        request, clock = self._received(), self._target(self._at, 8 * HOUR)
        self._tell(
            tickets.TicketMessageAdded,
            request_id=request,
            reference=f"{self._number}-{self._version}",
            thanks=False,
            matched_by="conversation",
            next_response=dict(clock),
        )
        self._later(2 * HOUR)
        self._replied(clock, "next_response")

    def _resolved(self) -> None:
        self._episode += 1
        clock = self._resolution
        if self._at > clock["due_at"] and self._episode == 1:
            self._tell(tickets.SlaBreached, at=clock["due_at"], target="resolution", clock=dict(clock))
        self._meet(clock)
        self._status, resolved_at = "resolved", self._at
        self._tell(
            tickets.TicketResolved,
            episode=self._episode,
            resolution_code="repaired",
            opened_at=self._begin,
            locale="zh-CN",
            first_response=dict(self._first),
            resolution=dict(clock),
        )
        self._asked_how_it_went(resolved_at)
        if self._episode == 1 and self._may(0.06):
            self._reopened(resolved_at)
            return
        if self._may(0.3):
            self._later(DAY)
            self._status = "confirmed"
            self._tell(tickets.TicketConfirmed, episode=self._episode)
        self._at = max(self._at, resolved_at + 7 * DAY)
        self._status = "closed"
        self._tell(tickets.TicketClosed, reason="window_over")

    def _reopened(self, resolved_at: datetime) -> None:
        self._later(DAY)
        self._resolution["met_at"] = self._resolution["business_ms"] = None
        self._status = "assigned"
        self._tell(
            tickets.TicketReopened,
            episode=self._episode,
            resolved_at=resolved_at,
            reason="customer_reply",
            resolution=dict(self._resolution),
        )
        self._later(DAY)
        self._resolved()

    def _asked_how_it_went(self, resolved_at: datetime) -> None:
        if not self._may(0.7):
            return
        about = {
            "invitation_id": str(_uuid(self._chance)),
            "ticket_number": self._number,
            "episode": self._episode,
            "customer_id": self._customer,
            "form": "T1.1",
            "dimensions": {**self._dims, "status": "resolved"},
            "resolved_at": resolved_at,
        }
        self._say(feedback.SurveyInvited, self._number, **about, expires_at=resolved_at + 14 * DAY)
        if self._may(0.35):
            overall = self._chance.choices((1, 2, 3, 4, 5), (4, 5, 11, 30, 50))[0]
            recommend, before = min(10, 2 * overall + self._chance.randrange(2)), self._at
            self._later(5 * HOUR)
            scores = {"Q0": overall, "N1": recommend}
            answers = {"overall": overall, "recommend": recommend, "solved": "yes" if overall > 2 else "no", "scores": scores}
            self._say(feedback.SurveyAnswered, self._number, **about, **answers, has_comment=False, flags=[], locale="zh-CN")
            self._at = before

    # --- how it is told ---

    def _say(self, contract: type[Event], key: str, **data: Any) -> None:
        self.happenings.append(Happening(self._at, contract, key, {"occurred_at": self._at, **data}))

    def _tell(self, contract: type[Event], at: datetime | None = None, *, same: bool = False, **data: Any) -> None:
        self._version += not same
        told: dict[str, Any] = {
            "occurred_at": at or self._at,
            "ticket_number": self._number,
            "ticket_version": self._version,
            "customer_id": self._customer,
            "dimensions": {**self._dims, "status": self._status},
            "actor": self._dims["agent"],
        }
        self.happenings.append(Happening(self._at, contract, self._number, {**told, **data}))

    def _target(self, at: datetime, limit: timedelta) -> dict[str, Any]:
        base = {"started_at": at, "due_at": at + limit, "met_at": None, "paused_ms": 0, "business_ms": None}
        return {**base, "policy_version": 1, "policy": "standard", "calendar": "office"}

    def _meet(self, clock: dict[str, Any]) -> None:
        clock["met_at"] = self._at
        clock["business_ms"] = (self._at - clock["started_at"]) // timedelta(milliseconds=3)

    def _later(self, typically: timedelta) -> None:
        """Waits are log-normal: most are short, some very long."""
        self._at += typically * min(20.0, self._chance.lognormvariate(-0.4, 0.9))

    def _may(self, share: float) -> bool:
        return self._chance.random() < share

    def _agent(self) -> str:
        return f"{self._team}-{self._chance.randrange(AGENTS_PER_TEAM)}"
