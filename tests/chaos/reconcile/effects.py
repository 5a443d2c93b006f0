"""What must happen once: surveys, answers, mails; and what must not be left behind."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from tests.chaos.eyes import LEASE
from tests.chaos.reconcile.accepted import REQUESTS
from tests.chaos.reconcile.check import Found, World, other_than_once

INVITATIONS: Final = (
    "SELECT id::text, ticket_number, episode, purpose, invited_at, expires_at, reminded_at, answered_at, cancelled_at, throttled_at,"
    " token_hash, reminder_hash FROM invitation"
)
SURVEY: Final = "survey"
"""Purpose of an invitation; the other one is a question that belongs to the service."""
TIMERS: Final = "SELECT kind, subject, due_at FROM timer"
ANSWERS: Final = "SELECT invitation_id::text AS id, given FROM answer"
NOTIFICATIONS: Final = (
    "SELECT event_id::text, notification_id::text, customer_id::text, kind, status, failure, next_attempt_at FROM notification"
)
REQUESTED: Final = "SELECT event_id::text FROM outbox WHERE type = 'notification.requested.v1'"
USES: Final = "SELECT event_id::text FROM budget_use"

REMINDED_AFTER: Final = timedelta(minutes=1)
"""After the invitation, as the rules of a run say; what expires sooner is not reminded of."""
PENDING: Final = "pending"
RECEIPT: Final = "acknowledgement"
BUDGET: Final = 3
"""Automatic messages that an address bears in an hour: more than a run lasts."""
UNBOUNDED: Final = "ticket_reply"
"""What somebody wrote himself counts against no budget."""
PROMPT: Final = 1.0
"""Seconds."""
OVERDUE: Final = timedelta(seconds=5)
WRONG_CLOCK: Final = timedelta(minutes=5)
"""A process whose clock is ahead puts messages off by so much, at most."""
LAWFUL: Final = frozenset(
    {
        # the ticket says more by now
        ("superseded", RECEIPT),
        ("superseded", "ticket_status"),
        # answered or called off while the message waited
        ("void", "survey_invitation"),
        ("void", "survey_reminder"),
        # on one channel surveys live for a minute, and their address may have no room before that is over
        ("expired", "survey_invitation"),
    }
)
"""Why a message to a customer may fail in a run, by kind: everybody has an address and a consent, and the mail box takes all."""


async def surveys(world: World) -> Found:
    """At most one survey per resolution, and none that was sent after it was called off; an answered one was not called off."""
    rows = await world.rows("feedback", INVITATIONS)
    times = Counter((row["ticket_number"], row["episode"], row["purpose"]) for row in rows)
    found = [f"{key} was asked {count} times" for key, count in times.items() if count > 1]
    found += await _sent_after_cancelling(world)
    found += [f"{row['id']} was answered and called off" for row in rows if row["cancelled_at"] and row["answered_at"]]
    for moment, kind in (("invited_at", "survey.invited.v1"), ("reminded_at", "survey.reminded.v1")):
        told = Counter(event["invitation_id"] for _, event in await world.events("feedback", kind))
        sent = {row["id"] for row in rows if row[moment]}
        found += [f"{kind} of {id_} was told {count} times" for id_, count in other_than_once(told, of=sent)]
    return len(rows), [*found, *await _forgotten(world)]


async def _sent_after_cancelling(world: World) -> list[str]:
    """By the order of the events, not by their clocks: one of them may be wrong."""
    called_off: set[str] = set()
    found = []
    for kind, event in await world.events("feedback", "survey.invited.v1", "survey.cancelled.v1"):
        if kind == "survey.cancelled.v1":
            called_off.add(event["invitation_id"])
        elif event["invitation_id"] in called_off:
            found.append(f"{event['invitation_id']} was sent after it was called off")
    return found


async def _forgotten(world: World) -> list[str]:
    """What is still to be sent or to be reminded of has its timer."""
    set_ = {(row["kind"], row["subject"]) for row in await world.rows("feedback", TIMERS)}
    waiting = ((row["id"], _awaited(row)) for row in await world.rows("feedback", INVITATIONS))
    return [f"{id_} waits for its {kind}, and no timer is set" for id_, kind in waiting if kind and (kind, id_) not in set_]


def _awaited(row: Any) -> str | None:
    """The timer that an invitation waits for."""
    if row["answered_at"] or row["cancelled_at"] or row["throttled_at"]:
        return None
    if not row["invited_at"]:
        return "survey_invitation"
    is_reminded_of = row["purpose"] == SURVEY and row["invited_at"] + REMINDED_AFTER < row["expires_at"]
    return "survey_reminder" if is_reminded_of and not row["reminded_at"] else None


async def answers(world: World) -> Found:
    """Each acknowledged answer is in feedback as it was given, each survey took one, and no other answer is there."""
    given = {row["id"]: orjson.loads(row["given"]) for row in await world.rows("feedback", ANSWERS)}
    promised = await _promised(world)
    taken = Counter(id_ for id_, _ in promised)
    found = [f"the answer to {id_} is {given.get(id_)}, and was {kept}" for id_, kept in promised if given.get(id_) != kept]
    found += [f"{count} answers to {id_} were acknowledged" for id_, count in taken.items() if count > 1]
    foreign = given.keys() - taken.keys()
    if len(foreign) > world.ledger.unseen_answers:
        found += [f"the answer to {id_} is nobody's" for id_ in foreign]
    told = Counter(event["invitation_id"] for _, event in await world.events("feedback", "survey.answered.v1"))
    found += [f"the answer to {id_} was told {count} times" for id_, count in other_than_once(told, of=given)]
    return len(promised), found


async def _promised(world: World) -> list[tuple[str, Mapping[str, Any]]]:
    """The acknowledged answers, each with its invitation; with its token where no invitation has it."""
    tokens = {bytes(row[name]): row["id"] for row in await world.rows("feedback", INVITATIONS) for name in HASHES if row[name]}
    acknowledged = world.ledger.answers.items()
    return [(tokens.get(hashlib.sha256(token.encode()).digest(), token), answer.answers) for token, answer in acknowledged]


HASHES: Final = ("token_hash", "reminder_hash")
"""An invitation and its reminder open the same survey, each with a token of its own."""


async def unseen_answers(world: World) -> dict[tuple[str, int], Mapping[str, Any]]:
    """The answers that were kept although their acknowledgement was never seen, by (ticket, episode); no more than there can be."""
    promised = {id_ for id_, _ in await _promised(world)}
    about = {row["id"]: (row["ticket_number"], row["episode"]) for row in await world.rows("feedback", INVITATIONS)}
    unseen = [row for row in await world.rows("feedback", ANSWERS) if row["id"] not in promised and row["id"] in about]
    return {about[row["id"]]: orjson.loads(row["given"]) for row in islice(unseen, world.ledger.unseen_answers)}


async def mails(world: World) -> Found:
    """Each message that left is a mail, and each mail is of a message that was asked for: its name and Message-ID are the event's id."""
    folder = world.platform.home.path / "mail" / "new"
    files = {path.name.split(".")[0]: path for path in folder.glob("*.aftercare")} if folder.exists() else {}
    statuses = {row["event_id"].replace("-", ""): row["status"] for row in await world.rows("intake", NOTIFICATIONS)}
    found = [
        f"notification {id_} was delivered and is no mail" for id_, status in statuses.items() if status == "delivered" and id_ not in files
    ]
    found += [f"mail {name} was asked for by nobody" for name in files.keys() - statuses.keys()]
    found += [f"the Message-ID of mail {name} is {message}" for name, path in files.items() if (message := _message_id(path)) != name]
    return len(files), found


