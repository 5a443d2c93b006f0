"""Each check of the reconciliation finds nothing in a small world that is right, and what it is there for when one thing in it is wrong.

The world: a customer asks for a repair, is answered, asked, writes again and is helped; he sends the same matter once more, which is merged
into the first. He answers his survey. Another customer's enquiry was refused by a handler, replayed, and is late by now.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import pytest

from services.intake.handlers import notifications
from services.intake.sending import LIMITS
from shared import outbox
from shared.clock import monotonic, real_now
from shared.database import Database
from shared.events.feedback import SurveyOptedOut
from shared.events.topics import NUMBERED, PARTITIONS, Topic, consumed_by, topic_named
from tests.chaos import department, eyes
from tests.chaos.eyes import LEASE, TOO_LONG, Eyes, Session
from tests.chaos.ledger import Action, Entry, Given, Ledger
from tests.chaos.platform import Platform
from tests.chaos.reconcile import CHECKS, Check, World, effects, figures, reconcile
from tests.waiting import eventually

pytestmark = pytest.mark.pure

SERVICES: Final = ("intake", "tickets", "feedback", "metrics")
NOW: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)
"""When the platform rested."""
TOKEN: Final = "token"
SCORES: Final = {"Q0": 5, "N1": 9}

Row = dict[str, Any]


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def id_of(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


# ------------------------------------------------------------------ the world


@dataclass
class Books(World):
    """A world whose tables are lists; a query gets whole rows of the table that it names, of the types that it asks for."""

    tables: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    kpis: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """(n, numerator) by figure and group."""
    proof: Row = field(default_factory=lambda: {"rows": 7, "differences": []})
    connected: list[Session] = field(default_factory=list)

    async def rows(self, service: str, sql: str, *arguments: Any) -> Any:
        """See `World`."""
        table = re.findall(r"FROM (\w+)", sql)[-1]
        types = arguments[0] if arguments else re.findall(r"type = '([^']+)'", sql)
        return [row for row in self.tables.get((service, table), []) if not types or row["type"] in types]

    def add(self, service: str, table: str, *rows: Row) -> None:
        """Write rows."""
        self.tables.setdefault((service, table), []).extend(rows)

    def one(self, service: str, table: str, **like: Any) -> Row:
        """The first row that is like this; changed in place."""
        return next(row for row in self.tables[service, table] if like.items() <= row.items())

    def remove(self, service: str, table: str, **like: Any) -> Row:
        """Take that row away."""
        row = self.one(service, table, **like)
        self.tables[service, table].remove(row)
        return row

    def repeat(self, service: str, table: str, **like: Any) -> Row:
        """That row once more, to be changed."""
        row = dict(self.one(service, table, **like))
        self.add(service, table, row)
        return row

    def tell(self, service: str, topic: Topic, type_: str, name: str = "", **event: Any) -> None:
        """Write an event behind the others of its log, and let everybody take it in."""
        head = self.one(service, "outbox_head", topic=topic.name, part=0)
        previous = head["head_id"]
        head["head"] += 1
        head["head_id"] = id_of(name or f"{topic.name}/{head['head']}")
        where = {"topic": topic.name, "part": 0, "seq": head["head"], "type": type_}
        payload = orjson.dumps(event)
        self.add(service, "outbox", {**where, "key": "", "event_id": head["head_id"], "previous_id": previous, "payload": payload})
        for consumer in topic.consumers:
            self.one(consumer, "consumer_part", topic=topic.name, part=0).update(last_seq=head["head"], last_id=head["head_id"])
        if "metrics" in topic.consumers:
            self.add("metrics", "event_log", where)

    def told(self, service: str, type_: str) -> Row:
        """The first event of the type."""
        return self.one(service, "outbox", type=type_)


INTAKE, TICKETS, FEEDBACK, _, TICKETS_OUTBOUND, FEEDBACK_OUTBOUND = NUMBERED


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    """The world as it should be."""
    platform = SimpleNamespace(urls=dict.fromkeys(SERVICES, ""), home=SimpleNamespace(path=tmp_path))
    seeing = SimpleNamespace()
    books = Books(cast(Platform, platform), cast(Eyes, seeing), Ledger(), NOW)

    async def command(*_: str) -> tuple[int, str]:
        return 0, f"proving ...\n{orjson.dumps(books.proof).decode()}"

    async def sessions() -> list[Session]:
        return books.connected

    async def items(_: World, query: str) -> list[Row]:
        return list(answered(books, query))

    platform.command, seeing.sessions = command, sessions
    monkeypatch.setattr(figures, "items", items)
    for write in (logs, requests, tickets, promised_times, survey, messages_to_customers, key_figures):
        write(books)
    return books


def answered(books: Books, query: str) -> Iterable[Row]:
    """As the service of metrics answers."""
    asked = re.search(r"kpi=(\w+)", query)
    for (kpi, group), (n, numerator) in books.kpis.items():
        if asked is None and not group:
            yield {"kpi": kpi, "n": n, "numerator": numerator, "dimensions": {}}
        elif asked is not None and group and kpi == asked[1]:
            yield {"kpi": kpi, "n": n, "numerator": numerator, "dimensions": {figures.GROUPED[kpi]: group}}


def logs(books: Books) -> None:
    """Every log with its end, and everybody who reads it at its beginning."""
    for topic in NUMBERED:
        for part in range(PARTITIONS):
            log = {"topic": topic.name, "part": part, "stopped": None}
            books.add(topic.source, "outbox_head", {**log, "head": 0, "head_id": None})
    for service in SERVICES:
        for topic in consumed_by(service):
            rows = ({"topic": topic.name, "part": part, "last_seq": 0, "last_id": None, "stopped": None} for part in range(PARTITIONS))
            books.add(service, "consumer_part", *rows)


ENTRIES: Final = (
    Entry(1, "k1", {"channel": "web", "type": "repair", "text": "It leaks."}, "new", 1, opens=True),
    Entry(2, "k2", {"channel": "web", "text": "It still leaks."}, "reply", 1, opens=False, joins="AS-1"),
    Entry(3, "k3", {"channel": "email", "type": "repair", "text": "It leaks!"}, "new", 1, opens=True),
    Entry(4, "k4", {"channel": "sms", "type": "enquiry", "text": "When?"}, "new", 2, opens=True),
)
PLACES: Final = {1: ("AS-1", 1), 2: ("AS-1", 7), 3: ("AS-3", 1), 4: ("AS-4", 1)}
"""Ticket and version of each request."""


def requests(books: Books) -> None:
    """What two customers sent; the last one's request was refused by two handlers for a while."""
    for customer in ("customer-1", "customer-2"):
        file = {"id": customer, "locale": "en", "tier": "standard"}
        books.add("intake", "customer", {**file, "consent_survey": True, "merged_into": None})
        books.add("tickets", "customer", file)
        books.add("feedback", "customer", {**file, "consents": True})
        books.tell("intake", INTAKE, "customer.registered.v1")
    for entry in ENTRIES:
        number, id_, customer = entry.number, id_of(f"request {entry.number}"), f"customer-{entry.customer}"
        kept = Entry(number, entry.key, entry.body, entry.kind, entry.customer, entry.opens, entry.joins, first_sent=10.0 * number)
        books.ledger.entries[number] = kept
        books.ledger.acknowledge(kept, {"reference": f"AS-{number}", "request_id": id_}, b"", 10.0 * number + 1)
        books.add("intake", "request", {"request_id": id_, "reference": f"AS-{number}", "entry": number, "customer_id": customer})
        books.tell("intake", INTAKE, "request.received.v1", request_id=id_)
        write(books, *PLACES[number], id_, "customer", entry.body["text"])
    books.ledger.marked.add(4)
    last = books.tables["intake", "outbox"][-1]
    letter = {**{name: last[name] for name in ("topic", "part", "seq", "type")}, "key": "customer-2", "status": "replayed"}
    for service in ("tickets", "metrics"):
        books.add(service, "dead_letter", {**letter, "error_class": "Poisoned", "error_text": "a marked request"})
    books.ledger.done.update({"sent twice": 1, "invalid requests": 1})


