"""What must happen once: timers, surveys, answers, mails; and what must not be left behind."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import orjson

from tests.chaos.reconcile.check import World

Found = tuple[int, Iterable[str]]

MARGIN: Final = timedelta(seconds=5)
"""Before the platform rested; what was due until then must have been told."""

EVENTS = "SELECT type, key, payload FROM outbox WHERE type = ANY($1) ORDER BY topic, part, seq"
INVITATIONS = (
    "SELECT id::text, ticket_number, episode, purpose, invited_at, answered_at, cancelled_at, token_hash, reminder_hash FROM invitation"
)


async def _events(world: World, service: str, *types: str) -> list[tuple[str, dict[str, Any]]]:
    return [(row["type"], orjson.loads(row["payload"])) for row in await world.rows(service, EVENTS, list(types))]


async def timers(world: World) -> Found:
    """A promise is told as missed once, and as close once; one that was missed is told."""
    events = await _events(world, "tickets", "sla.breached.v1", "sla.warned.v1")
    told = Counter((kind, event["ticket_number"], event["target"], _moment(event)) for kind, event in events)
    found = [
        f"{kind} of {number} ({target}, {at}) was told {count} times" for (kind, number, target, at), count in told.items() if count > 1
    ]
    silent = await world.rows(
        "tickets",
        """
        SELECT c.number, c.target, c.due_at FROM sla_clock c JOIN ticket t USING (number)
         WHERE c.due_at < $1 AND c.met_at IS NULL AND c.stopped_at IS NULL AND c.breached_at IS NULL
           AND t.status NOT IN ('resolved', 'confirmed', 'closed', 'cancelled', 'merged', 'waiting_customer')
        """,
        world.rested_at - MARGIN,
    )
    return len(events), [*found, *(f"{row['target']} of {row['number']} was due at {row['due_at']}, and nobody was told" for row in silent)]


def _moment(event: dict[str, Any]) -> str:
    clock = event["clock"]
    return f"from {clock['started_at']}, due {clock['due_at']}, policies {clock['policy_version']}"


async def surveys(world: World) -> Found:
    """At most one survey per resolution, and none that was sent after it was called off; an answered one was not called off."""
    rows = await world.rows("feedback", INVITATIONS)
    times = Counter((row["ticket_number"], row["episode"], row["purpose"]) for row in rows)
    found = [f"{key} was asked {count} times" for key, count in times.items() if count > 1]
    found += await _sent_after_cancelling(world)
    found += [f"{row['id']} was answered and called off" for row in rows if row["cancelled_at"] and row["answered_at"]]
    invited = Counter(event["invitation_id"] for _, event in await _events(world, "feedback", "survey.invited.v1"))
    found += [f"{id_} was told as sent {count} times" for id_, count in invited.items() if count > 1]
    sent = {row["id"] for row in rows if row["invited_at"]}
    found += [f"{id_} was sent, and told as sent by only one of table and event" for id_ in sent ^ invited.keys()]
    return len(rows), found


async def _sent_after_cancelling(world: World) -> list[str]:
    """By the order of the events, not by their clocks: one of them may be wrong."""
    called_off: set[str] = set()
    found = []
    for kind, event in await _events(world, "feedback", "survey.invited.v1", "survey.cancelled.v1"):
        if kind == "survey.cancelled.v1":
            called_off.add(event["invitation_id"])
        elif event["invitation_id"] in called_off:
            found.append(f"{event['invitation_id']} was sent after it was called off")
    return found


async def answers(world: World) -> Found:
    """Each acknowledged answer is in feedback as it was given first, and no other answer is there."""
    rows = await world.rows("feedback", INVITATIONS)
    tokens = {bytes(row[name]): row["id"] for row in rows for name in ("token_hash", "reminder_hash") if row[name]}
    given = {
        row["id"]: orjson.loads(row["given"]) for row in await world.rows("feedback", "SELECT invitation_id::text AS id, given FROM answer")
    }
    promised = {tokens.get(hashlib.sha256(token.encode()).digest()): answer.answers for token, answer in world.ledger.answers.items()}
    found = [
        f"the answer to {id_} is {given.get(str(id_))}, and was {kept}" for id_, kept in promised.items() if given.get(str(id_)) != kept
    ]
    unsure = world.ledger.done["surveys given up"]
    foreign = [id_ for id_ in given if id_ not in promised]
    if len(foreign) > unsure:
        found += [f"the answer to {id_} is nobody's" for id_ in foreign]
    told = Counter(event["invitation_id"] for _, event in await _events(world, "feedback", "survey.answered.v1"))
    found += [f"the answer to {id_} was told {told[id_]} times" for id_ in given if told[id_] != 1]
    return len(promised), found


async def mails(world: World) -> Found:
    """Each message that left is a mail, and each mail is of a message that was asked for: its name and Message-ID are the event's id."""
    folder = world.platform.home.path / "mail" / "new"
    files = {path.name.split(".")[0]: path for path in folder.glob("*.aftercare")} if folder.exists() else {}
    rows = await world.rows("intake", "SELECT event_id, status, channel FROM notification")
    asked = {row["event_id"].hex: row for row in rows}
    found = [
        f"notification {row['event_id']} was delivered and is no mail"
        for row in rows
        if row["status"] == "delivered" and row["event_id"].hex not in files
    ]
    found += [f"mail {name} was asked for by nobody" for name in files.keys() - asked.keys()]
    for name, path in files.items():
        head = path.read_bytes().split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0].decode("latin-1")
        message = re.search(r"(?im)^message-id:\s*<([0-9a-f-]{36})@", head)
        if message is None or message[1].replace("-", "") != name:
            found.append(f"the Message-ID of mail {name} is {message and message[1]}")
    return len(files), found


async def notifications(world: World) -> Found:
    """Each notification that was requested became a message of intake's, once; what became of it was told once."""
    requested = [
        row["event_id"]
        for service in ("tickets", "feedback")
        for row in await world.rows(service, "SELECT event_id::text, topic FROM outbox WHERE type = 'notification.requested.v1'")
    ]
    rows = await world.rows("intake", "SELECT event_id::text, notification_id::text, status, kind FROM notification")
    kept = {row["event_id"] for row in rows}
    told = Counter(
        event["notification_id"] for _, event in await _events(world, "intake", "notification.delivered.v1", "notification.failed.v1")
    )
    found = [f"notification.requested {id_} has no message" for id_ in requested if id_ not in kept]
    found += [
        f"notification {row['notification_id']} ({row['kind']}) is {row['status']} and was told {told[row['notification_id']]} times"
        for row in rows
        if told[row["notification_id"]] != (row["status"] != "pending")
    ]
    return len(rows), found


async def at_rest(world: World) -> Found:
    """No transaction is left open, and nobody waits for a lock."""
    return 1, await world.eyes.stuck()
