"""The ledger against intake and tickets: nothing lost, nothing twice, nothing from nowhere, everything in its place and order."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import asyncpg
import orjson

from tests.chaos.ledger import Entry, Ledger
from tests.chaos.reconcile.check import World

REQUESTS = "SELECT request_id::text, reference, (metadata->>'entry')::int AS entry, in_reply_to, text FROM request"
MESSAGES = "SELECT id::text, number, version, author, public, text, salt, entered_by, reference FROM message"
TICKETS = "SELECT number, series, version, status, linked_to, merged_into, episode FROM ticket"
HISTORY = "SELECT number, version, type, data FROM history ORDER BY number, version"

Found = tuple[int, Iterable[str]]


async def lost(world: World) -> Found:
    """Every acknowledged request is in intake, with the reference that was given."""
    rows = {row["request_id"]: row for row in await world.rows("intake", REQUESTS)}
    entries = list(world.ledger.acknowledged)
    gone = [
        f"entry {entry.number} ({entry.reference}) is not in intake"
        for entry in entries
        if (row := rows.get(str(entry.request_id))) is None or (row["reference"], row["entry"]) != (entry.reference, entry.number)
    ]
    return len(entries), gone


async def extra(world: World) -> Found:
    """Every request in intake is one of the ledger's, or one whose acknowledgement was never seen; and each is there once."""
    rows = await world.rows("intake", REQUESTS)
    times = Counter(row["entry"] for row in rows)
    strange = [f"{row['reference']} is of no entry ({row['entry']})" for row in rows if row["entry"] not in world.ledger.entries]
    return len(rows), [*strange, *(f"entry {entry} is there {count} times" for entry, count in times.items() if count > 1)]


async def tickets_of_references(world: World) -> Found:
    """Each reference answers as exactly one ticket: as its number, or as an alias of it."""
    numbers = {row["number"] for row in await world.rows("tickets", TICKETS)}
    aliases = {row["reference"]: row["number"] for row in await world.rows("tickets", "SELECT reference, number FROM alias")}
    entries = list(world.ledger.acknowledged)
    found = []
    for entry in entries:
        answers = (entry.reference in numbers) + (entry.reference in aliases)
        if answers != 1:
            found.append(f"{entry.reference} (entry {entry.number}, {entry.kind}) answers as {answers} tickets")
    return len(entries), found


async def tickets_of_requests(world: World) -> Found:
    """No ticket without a request: its number is a reference of intake's, or continues one."""
    references = {row["reference"] for row in await world.rows("intake", REQUESTS)}
    tickets = await world.rows("tickets", TICKETS)
    return len(tickets), [f"ticket {row['number']} comes from no request" for row in tickets if row["series"] not in references]


async def places(world: World) -> Found:
    """A request that is a matter of its own opened a ticket; every other is on the ticket that it belongs to."""
    messages = {row["id"]: row for row in await world.rows("tickets", MESSAGES)}
    entries = list(world.ledger.acknowledged)
    found = []
    for entry in entries:
        message = messages.get(str(entry.request_id))
        belongs = entry.reference if entry.opens else _place(world, messages, entry)
        if message is None or message["number"] != belongs:
            found.append(f"entry {entry.number} ({entry.kind}, {entry.reference}) is on {message and message['number']}, not on {belongs}")
    return len(entries), found


def _place(world: World, messages: dict[str, asyncpg.Record], entry: Entry) -> str | None:
    root = messages.get(str(world.ledger.root_of(entry).request_id))
    return None if root is None else root["number"]


async def words(world: World) -> Found:
    """Each message stands on its ticket once, whole, and the history holds its digest."""
    messages = {row["id"]: row for row in await world.rows("tickets", MESSAGES)}
    digests = {(row["number"], row["version"]): orjson.loads(row["data"]).get("digest") for row in await world.rows("tickets", HISTORY)}
    entries = list(world.ledger.acknowledged)
    found = []
    for entry in entries:
        row = messages.get(str(entry.request_id))
        if row is None or row["text"] != entry.body["text"]:
            found.append(f"the text of entry {entry.number} ({entry.reference}) is not on its ticket")
    for row in messages.values():
        if digests.get((row["number"], row["version"])) != hashlib.sha256(row["salt"] + row["text"].encode()).hexdigest():
            found.append(f"the history of {row['number']} does not prove its message of version {row['version']}")
    return len(messages), found