def write(books: Books, number: str, version: int, id_: str, author: str, text: str) -> None:
    """Put a message on a ticket; its digest goes into the history."""
    books.add("tickets", "message", {"id": id_, "number": number, "version": version, "author": author, "text": text, "salt": b"salt"})


HISTORIES: Final[dict[str, list[tuple[str, Row]]]] = {
    "AS-1": [
        ("ticket.opened", {}),
        ("ticket.absorbed", {"number": "AS-3"}),
        ("ticket.assigned", {"code": "taken"}),
        ("ticket.replied", {"public": True}),
        ("ticket.status_changed", {"action": "start"}),
        ("ticket.status_changed", {"action": "wait"}),
        ("ticket.message_added", {}),
        ("ticket.status_changed", {"action": "resume"}),
        ("ticket.resolved", {}),
    ],
    "AS-3": [("ticket.opened", {}), ("ticket.merged", {"into": "AS-1"})],
    "AS-4": [("ticket.opened", {}), ("ticket.assigned", {"code": "turn"}), ("sla.warned", {}), ("sla.breached", {})],
}
DONE: Final = {3: "take", 4: "reply", 5: "start", 6: "wait", 9: "resolve"}
"""What staff did to the first ticket, by its version."""


def tickets(books: Books) -> None:
    """What became of the requests."""
    write(books, "AS-1", 4, id_of("reply"), "chaos-1", "We are on it.")
    digests = {(row["number"], row["version"]): digest_of(row) for row in books.tables["tickets", "message"]}
    for number, history in HISTORIES.items():
        for version, (type_, data) in enumerate(history, 1):
            whole = {**data, "digest": digests[number, version]} if (number, version) in digests else data
            books.add("tickets", "history", {"number": number, "version": version, "type": type_, "data": orjson.dumps(whole)})
    for number, status, into in (("AS-1", "resolved", None), ("AS-3", "merged", "AS-1"), ("AS-4", "assigned", None)):
        customer = "customer-2" if number == "AS-4" else "customer-1"
        row = {"number": number, "version": len(HISTORIES[number]), "status": status, "merged_into": into, "customer_id": customer}
        books.add("tickets", "ticket", {**row, "series": number})
        books.add("intake", "ticket_copy", row)
    books.add("tickets", "alias", {"reference": "AS-2", "number": "AS-1"})
    for service in ("intake", "feedback"):
        books.add(service, "ticket_alias", {"reference": "AS-2", "number": "AS-1"})
    books.ledger.actions += [*(Action("AS-1", action, version) for version, action in DONE.items()), Action("AS-3", "merge", 2)]
    books.tell("tickets", TICKETS, "ticket.resolved.v1", ticket_number="AS-1", episode=1, dimensions={"channel": "web"})


