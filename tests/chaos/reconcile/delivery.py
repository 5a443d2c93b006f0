"""The protocol's own books: numbers without a hole, everybody at the head, every event with its effect, nothing left aside."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from shared.events.codes import DEFAULT_LOCALE
from shared.events.topics import NUMBERED, PARTITIONS
from shared.languages import closest
from tests.chaos.department import SHORT_LIVED
from tests.chaos.reconcile.accepted import CUSTOMER, HISTORY, MESSAGES, REQUESTS
from tests.chaos.reconcile.check import Found, World, other_than_once
from tests.chaos.reconcile.effects import INVITATIONS, SURVEY

OUTBOX: Final = "SELECT topic, part, seq, key, type, event_id::text, previous_id::text FROM outbox ORDER BY topic, part, seq"
HEADS: Final = "SELECT topic, part, head, head_id::text, stopped FROM outbox_head"
POSITIONS: Final = "SELECT topic, part, last_seq, last_id::text, stopped FROM consumer_part"
LETTERS: Final = "SELECT topic, part, seq, key, type, status, error_class, error_text FROM dead_letter"
EVENT_LOG: Final = "SELECT topic, part, seq, type FROM event_log"

FILLER: Final = "outbox.filler"
"""How the types of events begin that only hold a number."""
ASIDE: Final = frozenset({"parked", "discarded"})
"""What can become of an event that is not applied."""
UNTOLD: Final = frozenset({"ticket.reminded", "sla.retargeted"})
"""Versions of a ticket without an event of their own: others need not know of them."""

Key = tuple[str, int, int, str]
"""Topic, partition, number and type of an event."""


async def chains(world: World) -> Found:
    """Each log counts 1, 2, 3 ... up to its head, and each event names the one before it."""
    found, looked_at = [], 0
    for service in world.platform.urls:
        heads = {(row["topic"], row["part"]): (row["head"], row["head_id"]) for row in await world.rows(service, HEADS)}
        ends: dict[tuple[str, int], tuple[int, str | None]] = {}
        for row in await world.rows(service, OUTBOX):
            log = row["topic"], row["part"]
            seq, previous = ends.get(log, (0, None))
            looked_at += 1
            if (row["seq"], row["previous_id"]) != (seq + 1, previous):
                found.append(f"{log[0]}/{log[1]}: {row['seq']} follows {seq} and names {row['previous_id']} instead of {previous}")
            ends[log] = row["seq"], row["event_id"]
        found += [
            f"{log[0]}/{log[1]}: its head is {head}, its last event {ends.get(log)}"
            for log, head in heads.items()
            if ends.get(log, (0, None)) != head
        ]
    return looked_at, found


async def positions(world: World) -> Found:
    """Every consumer stands at the head of every log that it reads, at the same event; nothing is stopped."""
    heads: dict[tuple[str, int], tuple[int, str | None]] = {}
    found = []
    for service in world.platform.urls:
        for row in await world.rows(service, HEADS):
            heads[row["topic"], row["part"]] = row["head"], row["head_id"]
            if row["stopped"]:
                found.append(f"{row['topic']}/{row['part']} takes no events: {row['stopped']}")
    looked_at = 0
    for topic in NUMBERED:
        for consumer in topic.consumers:
            rows = {row["part"]: row for row in await world.rows(consumer, POSITIONS) if row["topic"] == topic.name}
            for part in range(PARTITIONS):
                looked_at += 1
                stands = (rows[part]["last_seq"], rows[part]["last_id"]) if part in rows else (0, None)
                if stands != heads[topic.name, part]:
                    found.append(f"{consumer} stands at {stands} of {topic.name}/{part}, whose head is {heads[topic.name, part]}")
                if part in rows and rows[part]["stopped"]:
                    found.append(f"{consumer} has stopped {topic.name}/{part}: {rows[part]['stopped']}")
    return looked_at, found


async def set_aside(world: World) -> Found:
    """Nothing is parked any more, nothing was discarded, and only marked requests and what waited behind them ever were parked."""
    marked = {str(entry.request_id) for entry in world.ledger.acknowledged if entry.number in world.ledger.marked}
    customers = {row["customer_id"] for row in await world.rows("intake", REQUESTS) if row["request_id"] in marked}
    found, looked_at = [], 0
    for service in world.platform.urls:
        for row in await world.rows(service, LETTERS):
            looked_at += 1
            name = f"{service}: {row['topic']}/{row['part']}/{row['seq']}"
            if row["status"] != "replayed":
                found.append(f"{name} is {row['status']}")
            if row["key"] not in customers or row["error_class"] not in (None, "Poisoned"):
                found.append(f"{name} was parked for {row['error_class']} {row['error_text']}")
        for row in await world.rows(service, "SELECT topic, part, key FROM parked_key"):
            found.append(f"{service}: a key of {row['topic']}/{row['part']} is still parked")
    return looked_at, found


async def event_log(world: World) -> Found:
    """Each event that metrics reads was applied, or is parked or discarded: one of the three, and once.

    Applied is what its event log holds. Accepted is what was told: that metrics stands at the head of each log is another check.
    """
    read = {topic.name for topic in NUMBERED if "metrics" in topic.consumers}
    accepted: set[Key] = set()
    for service in world.platform.urls:
        accepted |= {_key(row) for row in await world.rows(service, OUTBOX) if row["topic"] in read and not row["type"].startswith(FILLER)}
    applied = Counter(_key(row) for row in await world.rows("metrics", EVENT_LOG))
    aside = {_key(row) for row in await world.rows("metrics", LETTERS) if row["status"] in ASIDE}
    found = [f"{event} is neither in the event log nor set aside" for event in sorted(accepted - applied.keys() - aside)]
    found += [f"{event} is in the event log and set aside" for event in sorted(applied.keys() & aside)]
    found += [f"{event} is in the event log {count} times" for event, count in applied.items() if count > 1]
    found += [f"{event} was taken in and never told" for event in sorted((applied.keys() | aside) - accepted)]
    return len(accepted), found


def _key(row: Any) -> Key:
    return row["topic"], row["part"], row["seq"], row["type"]


async def effects(world: World) -> Found:
    """Each request is told once and is a message of one ticket; each resolution has its survey, unless it would come too late."""
    told = Counter(event["request_id"] for _, event in await world.events("intake", "request.received.v1"))
    kept = {row["request_id"] for row in await world.rows("intake", REQUESTS)}
    messages = {row["id"] for row in await world.rows("tickets", MESSAGES) if row["author"] == CUSTOMER}
    found = [f"request {id_} was told {count} times" for id_, count in other_than_once(told, of=kept)]
    found += [f"request {id_} was told and is no message of a ticket" for id_ in sorted(told.keys() - messages)]
    found += [f"message {id_} is of a request that nobody told" for id_ in sorted(messages - told.keys())]
    resolved = [event for _, event in await world.events("tickets", "ticket.resolved.v1")]
    invited = {(row["ticket_number"], row["episode"]) for row in await world.rows("feedback", INVITATIONS) if row["purpose"] == SURVEY}
    for event in resolved:
        if (event["ticket_number"], event["episode"]) not in invited and event["dimensions"]["channel"] != SHORT_LIVED:
            found.append(f"nobody is asked about resolution {event['episode']} of {event['ticket_number']}")
    resolutions = {(event["ticket_number"], event["episode"]) for event in resolved}
    found += [f"somebody is asked about resolution {episode} of {number}, which never was" for number, episode in invited - resolutions]
    return len(kept) + len(resolved), found


async def copies(world: World) -> Found:
    """What other services copy of tickets is what tickets has told of them."""
    told: dict[str, int] = {}
    for row in await world.rows("tickets", HISTORY):
        if row["type"] not in UNTOLD:
            told[row["number"]] = row["version"]
    rows = await world.rows("tickets", "SELECT number, status, merged_into, customer_id::text FROM ticket")
    tickets = {row["number"]: (told.get(row["number"]), row["status"], row["merged_into"], row["customer_id"]) for row in rows}
    rows = await world.rows("intake", "SELECT number, version, status, merged_into, customer_id::text FROM ticket_copy")
    copied = {row["number"]: (row["version"], row["status"], row["merged_into"], row["customer_id"]) for row in rows}
    found = _unlike("ticket", tickets, "intake", copied)
    aliases = {(row["reference"], row["number"]) for row in await world.rows("tickets", "SELECT reference, number FROM alias")}
    for service, column in (("intake", "number"), ("feedback", "ticket_number")):
        rows = await world.rows(service, f"SELECT reference, {column} AS number FROM ticket_alias")
        theirs = {(row["reference"], row["number"]) for row in rows}
        found += [f"the alias {alias} is only in {'tickets' if alias in aliases else service}" for alias in aliases ^ theirs]
    return len(tickets) + len(aliases), found


async def customers(world: World) -> Found:
    """What other services copy of customers is what intake has: language, tier, consent to surveys, and who is one person."""
    rows = await world.rows("intake", "SELECT customer_id::text AS id, locale, tier, consent_survey, merged_into::text FROM customer")
    own = {row["id"]: row for row in rows}
    merged = {id_: row["merged_into"] for id_, row in own.items() if row["merged_into"]}
    of_tickets = await world.rows("tickets", "SELECT id::text, locale, tier FROM customer")
    of_feedback = await world.rows("feedback", "SELECT id::text, locale, consents FROM customer")
    found = _unlike(
        "customer",
        {id_: (row["locale"], row["tier"]) for id_, row in own.items()},
        "tickets",
        {row["id"]: (row["locale"], row["tier"]) for row in of_tickets},
    )
    found += _unlike(
        "customer",
        {id_: (closest(row["locale"]) or DEFAULT_LOCALE, row["consent_survey"]) for id_, row in own.items()},
        "feedback",
        {row["id"]: (row["locale"], row["consents"]) for row in of_feedback},
    )
    for service in ("tickets", "feedback"):
        rows = await world.rows(service, "SELECT customer_id::text, into_customer_id::text FROM customer_alias")
        found += _unlike("customer merged", merged, service, {row["customer_id"]: row["into_customer_id"] for row in rows})
    return len(own), found


def _unlike(what: str, owned: dict[str, Any], service: str, copied: dict[str, Any]) -> list[str]:
    return [
        f"{what} {id_} is {owned.get(id_)}, and in {service}'s copy {copied.get(id_)}"
        for id_ in sorted(owned.keys() | copied.keys())
        if owned.get(id_) != copied.get(id_)
    ]
