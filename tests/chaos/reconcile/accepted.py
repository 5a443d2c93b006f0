"""The ledger against intake and tickets: nothing lost, nothing twice, nothing from nowhere, everything in its place and order."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any, Final

import asyncpg
import orjson

from tests.chaos.ledger import Entry, Ledger
from tests.chaos.reconcile.check import Found, World

REQUESTS = "SELECT request_id::text, reference, (metadata->>'entry')::int AS entry, customer_id::text FROM request"
MESSAGES = "SELECT id::text, number, version, author, text, salt FROM message"
TICKETS = "SELECT number, series, version, status FROM ticket"
HISTORY = "SELECT number, version, type, data FROM history ORDER BY number, version"

CUSTOMER: Final = "customer"
"""Author of a message; of what staff write it is the one who wrote."""


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
    """Each message stands on its ticket once, whole, and the history holds its digest; no digest has lost its message."""
    messages = {row["id"]: row for row in await world.rows("tickets", MESSAGES)}
    found = [
        f"the text of entry {entry.number} ({entry.reference}) is not on its ticket"
        for entry in world.ledger.acknowledged
        if (row := messages.get(str(entry.request_id))) is None or row["text"] != entry.body["text"]
    ]
    proven = {(number, version): data["digest"] for number, version, _, data in await _history(world) if data.get("digest")}
    for row in messages.values():
        if proven.pop((row["number"], row["version"]), None) != hashlib.sha256(row["salt"] + row["text"].encode()).hexdigest():
            found.append(f"the history of {row['number']} does not prove its message of version {row['version']}")
    found += [f"{number} has no message of version {version}, of which its history holds a digest" for number, version in proven]
    return len(messages), found


async def _history(world: World) -> list[tuple[str, int, str, dict[str, Any]]]:
    """Ticket, version, what happened, and what it says."""
    return [(row["number"], row["version"], row["type"], orjson.loads(row["data"])) for row in await world.rows("tickets", HISTORY)]


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


ACTIONS: Final = frozenset({"take", "reply", "start", "wait", "resolve", "merge"})
"""What the staff of a run do, and nobody else."""


async def actions(world: World) -> Found:
    """Each acknowledged action is in the history at the version that was answered; and there is no other, but those without an answer."""
    ledger = world.ledger
    happened = {(number, version): action for number, version, action in await _happened(world)}
    found = [
        f"{each.action} on {each.number}, acknowledged with version {each.version}, is not there in its history: {there}"
        for each in ledger.actions
        if (there := happened.get((each.number, each.version))) != each.action
    ]
    counts = await _counted(world)
    acknowledged = acknowledged_actions(ledger)
    for number, action in sorted(counts.keys() | acknowledged.keys()):
        least, count = acknowledged[number, action], counts[number, action]
        if not least <= count <= least + ledger.unanswered[number, action]:
            found.append(f"{action} on {number} was acknowledged {least} times and happened {count} times")
    return len(ledger.actions), found


def acknowledged_actions(ledger: Ledger) -> Counter[tuple[str, str]]:
    """How often each action on each ticket was acknowledged."""
    return Counter((action.number, action.action) for action in ledger.actions)


async def unseen_actions(world: World) -> Counter[tuple[str, str]]:
    """How often each action happened whose caller lost patience before he saw it."""
    happened, acknowledged = await _counted(world), acknowledged_actions(world.ledger)
    return Counter({each: max(0, min(most, happened[each] - acknowledged[each])) for each, most in world.ledger.unanswered.items()})


async def _counted(world: World) -> Counter[tuple[str, str]]:
    return Counter((number, action) for number, _, action in await _happened(world))


async def _happened(world: World) -> list[tuple[str, int, str]]:
    """The actions of staff by the histories: ticket, version, action."""
    acted = ((number, version, _action(kind, data)) for number, version, kind, data in await _history(world))
    return [(number, version, action) for number, version, action in acted if action in ACTIONS]


def _action(kind: str, data: dict[str, Any]) -> str | None:
    """The action that leaves this in a history. Tickets are also assigned by the platform, and resumed by their customers."""
    match kind:
        case "ticket.assigned":
            return "take" if data["code"] == "taken" else None
        case "ticket.status_changed":
            return str(data["action"])
        case "ticket.replied":
            return "reply"
        case "ticket.resolved":
            return "resolve"
        case "ticket.merged":
            return "merge"
    return None


async def replies(world: World) -> Found:
    """Each reply of staff is one message on its ticket, with what they all write."""
    written = [row for row in await world.rows("tickets", MESSAGES) if row["author"] != CUSTOMER]
    places = Counter((row["number"], row["version"]) for row in written)
    replied = {(number, version) for number, version, action in await _happened(world) if action == "reply"}
    found = [
        f"version {version} of {number}, a reply, has {places[number, version]} messages"
        for number, version in sorted(replied)
        if places[number, version] != 1
    ]
    found += [f"a message of staff is on {number} as version {version}, which is no reply" for number, version in places.keys() - replied]
    texts = Counter(row["text"] for row in written)
    found += [f"{count} replies say {text!r}" for text, count in texts.most_common()[1:]]
    return len(written), found


async def answers_of_doors(world: World) -> Found:
    """What the platform answered was right: repeats equal, invalid requests refused, late and second answers too."""
    done = world.ledger.done
    looked_at = done["sent twice"] + done["invalid requests"] + done["surveys answered again"] + done["surveys answered late"]
    return looked_at, world.ledger.wrong