def digest_of(message: Row) -> str:
    return hashlib.sha256(message["salt"] + message["text"].encode()).hexdigest()


def promised_times(books: Books) -> None:
    """Kept on the first ticket, over with the second, missed on the third, whose solution is promised for later."""
    clock = {"started_at": ago(minutes=5), "policy": "chaos-repair", "warn_percent": 80, "is_paused": False}
    nothing = dict.fromkeys(("met_at", "warned_at", "breached_at", "stopped_at"))
    soon, late = {"due_at": ago(minutes=4)}, {"due_at": NOW + timedelta(hours=1)}
    first, last = {"target": "first_response"}, {"target": "resolution"}
    missed = {"warned_at": ago(minutes=4.5), "breached_at": ago(minutes=4)}
    books.add(
        "tickets",
        "sla_clock",
        {"number": "AS-1", **clock, **nothing, **first, **soon, "met_at": ago(minutes=4.2)},
        {"number": "AS-1", **clock, **nothing, **last, **late, "met_at": ago(minutes=1)},
        {"number": "AS-3", **clock, **nothing, **first, **soon, "stopped_at": ago(minutes=4.2)},
        {"number": "AS-4", **clock, **nothing, **first, **soon, **missed},
        {"number": "AS-4", **clock, **nothing, **last, **late},
    )
    running = {"started_at": clock["started_at"], "policy": clock["policy"]}
    for type_ in ("sla.warned.v1", "sla.breached.v1"):
        books.tell("tickets", TICKETS, type_, ticket_number="AS-4", target="first_response", clock=running)
    books.add("tickets", "timer", {"kind": "resolution", "subject": "AS-4", "due_at": NOW + timedelta(minutes=48)})
    books.add("tickets", "timer", {"kind": "close", "subject": "AS-1", "due_at": NOW + timedelta(days=7)})


def survey(books: Books) -> None:
    """The customer was asked, reminded, and answered."""
    id_ = id_of("invitation")
    moments = {"invited_at": ago(seconds=55), "expires_at": NOW + timedelta(days=7), "reminded_at": ago(seconds=5), "answered_at": NOW}
    kept = {"id": id_, "ticket_number": "AS-1", "episode": 1, "purpose": "survey", **moments, "cancelled_at": None, "throttled_at": None}
    books.add("feedback", "invitation", {**kept, "token_hash": hashlib.sha256(TOKEN.encode()).digest(), "reminder_hash": b"another"})
    books.add("feedback", "answer", {"id": id_, "given": orjson.dumps(SCORES)})
    books.ledger.answers[TOKEN] = Given(SCORES)
    for type_ in ("survey.invited.v1", "survey.reminded.v1", "survey.answered.v1"):
        books.tell("feedback", FEEDBACK, type_, invitation_id=id_)


MESSAGES: Final = (
    ("request 1", "acknowledgement", None),
    ("request 2", "acknowledgement", "superseded"),
    ("request 3", "acknowledgement", None),
    ("request 4", "acknowledgement", None),
    ("reply", "ticket_reply", None),
    ("status", "ticket_status", "superseded"),
    ("survey", "survey_invitation", None),
)
"""Name, kind, and why it failed, of the messages that ended."""


def messages_to_customers(books: Books) -> None:
    """Receipts, an answer and a survey left; what was said already did not; the reminder waits, for the address had its three."""
    for name, kind, failure in MESSAGES:
        notify(books, name, kind, status="failed" if failure else "delivered", failure=failure)
    for name, kind in (("status", ""), ("reply", "")):
        books.tell("tickets", TICKETS_OUTBOUND, "notification.requested.v1", name, kind=kind)
    for name in ("survey", "reminder"):
        books.tell("feedback", FEEDBACK_OUTBOUND, "notification.requested.v1", name)
    notify(books, "reminder", "survey_reminder", status="pending", failure=None, next_attempt_at=NOW + timedelta(minutes=58))
    books.add("intake", "budget_use", *({"event_id": id_of(name)} for name in ("request 1", "request 3", "request 4", "survey")))


def notify(books: Books, name: str, kind: str, *, status: str, failure: str | None, next_attempt_at: datetime = NOW) -> None:
    """A message to a customer, with what was told of it, and as a mail if it left."""
    id_, customer = id_of(name), "customer-2" if name == "request 4" else "customer-1"
    row = {"event_id": id_, "notification_id": f"notification of {name}", "customer_id": customer, "kind": kind, "status": status}
    books.add("intake", "notification", {**row, "failure": failure, "next_attempt_at": next_attempt_at})
    if status != "pending":
        books.tell("intake", INTAKE, f"notification.{status}.v1", notification_id=row["notification_id"])
    if status == "delivered":
        put_into_box(books, id_)