def _message_id(path: Path) -> str | None:
    head = path.read_bytes().split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0].decode("latin-1")
    message = re.search(r"(?im)^message-id:\s*<([0-9a-f-]{36})@", head)
    return None if message is None else message[1].replace("-", "")


async def notifications(world: World) -> Found:
    """Each notification that was requested is one message of intake's, each request has its receipt; what became of it is told once."""
    requested = {row["event_id"] for service in ("tickets", "feedback") for row in await world.rows(service, REQUESTED)}
    received = {row["request_id"] for row in await world.rows("intake", REQUESTS)}
    rows = await world.rows("intake", NOTIFICATIONS)
    receipts = Counter(row["event_id"] for row in rows if row["kind"] == RECEIPT)
    others = Counter(row["event_id"] for row in rows if row["kind"] != RECEIPT)
    found = [f"request {id_} has {count} receipts" for id_, count in other_than_once(receipts, of=received)]
    found += [f"notification.requested {id_} has {count} messages" for id_, count in other_than_once(others, of=requested)]
    ended = await world.events("intake", "notification.delivered.v1", "notification.failed.v1")
    told = Counter(event["notification_id"] for _, event in ended)
    over = {row["notification_id"] for row in rows if row["status"] != PENDING}
    found += [f"what became of notification {id_} was told {count} times" for id_, count in other_than_once(told, of=over)]
    return len(rows), found


async def endings(world: World) -> Found:
    """Each message to a customer left, failed for a reason that is right in a run, or waits because its address bears no more."""
    rows = await world.rows("intake", NOTIFICATIONS)
    customer_of = {row["event_id"]: row["customer_id"] for row in rows}
    used = Counter(customer_of.get(row["event_id"]) for row in await world.rows("intake", USES))
    found = []
    for row in rows:
        if row["status"] == "failed" and (row["failure"], row["kind"]) not in LAWFUL:
            found.append(f"notification {row['notification_id']} ({row['kind']}) failed: {row['failure']}")
        if row["status"] == PENDING and not _may_wait(world, row, used[row["customer_id"]]):
            found.append(f"notification {row['notification_id']} ({row['kind']}) still waits until {row['next_attempt_at']}")
    return len(rows), found


def _may_wait(world: World, row: Any, used: int) -> bool:
    """Whether a message may wait until its next attempt.

    What is due in a moment was put there when the timers were about to be stopped; what is due a little later, by a wrong clock.
    """
    wait = row["next_attempt_at"] - world.rested_at
    is_bounded = used >= BUDGET and row["kind"] != UNBOUNDED
    return -OVERDUE <= wait <= LEASE + WRONG_CLOCK or (wait > LEASE and is_bounded)


async def outbox_lag(world: World) -> Found:
    """Without faults an event waits for the relay less than a second, at 99 of 100 moments."""
    ages = sorted(world.ledger.outbox_lags)
    p99 = ages[min(len(ages) - 1, int(len(ages) * 0.99))] if ages else 0.0
    return len(ages), [f"the oldest unsent event was {p99:.2f} s old"] if p99 >= PROMPT else []


async def at_rest(world: World) -> Found:
    """No transaction is left open, and nobody waits for a lock, however often one looks."""
    sessions = await world.eyes.sessions()
    return len(sessions), [str(session) for session in sessions if session.is_stuck]
