"""The protocol's own books: numbers without a hole, everybody at the head, every event with its effect, nothing left aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson

from shared.events.topics import NUMBERED, PARTITIONS
from tests.chaos.department import SHORT_LIVED
from tests.chaos.reconcile.check import World

Found = tuple[int, Iterable[str]]

OUTBOX = "SELECT topic, part, seq, key, type, event_id::text, previous_id::text FROM outbox ORDER BY topic, part, seq"
HEADS = "SELECT topic, part, head, head_id::text, stopped FROM outbox_head"
RESOLVED = "SELECT payload FROM outbox WHERE type = 'ticket.resolved.v1'"
INVITED = "SELECT ticket_number, episode FROM invitation WHERE purpose = 'survey'"
POSITIONS = "SELECT topic, part, last_seq, last_id::text, stopped FROM consumer_part"


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
    customers = {
        row["customer_id"]
        for row in await world.rows("intake", "SELECT request_id::text, customer_id::text FROM request")
        if row["request_id"] in marked
    }
    found, looked_at = [], 0
    for service in world.platform.urls:
        for row in await world.rows(service, "SELECT topic, part, seq, key, status, error_class, error_text FROM dead_letter"):
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
    """Metrics' event log holds every event of every topic that it reads, each once: applied + parked + discarded = accepted."""
    read = {topic.name for topic in NUMBERED if "metrics" in topic.consumers}
    told: set[tuple[Any, ...]] = set()
    for service in world.platform.urls:
        told |= {(row["topic"], row["part"], row["seq"], row["type"]) for row in await world.rows(service, OUTBOX) if row["topic"] in read}
    told = {event for event in told if not event[3].startswith("outbox.filler")}
    held = Counter(
        (row["topic"], row["part"], row["seq"], row["type"])
        for row in await world.rows("metrics", "SELECT topic, part, seq, type FROM event_log")
    )
    found = [f"{event} is not in the event log" for event in sorted(told - held.keys())]
    found += [f"{event} is in the event log and was never told" for event in sorted(held.keys() - told)]
    return len(told), found


async def effects(world: World) -> Found:
    """Each request that was told is a message of one ticket; each resolution has its survey, unless it would come too late."""
    requests = [row for row in await world.rows("intake", OUTBOX) if row["type"] == "request.received.v1"]
    customers = await world.rows("tickets", "SELECT id FROM message WHERE author = 'customer'")
    found = []
    if len(requests) != len(customers):
        found.append(f"{len(requests)} requests were told, and tickets has {len(customers)} messages of customers")
    resolved = [orjson.loads(row["payload"]) for row in await world.rows("tickets", RESOLVED)]
    invited = {(row["ticket_number"], row["episode"]) for row in await world.rows("feedback", INVITED)}
    for event in resolved:
        if (event["ticket_number"], event["episode"]) not in invited and event["dimensions"]["channel"] != SHORT_LIVED:
            found.append(f"nobody is asked about resolution {event['episode']} of {event['ticket_number']}")
    return len(requests) + len(resolved), found


async def copies(world: World) -> Found:
    """What other services copy of tickets is what tickets has."""
    tickets = {
        row["number"]: (row["version"], row["status"], row["merged_into"])
        for row in await world.rows("tickets", "SELECT number, version, status, merged_into FROM ticket")
    }
    copied = {
        row["number"]: (row["version"], row["status"], row["merged_into"])
        for row in await world.rows("intake", "SELECT number, version, status, merged_into FROM ticket_copy")
    }
    aliases = {(row["reference"], row["number"]) for row in await world.rows("tickets", "SELECT reference, number FROM alias")}
    found = [
        f"ticket {number} is {tickets.get(number)}, and in intake's copy {copied.get(number)}"
        for number in tickets.keys() | copied.keys()
        if tickets.get(number, ())[1:] != copied.get(number, ())[1:]
    ]
    for service, column in (("intake", "number"), ("feedback", "ticket_number")):
        theirs = {
            (row["reference"], row["number"])
            for row in await world.rows(service, f"SELECT reference, {column} AS number FROM ticket_alias")
        }
        found += [f"the alias {alias} is only in {'tickets' if alias in aliases else service}" for alias in aliases ^ theirs]
    return len(tickets) + len(aliases), found