def put_into_box(books: Books, id_: str, message_id: str = "") -> None:
    """Write a mail."""
    folder = books.platform.home.path / "mail" / "new"
    folder.mkdir(parents=True, exist_ok=True)
    mail = f"Message-ID: <{message_id or id_}@aftercare.example>\r\n\r\nDear customer"
    (folder / f"{id_.replace('-', '')}.aftercare").write_text(mail)


def key_figures(books: Books) -> None:
    """By counting on one's fingers. What was merged is no ticket."""
    books.kpis = {
        ("requests", ""): (4, 4),
        ("requests", "web"): (2, 2),
        ("requests", "email"): (1, 1),
        ("requests", "sms"): (1, 1),
        ("tickets_opened", ""): (2, 2),
        ("tickets_opened", "repair"): (1, 1),
        ("tickets_opened", "enquiry"): (1, 1),
        ("tickets_resolved", ""): (1, 1),
        ("first_response_time", ""): (1, 4711),
        ("reopen_rate", ""): (1, 0),
        ("csat_mean", ""): (1, 5),
        ("csat_top2", ""): (1, 1),
        ("nps", ""): (1, 1),
        ("survey_response_rate", ""): (1, 1),
    }
    books.ledger.outbox_lags = [0.1] * 100
    books.connected = [Session("intake.api", "intake", "SELECT", idle=0.0, waiting=0.0)]


# ------------------------------------------------------------------ what may go wrong in it

Tamper = Callable[[Books], object]


def undone(version: int) -> Tamper:
    """An action on the first ticket left nothing."""
    return lambda books: books.remove("tickets", "history", number="AS-1", version=version)


RECKONED: Final = (
    *(("requests", group) for group in ("", "web", "sms")),
    *(("tickets_opened", group) for group in ("", "repair", "enquiry")),
    *((kpi, "") for kpi in ("tickets_resolved", "first_response_time", "reopen_rate", "csat_mean", "csat_top2", "nps")),
)


def counted_wrong(kpi: str, group: str) -> Tamper:
    """A figure is another one."""
    return lambda books: books.kpis.update({(kpi, group): (9, 9)})