async def order(world: World) -> Found:
    """On each ticket the customer's messages stand in the order in which he sent them, one after the other."""
    by_request = {str(entry.request_id): entry for entry in world.ledger.acknowledged}
    tickets: dict[str, list[tuple[int, Entry]]] = defaultdict(list)
    for row in await world.rows("tickets", MESSAGES):
        if row["id"] in by_request:
            tickets[row["number"]].append((row["version"], by_request[row["id"]]))
    found, pairs = [], 0
    for number, placed in tickets.items():
        entries = [entry for _, entry in sorted(placed, key=lambda each: each[0])]
        for earlier, later in pairwise(entries):
            pairs += 1
            if earlier.first_sent > later.acked_at:
                found.append(
                    f"on {number} entry {later.number} stands behind entry {earlier.number}, which was sent after its acknowledgement"
                )
    return pairs, found


async def histories(world: World) -> Found:
    """The history of each ticket counts 1, 2, 3 ... up to the ticket's version."""
    versions: dict[str, list[int]] = defaultdict(list)
    for row in await world.rows("tickets", HISTORY):
        versions[row["number"]].append(row["version"])
    tickets = await world.rows("tickets", TICKETS)
    found = [
        f"the history of {row['number']} is {versions[row['number']][:20]}, and the ticket is at version {row['version']}"
        for row in tickets
        if versions[row["number"]] != list(range(1, row["version"] + 1))
    ]
    return sum(map(len, versions.values())), found


ACTS = {
    "take": "ticket.assigned",
    "reply": "ticket.replied",
    "start": "ticket.status_changed",
    "wait": "ticket.status_changed",
    "resolve": "ticket.resolved",
    "merge": "ticket.merged",
}
"""What an action leaves in the history."""


async def actions(world: World) -> Found:
    """Each acknowledged action is in the history, at the version that was answered; and none that was not acknowledged is there twice."""
    history = {(row["number"], row["version"]): row["type"] for row in await world.rows("tickets", HISTORY)}
    found = []
    for action in world.ledger.actions:
        # an action may have consequences of its own, as further versions
        near = [history.get((action.number, version)) for version in range(max(1, action.version - 3), action.version + 1)]
        if ACTS[action.action] not in near:
            found.append(f"{action.action} on {action.number}, acknowledged with version {action.version}, is not in its history: {near}")
    happened, unanswered = await _happened(world), world.ledger.unanswered
    for (number, name), count in acknowledged_actions(world.ledger).items():
        if name in ("resolve", "merge") and not count <= happened[number, name] <= count + unanswered[number, name]:
            found.append(f"{name} on {number} was acknowledged {count} times and happened {happened[number, name]} times")
    return len(world.ledger.actions), found


def acknowledged_actions(ledger: Ledger) -> Counter[tuple[str, str]]:
    """How often each action on each ticket was acknowledged."""
    return Counter((action.number, action.action) for action in ledger.actions)


async def unseen_actions(world: World) -> Counter[tuple[str, str]]:
    """How often each action happened whose caller lost patience before he saw it."""
    happened, acknowledged = await _happened(world), acknowledged_actions(world.ledger)
    return Counter({each: max(0, min(most, happened[each] - acknowledged[each])) for each, most in world.ledger.unanswered.items()})


async def _happened(world: World) -> Counter[tuple[str, str]]:
    """By the histories. Of actions that leave the same there, each counts for all."""
    kept = Counter((row["number"], row["type"]) for row in await world.rows("tickets", HISTORY))
    return Counter({(number, name): count for (number, kind), count in kept.items() for name, leaves in ACTS.items() if leaves == kind})


async def answers_of_doors(world: World) -> Found:
    """What the platform answered was right: repeats equal, invalid requests refused, late and second answers too."""
    done = world.ledger.done
    looked_at = done["sent twice"] + done["invalid requests"] + done["surveys answered again"] + done["surveys answered late"]
    return looked_at, world.ledger.wrong