TAMPERED: Final[dict[str, dict[str, Tamper]]] = {
    "lost: acknowledged requests that intake does not have": {
        "a request is gone": lambda books: books.remove("intake", "request", reference="AS-4"),
        "another reference": lambda books: books.one("intake", "request", reference="AS-4").update(reference="AS-5"),
        "another body": lambda books: books.one("intake", "request", reference="AS-4").update(entry=3),
    },
    "extra: requests in intake from nowhere, or twice": {
        "a request is there twice": lambda books: books.repeat("intake", "request", reference="AS-4"),
        "a request is nobody's": lambda books: books.repeat("intake", "request", reference="AS-4").update(entry=99),
    },
    "each reference answers as one ticket": {
        "a reference answers as none": lambda books: books.remove("tickets", "alias", reference="AS-2"),
        "a reference answers as two": lambda books: books.add("tickets", "alias", {"reference": "AS-3", "number": "AS-1"}),
    },
    "no ticket without a request": {
        "a ticket of nobody's": lambda books: books.repeat("tickets", "ticket", number="AS-4").update(number="AS-9", series="AS-9"),
    },
    "each request opened its ticket or joined the right one": {
        "a reply on another ticket": lambda books: books.one("tickets", "message", id=id_of("request 2")).update(number="AS-4"),
        "a matter of its own joined another": lambda books: books.one("tickets", "message", id=id_of("request 4")).update(number="AS-1"),
        "a request on no ticket": lambda books: books.remove("tickets", "message", id=id_of("request 2")),
    },
    "each message is on its ticket, and the history proves it": {
        "another text": lambda books: books.one("tickets", "message", id=id_of("request 1")).update(text="It does not leak."),
        "a reply that was changed": lambda books: books.one("tickets", "message", id=id_of("reply")).update(text="We are not."),
        "a reply that was deleted": lambda books: books.remove("tickets", "message", id=id_of("reply")),
    },
    "order: messages stand as they were sent": {
        "the reply stands before what it follows": lambda books: [
            books.one("tickets", "message", id=id_of(f"request {number}")).update(version=version) for number, version in ((1, 7), (2, 1))
        ],
    },
    "histories count 1, 2, 3 ... to the ticket's version": {
        "a hole": lambda books: books.remove("tickets", "history", number="AS-1", version=5),
        "a step twice": lambda books: books.repeat("tickets", "history", number="AS-1", version=5),
        "the last step is missing": lambda books: books.remove("tickets", "history", number="AS-1", version=9),
    },
    "each acknowledged action happened, once": {
        **{f"{action} is not in the history": undone(version) for version, action in DONE.items()},
        "a merge is not in the history": lambda books: books.remove("tickets", "history", number="AS-3", version=2),
        "at another version": lambda books: books.one("tickets", "history", number="AS-1", version=9).update(version=10),
        "resolved twice": lambda books: books.repeat("tickets", "history", number="AS-1", version=9).update(version=10),
        "replied twice": lambda books: books.repeat("tickets", "history", number="AS-1", version=4).update(version=10),
        "started twice": lambda books: books.repeat("tickets", "history", number="AS-1", version=5).update(version=10),
        "nobody merged it": lambda books: books.ledger.actions.pop(),
    },
    "each reply is one message of staff": {
        "a reply without its message": lambda books: books.remove("tickets", "message", id=id_of("reply")),
        "a message twice": lambda books: books.repeat("tickets", "message", id=id_of("reply")),
        "a message that is no reply": lambda books: books.repeat("tickets", "message", id=id_of("reply")).update(version=5),
        "other words": lambda books: books.repeat("tickets", "message", id=id_of("reply")).update(text="We are not."),
    },
    "the doors answered right": {
        "a wrong answer": lambda books: books.ledger.wrong.append("an invalid request was accepted"),
    },
    "logs have no hole and their chain holds": {
        "a hole": lambda books: books.remove("intake", "outbox", seq=2),
        "a wrong id before": lambda books: books.one("tickets", "outbox", topic=TICKETS.name, seq=2).update(previous_id=id_of("another")),
        "a head without its event": lambda books: books.tables["feedback", "outbox"].pop(),
        "a lost log": lambda books: books.tables.pop(("feedback", "outbox")),
    },
    "every consumer stands at the head of every log": {
        "behind": lambda books: books.one("tickets", "consumer_part", topic=INTAKE.name, part=0).update(last_seq=3),
        "at another event": lambda books: books.one("tickets", "consumer_part", topic=INTAKE.name).update(last_id=id_of("another")),
        "no position": lambda books: books.remove("feedback", "consumer_part", topic=INTAKE.name, part=0),
        "a consumer has stopped": lambda books: books.one("metrics", "consumer_part", part=3).update(stopped="a gap"),
        "a log takes no events": lambda books: books.one("intake", "outbox_head", part=3).update(stopped="restored"),
    },
    "nothing is parked or discarded": {
        "a letter is parked": lambda books: books.one("tickets", "dead_letter").update(status="parked"),
        "a letter was discarded": lambda books: books.one("tickets", "dead_letter").update(status="discarded"),
        "a key is parked": lambda books: books.add("tickets", "parked_key", {"topic": INTAKE.name, "part": 0, "key": "customer-2"}),
        "an unmarked request was parked": lambda books: books.one("tickets", "dead_letter").update(key="customer-1"),
        "parked for another reason": lambda books: books.one("tickets", "dead_letter").update(error_class="KeyError"),
    },
    "applied + parked + discarded = accepted (event log)": {
        "neither applied nor parked": lambda books: books.remove("metrics", "event_log", topic=TICKETS.name, seq=1),
        "applied and parked": lambda books: books.one("metrics", "dead_letter").update(status="parked"),
        "applied twice": lambda books: books.repeat("metrics", "event_log", topic=TICKETS.name, seq=1),
        "applied and never told": lambda books: books.repeat("metrics", "event_log", topic=TICKETS.name, seq=1).update(seq=99),
    },
    "each event had its effect": {
        "a request that nobody told": lambda books: books.remove("intake", "outbox", type="request.received.v1"),
        "a request told twice": lambda books: books.repeat("intake", "outbox", type="request.received.v1"),
        "a request without a message": lambda books: books.remove("tickets", "message", id=id_of("request 4")),
        "one message instead of another": lambda books: books.one("tickets", "message", id=id_of("request 4")).update(id=id_of("another")),
        "nobody is asked": lambda books: books.remove("feedback", "invitation"),
        "somebody is asked for nothing": lambda books: books.repeat("feedback", "invitation").update(episode=2),
    },
    "copies of tickets are like tickets": {
        "another status": lambda books: books.one("intake", "ticket_copy", number="AS-1").update(status="assigned"),
        "an older version": lambda books: books.one("intake", "ticket_copy", number="AS-1").update(version=8),
        "another customer": lambda books: books.one("intake", "ticket_copy", number="AS-1").update(customer_id="customer-2"),
        "not merged": lambda books: books.one("intake", "ticket_copy", number="AS-3").update(merged_into=None),
        "no copy": lambda books: books.remove("intake", "ticket_copy", number="AS-4"),
        "an alias is missing in intake": lambda books: books.remove("intake", "ticket_alias", reference="AS-2"),
        "an alias too many in feedback": lambda books: books.add("feedback", "ticket_alias", {"reference": "AS-4", "number": "AS-1"}),
    },
    "copies of customers are like customers": {
        "no copy in tickets": lambda books: books.remove("tickets", "customer", id="customer-1"),
        "no copy in feedback": lambda books: books.remove("feedback", "customer", id="customer-1"),
        "another tier": lambda books: books.one("tickets", "customer", id="customer-1").update(tier="gold"),
        "another language": lambda books: books.one("feedback", "customer", id="customer-1").update(locale="zh-CN"),
        "another consent": lambda books: books.one("feedback", "customer", id="customer-1").update(consents=False),
        "a customer of nobody's": lambda books: books.repeat("tickets", "customer").update(id="customer-9"),
        "not merged": lambda books: books.one("intake", "customer", id="customer-1").update(merged_into="customer-2"),
    },
    "timers fired once, and none was forgotten": {
        "missed was told twice": lambda books: books.repeat("tickets", "outbox", type="sla.breached.v1"),
        "close was told twice": lambda books: books.repeat("tickets", "outbox", type="sla.warned.v1"),
        "missed, and nobody was told": lambda books: books.one("tickets", "sla_clock", number="AS-4", target="resolution").update(
            due_at=ago(minutes=1)
        ),
        "missed, and nobody was told, for the customer is waited for": lambda books: [
            books.one("tickets", "ticket", number="AS-4").update(status="waiting_customer"),
            books.repeat("tickets", "timer", kind="close").update(kind="give_up", subject="AS-4"),
            books.one("tickets", "sla_clock", number="AS-4", target="resolution").update(due_at=ago(minutes=1)),
        ],
        "told in the ticket alone": lambda books: books.remove("tickets", "outbox", type="sla.breached.v1"),
        "told to the others alone": lambda books: books.one("tickets", "sla_clock", number="AS-4").update(breached_at=None),
        "met late, and nobody was told": lambda books: books.one("tickets", "sla_clock", number="AS-1").update(met_at=ago(minutes=3)),
        "met in time, and told as missed": lambda books: books.one("tickets", "sla_clock", number="AS-4").update(met_at=ago(minutes=4.1)),
        "missed, and nobody was warned": lambda books: books.one("tickets", "sla_clock", number="AS-4").update(warned_at=None),
        "a timer is forgotten": lambda books: books.remove("tickets", "timer", kind="resolution"),
        "a timer is too late": lambda books: books.one("tickets", "timer", kind="resolution").update(due_at=NOW + timedelta(hours=2)),
        "nothing closes what is resolved": lambda books: books.remove("tickets", "timer", kind="close"),
    },
    "one survey per resolution, none after cancelling": {
        "a second survey": lambda books: books.repeat("feedback", "invitation").update(id=id_of("second")),
        "told as sent twice": lambda books: books.repeat("feedback", "outbox", type="survey.invited.v1"),
        "sent, and not told": lambda books: books.remove("feedback", "outbox", type="survey.invited.v1"),
        "reminded twice": lambda books: books.repeat("feedback", "outbox", type="survey.reminded.v1"),
        "sent after it was called off": lambda books: books.told("feedback", "survey.invited.v1").update(
            payload=books.repeat("feedback", "outbox", type="survey.invited.v1")["payload"], type="survey.cancelled.v1"
        ),
        "answered and called off": lambda books: books.one("feedback", "invitation").update(cancelled_at=NOW),
        "never sent": lambda books: books.repeat("feedback", "invitation").update(
            id=id_of("second"), episode=2, invited_at=None, reminded_at=None, answered_at=None
        ),
        "never reminded": lambda books: books.one("feedback", "invitation").update(reminded_at=None, answered_at=None),
    },
    "answers are kept as first given": {
        "another answer": lambda books: books.one("feedback", "answer").update(given=orjson.dumps({"Q0": 1})),
        "no answer": lambda books: books.remove("feedback", "answer"),
        "an answer of nobody's": lambda books: books.ledger.answers.clear(),
        "an answer to a survey of nobody's": lambda books: books.ledger.answers.update({"forged": Given(SCORES)}),
        "a second answer": lambda books: [
            books.one("feedback", "invitation").update(reminder_hash=hashlib.sha256(b"reminder").digest()),
            books.ledger.answers.update({"reminder": Given(SCORES)}),
        ],
        "told twice": lambda books: books.repeat("feedback", "outbox", type="survey.answered.v1"),
    },
    "each mail left, and belongs to an event": {
        "delivered, and no mail": lambda books: books.repeat("intake", "notification", kind="ticket_reply").update(event_id=id_of("lost")),
        "a mail without its event": lambda books: put_into_box(books, id_of("spam")),
        "a mail under another name": lambda books: put_into_box(books, id_of("reply"), message_id=id_of("another")),
    },
    "each notification became one message": {
        "requested, and no message": lambda books: books.remove("intake", "notification", kind="ticket_reply"),
        "a message that nobody requested": lambda books: books.repeat("intake", "notification", kind="ticket_reply").update(
            event_id=id_of("another")
        ),
        "a request without a receipt": lambda books: books.remove("intake", "notification", kind="acknowledgement"),
        "told twice": lambda books: books.repeat("intake", "outbox", type="notification.delivered.v1"),
        "told, and still waiting": lambda books: books.one("intake", "notification", kind="ticket_reply").update(status="pending"),
        "over, and not told": lambda books: books.remove("intake", "outbox", type="notification.failed.v1"),
    },
    "no message waits or fails without a reason": {
        "an answer waits for hours": lambda books: books.one("intake", "notification", kind="survey_reminder").update(kind="ticket_reply"),
        "nothing has left for the address": lambda books: books.tables["intake", "budget_use"].clear(),
        "overdue": lambda books: books.one("intake", "notification", kind="survey_reminder").update(next_attempt_at=ago(minutes=1)),
        "no address": lambda books: books.one("intake", "notification", status="failed").update(failure="no_address"),
        "an answer that was given up": lambda books: books.one("intake", "notification", kind="ticket_reply").update(
            status="failed", failure="expired"
        ),
    },
    "outbox lag p99 < 1 s (without faults)": {
        "the relay is slow": lambda books: books.ledger.outbox_lags.extend([1.2, 1.3]),
    },
    "no open transaction, no wait for a lock": {
        "a transaction is idle": lambda books: books.connected.append(Session("tickets", "tickets", "", idle=TOO_LONG + 1, waiting=0.0)),
        "somebody waits for a lock": lambda books: books.connected.append(
            Session("tickets", "tickets", "", idle=0.0, waiting=TOO_LONG + 1)
        ),
    },
    "kpi: rollup = recomputation from the event log": {
        "a row differs": lambda books: books.proof.update(differences=["a quarter of an hour"]),
    },
    "kpi: figures = arithmetic over the ledger": {
        **{f"another figure: {kpi} {group}": counted_wrong(kpi, group) for kpi, group in RECKONED},
        "a sum that is too small": lambda books: books.kpis.update({("csat_mean", ""): (1, 4)}),
        "requests on a channel that nobody used": lambda books: books.kpis.update({("requests", "phone"): (1, 1)}),
        "a group is missing": lambda books: books.kpis.pop(("requests", "web")),
    },
    "kpi: response rate = feedback's surveys": {
        "too few were asked": lambda books: books.kpis.update({("survey_response_rate", ""): (0, 0)}),
        "nobody answered": lambda books: books.kpis.update({("survey_response_rate", ""): (1, 0)}),
    },
}
"""By check, what betrays itself to it."""


async def differences(books: Books, check: str) -> list[str]:
    """What the check finds."""
    return list((await CHECKS[check](books))[1])


@pytest.mark.parametrize("check", CHECKS)
async def test_a_right_world_differs_in_nothing(books: Books, check: str) -> None:
    looked_at, found = await CHECKS[check](books)

    assert not list(found)
    assert looked_at > 0


@pytest.mark.parametrize(("check", "what"), [(check, what) for check, wrongs in TAMPERED.items() for what in wrongs])
async def test_one_wrong_thing_is_found(books: Books, check: str, what: str) -> None:
    TAMPERED[check][what](books)

    assert await differences(books, check)


def test_every_check_is_shown_to_find_something() -> None:
    assert TAMPERED.keys() == CHECKS.keys()


# ------------------------------------------------------------------ what is right all the same


async def test_an_action_whose_caller_lost_patience_may_have_happened(books: Books) -> None:
    books.ledger.actions.remove(Action("AS-1", "resolve", 9))
    books.ledger.unanswered["AS-1", "resolve"] = 1

    assert not await differences(books, "each acknowledged action happened, once")
    assert not await differences(books, "kpi: figures = arithmetic over the ledger")


async def test_an_answer_whose_acknowledgement_was_never_seen_may_be_there_and_counts(books: Books) -> None:
    books.ledger.answers.clear()
    books.ledger.unseen_answers = 1

    assert not await differences(books, "answers are kept as first given")
    assert not await differences(books, "kpi: figures = arithmetic over the ledger")


async def test_a_request_whose_acknowledgement_was_never_seen_may_be_there_and_counts(books: Books) -> None:
    entry = books.ledger.entries[4]
    entry.reference = entry.request_id = None

    assert not await differences(books, "extra: requests in intake from nowhere, or twice")
    assert not await differences(books, "kpi: figures = arithmetic over the ledger")


async def test_a_group_of_which_nothing_is_left_is_no_difference(books: Books) -> None:
    books.kpis["tickets_opened", "complaint"] = (0, 0)

    assert not await differences(books, "kpi: figures = arithmetic over the ledger")


async def test_a_promise_that_stands_still_is_not_missed(books: Books) -> None:
    books.one("tickets", "sla_clock", number="AS-4", target="resolution").update(due_at=ago(minutes=1), is_paused=True)
    books.remove("tickets", "timer", kind="resolution")

    assert not await differences(books, "timers fired once, and none was forgotten")


async def test_who_answers_by_a_clock_that_is_behind_answers_at_the_moment_at_which_it_was_missed(books: Books) -> None:
    late = books.one("tickets", "sla_clock", number="AS-4", target="first_response")
    late["met_at"] = late["due_at"]

    assert not await differences(books, "timers fired once, and none was forgotten")


async def test_what_expires_before_its_reminder_is_not_reminded_of(books: Books) -> None:
    books.one("feedback", "invitation").update(answered_at=None, reminded_at=None, expires_at=ago(seconds=-5))
    books.remove("feedback", "outbox", type="survey.reminded.v1")

    assert not await differences(books, "one survey per resolution, none after cancelling")


@pytest.mark.parametrize("wait", [timedelta(seconds=30), LEASE + timedelta(minutes=4)], ids=["settling", "a wrong clock"])
async def test_what_came_when_the_timers_stopped_or_by_a_wrong_clock_may_wait(books: Books, wait: timedelta) -> None:
    books.one("intake", "notification", kind="survey_reminder").update(next_attempt_at=NOW + wait, kind="ticket_reply")

    assert not await differences(books, "no message waits or fails without a reason")


async def test_a_version_without_an_event_is_no_newer_to_others(books: Books) -> None:
    books.add("tickets", "history", {"number": "AS-4", "version": 5, "type": "ticket.reminded", "data": b"{}"})
    books.one("tickets", "ticket", number="AS-4").update(version=5)

    assert not await differences(books, "copies of tickets are like tickets")


# ------------------------------------------------------------------ what the databases are asked


@pytest.fixture
async def empty(
    intake_database: Database,
    tickets_database: Database,
    feedback_database: Database,
    metrics_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[World]:
    """Real databases as their migrations leave them: nothing was ever asked of this platform."""
    databases = dict(zip(SERVICES, (intake_database, tickets_database, feedback_database, metrics_database), strict=True))
    postgres = SimpleNamespace(dsn=lambda service: databases[service].url)
    platform: Any = SimpleNamespace(urls=databases, postgres=postgres, home=SimpleNamespace(path=tmp_path))

    async def command(*_: str) -> tuple[int, str]:
        return 0, '{"rows": 0, "differences": []}'

    async def items(_: World, __: str) -> list[Row]:
        return []

    platform.command = command
    monkeypatch.setattr(figures, "items", items)
    monkeypatch.setattr(eyes, "LOOKS", 1)
    seeing = Eyes(platform)
    yield World(platform, seeing, Ledger(), NOW)
    await seeing.close()


@pytest.mark.postgres
async def test_the_databases_understand_what_they_are_asked(empty: World) -> None:
    found = await reconcile(empty)

    assert not {check.name: check.differences for check in found if check.differences}
    assert {check.name for check in found if check.looked_at} >= {"every consumer stands at the head of every log"}


@pytest.mark.postgres
async def test_a_platform_of_which_nothing_was_asked_is_at_rest(empty: World) -> None:
    assert await empty.eyes.unsent_age() == 0
    assert not (await empty.eyes.standing()).outstanding(overdue=True)
    assert not await eyes.await_quiet(empty.eyes, monotonic() + 10, overdue=True)


@pytest.mark.postgres
async def test_an_event_that_no_relay_has_sent_grows_old(empty: World, feedback_database: Database) -> None:
    async with feedback_database.transaction() as tx:
        await outbox.append(tx, [SurveyOptedOut(occurred_at=NOW, customer_id=UUID(id_of("customer")), opted_out=True, by="customer")])

    age = await empty.eyes.unsent_age()

    assert age > 0
    assert await empty.eyes.unsent_age() > age


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("seconds", "is_waited_for"), [(1, True), (LEASE.total_seconds() - 5, True), (LEASE.total_seconds() + 60, False)], ids=str
)
async def test_a_message_that_a_process_died_with_is_waited_for(
    empty: World, intake_database: Database, seconds: float, is_waited_for: bool
) -> None:
    async with intake_database.transaction() as tx:
        await tx.execute(
            "INSERT INTO notification (event_id, notification_id, customer_id, kind, locale, requested_at, next_attempt_at)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'ticket_reply', 'en', now(), now() + $1 * interval '1 s')",
            seconds,
        )

    standing = await empty.eyes.standing(real_now() + LEASE)

    assert bool(standing.outstanding(overdue=True)) is is_waited_for
    assert not standing.outstanding(overdue=False)


@pytest.mark.postgres
async def test_who_is_idle_in_a_transaction_and_who_waits_for_him_is_seen(empty: World, tickets_database: Database) -> None:
    locked = "SELECT pg_advisory_xact_lock(4711)"

    async def blocked() -> None:
        async with tickets_database.transaction() as tx:
            await tx.execute(locked)

    async def seen() -> dict[str, Session]:
        """Somebody who waits, and somebody for whom he does."""
        here = [each for each in await empty.eyes.sessions() if each.query == locked]
        return {what: each for each in here for what in ("idle", "waiting") if getattr(each, what) > 0}

    async with tickets_database.transaction() as tx:
        await tx.execute(locked)
        waiting = asyncio.ensure_future(blocked())
        found = await eventually(seen, lambda found: len(found) == 2)
    await waiting

    assert found["idle"] != found["waiting"]


# ------------------------------------------------------------------ what a check is worth


async def test_a_check_that_cannot_be_made_is_a_difference(books: Books) -> None:
    books.tables["tickets", "ticket"] = [{}]

    broken = {check.name: check for check in await reconcile(books)}["no ticket without a request"]

    assert "could not be checked" in broken.differences[0]
    assert not broken.is_vacuous


async def test_without_faults_a_run_has_lags_and_with_faults_it_need_not(books: Books) -> None:
    books.ledger.outbox_lags.clear()

    assert not [check.name for check in await reconcile(books) if check.is_vacuous]


def test_a_check_that_looked_at_nothing_has_shown_nothing() -> None:
    assert Check("answers", []).is_vacuous
    assert not Check("answers", [], looked_at=1).is_vacuous
    assert not Check("outbox lag", [], optional=True).is_vacuous


def test_the_harness_and_the_platform_mean_the_same_times() -> None:
    assert notifications.LEASE == LEASE
    assert LIMITS[0] == (effects.BUDGET, timedelta(hours=1))
    assert department.SURVEYS["reminder_after"] == "PT1M"
    assert timedelta(minutes=1) == effects.REMINDED_AFTER
    assert topic_named(INTAKE.name) is INTAKE
