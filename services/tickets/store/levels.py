"""Service levels: every version of every policy and calendar. They change rarely and are asked for by every batch, so a process remembers
the edition that it read, and looks only whether it is still the newest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.tickets import sla
from services.tickets.sla import Calendar, Escalation, Policy, Priority, Reason, ServiceLevels, TargetName
from services.tickets.sla.calendar import Source, SpecialDay, Window, Windows
from services.tickets.sla.public_holidays import Region
from services.tickets.store import team_hours
from shared.database import Transaction, from_json, to_json

_LOCK: Final = 0x736C61
"""Advisory lock between those who promise and those who change what is promised."""
_REMEMBERED: Final = 4
_known: dict[UUID, ServiceLevels] = {}


@dataclass(frozen=True, slots=True)
class Written:
    """Who wrote a version, and when."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """A version of a calendar with what was asked for when it was written."""

    calendar: Calendar
    region: Region | None
    makeup: Windows
    written: Written


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A version of a policy."""

    policy: Policy
    written: Written


async def lock_to_change(tx: Transaction) -> None:
    """Wait for all who are deciding, and let nobody else decide or change until COMMIT."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def held_service_levels(tx: Transaction) -> ServiceLevels:
    """The newest edition, which stays so until COMMIT: for those who promise by it.

    Otherwise a ticket could be promised by the edition before, after a change had looked for the tickets that it concerns.
    """
    await tx.execute("SELECT pg_advisory_xact_lock_shared($1)", _LOCK)
    return await service_levels(tx)


async def service_levels(tx: Transaction) -> ServiceLevels:
    """The newest edition."""
    newest = await tx.fetchrow("SELECT edition, key FROM sla_edition")
    assert newest is not None
    found = _known.get(newest["key"])
    if found is None:
        found = await _read(tx, newest["edition"])
        # a version never changes and an edition only adds, so what is read now is at least what the key stands for
        while len(_known) >= _REMEMBERED:
            del _known[next(iter(_known))]
        _known[newest["key"]] = found
    return found


async def _read(tx: Transaction, edition: int) -> ServiceLevels:
    policies = await tx.fetch("SELECT * FROM policy WHERE version <= $1", edition)
    calendars = await tx.fetch("SELECT * FROM calendar WHERE version <= $1", edition)
    days = await _days(tx, [(row["id"], row["version"]) for row in calendars])
    hours = await team_hours.versions(tx, edition)
    return ServiceLevels(edition, [_policy(row) for row in policies], [_calendar(row, days) for row in calendars], hours)


# ------------------------------------------------------------------ for readers


async def calendars(tx: Transaction, *, after: str, limit: int) -> list[CalendarRow]:
    """The newest version of each, by id, from the id after that one."""
    rows = await tx.fetch(
        "SELECT DISTINCT ON (id) * FROM calendar WHERE id > $1 ORDER BY id, version DESC LIMIT $2",
        after,
        limit,
    )
    return await _calendar_rows(tx, rows)


async def calendar_versions(tx: Transaction, id: str, *, before: int, limit: int) -> list[CalendarRow]:
    """The versions of one calendar below that number, newest first."""
    rows = await tx.fetch("SELECT * FROM calendar WHERE id = $1 AND version < $2 ORDER BY version DESC LIMIT $3", id, before, limit)
    return await _calendar_rows(tx, rows)


async def policies(tx: Transaction, *, after: str, limit: int) -> list[PolicyRow]:
    """The newest version of each, by id, from the id after that one."""
    rows = await tx.fetch("SELECT DISTINCT ON (id) * FROM policy WHERE id > $1 ORDER BY id, version DESC LIMIT $2", after, limit)
    return [PolicyRow(_policy(row), Written(row["changed_by"], row["changed_at"])) for row in rows]


async def policy_versions(tx: Transaction, id: str, *, before: int, limit: int) -> list[PolicyRow]:
    """The versions of one policy below that number, newest first."""
    rows = await tx.fetch("SELECT * FROM policy WHERE id = $1 AND version < $2 ORDER BY version DESC LIMIT $3", id, before, limit)
    return [PolicyRow(_policy(row), Written(row["changed_by"], row["changed_at"])) for row in rows]


async def _calendar_rows(tx: Transaction, rows: Sequence[asyncpg.Record]) -> list[CalendarRow]:
    days = await _days(tx, [(row["id"], row["version"]) for row in rows])
    return [
        CalendarRow(
            _calendar(row, days),
            None if row["country"] is None else Region(row["country"], row["subdivision"]),
            _windows(from_json(row["makeup"])),
            Written(row["changed_by"], row["changed_at"]),
        )
        for row in rows
    ]


# ------------------------------------------------------------------ writing


async def next_edition(tx: Transaction) -> int:
    """Count one on. Whoever else changes service levels waits for this transaction to end."""
    edition: int = await tx.fetchval("UPDATE sla_edition SET edition = edition + 1, key = gen_random_uuid() RETURNING edition")
    return edition


async def insert_calendar(tx: Transaction, row: CalendarRow) -> None:
    """Add a version."""
    calendar, region = row.calendar, row.region
    await tx.execute(
        "INSERT INTO calendar (id, version, valid_from, zone, week, country, subdivision, makeup, changed_at, changed_by)"
        " VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8::jsonb, $9, $10)",
        calendar.id,
        calendar.version,
        calendar.valid_from,
        calendar.zone,
        to_json([_pairs(windows) for windows in calendar.week]),
        region.country if region else None,
        region.subdivision if region else None,
        to_json(_pairs(row.makeup)),
        row.written.at,
        row.written.by,
    )
    days = sorted(calendar.days.items())
    await tx.execute(
        "INSERT INTO calendar_day (id, version, day, windows, source, name)"
        " SELECT $1, $2, * FROM unnest($3::date[], $4::jsonb[], $5::text[], $6::text[])",
        calendar.id,
        calendar.version,
        [day for day, _ in days],
        [to_json(_pairs(special.windows)) for _, special in days],
        [special.source for _, special in days],
        [special.name for _, special in days],
    )


async def insert_policy(tx: Transaction, row: PolicyRow) -> None:
    """Add a version."""
    policy = row.policy
    await tx.execute(
        "INSERT INTO policy (id, version, valid_from, type, priority, tier, calendar, first_response_ms, next_response_ms, resolution_ms,"
        " pauses_on, warn_percent, escalations, active, changed_at, changed_by)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $14, $15, $16)",
        policy.id,
        policy.version,
        policy.valid_from,
        policy.type,
        policy.priority,
        policy.tier,
        policy.calendar,
        sla.milliseconds(policy.first_response),
        None if policy.next_response is None else sla.milliseconds(policy.next_response),
        sla.milliseconds(policy.resolution),
        sorted(policy.pauses_on),
        policy.warn_percent,
        to_json([{"reason": rule.reason, "level": rule.level, "target": rule.target} for rule in policy.escalations]),
        policy.is_active,
        row.written.at,
        row.written.by,
    )


async def arm_retargeting(tx: Transaction, kind: str, *, since: datetime, due_at: datetime) -> int:
    """Have the tickets with a clock that started at ``since`` or later looked at again at ``due_at``; how many they are.

    Timers do it, batch by batch: a change of a policy must not hold a lock on every open ticket.
    """
    done = await tx.execute(
        """
        INSERT INTO timer (kind, subject, gen, due_at)
        SELECT $1, t.number, t.version, $3
          FROM ticket t
          JOIN (SELECT number FROM ticket WHERE opened_at >= $2
                 UNION
                SELECT number FROM sla_clock WHERE target = 'next_response' AND started_at >= $2) concerned USING (number)
         WHERE t.status NOT IN ('cancelled', 'merged')
         ORDER BY t.number
            ON CONFLICT (kind, subject) DO UPDATE SET gen = excluded.gen, due_at = excluded.due_at
        """,
        kind,
        since,
        due_at,
    )
    return int(done.rpartition(" ")[2])


async def arm_regrading(tx: Transaction, kind: str, customers: Collection[UUID], *, due_at: datetime) -> None:
    """Have the open tickets of customers with another tier looked at again at ``due_at``."""
    # before the timers: a change of service levels sets the same ones while it holds the lock
    await tx.execute("SELECT pg_advisory_xact_lock_shared($1)", _LOCK)
    await tx.execute(
        """
        INSERT INTO timer (kind, subject, gen, due_at)
        SELECT $1, number, version, $3 FROM ticket
         WHERE customer_id = ANY($2) AND status NOT IN ('resolved', 'confirmed', 'closed', 'cancelled', 'merged')
         ORDER BY number
            ON CONFLICT (kind, subject) DO UPDATE SET gen = excluded.gen, due_at = excluded.due_at
        """,
        kind,
        list(customers),
        due_at,
    )


# ------------------------------------------------------------------ rows and values


Days = Mapping[tuple[str, int], Mapping[date, SpecialDay]]


async def _days(tx: Transaction, versions: Iterable[tuple[str, int]]) -> Days:
    wanted = list(versions)
    rows = await tx.fetch(
        "SELECT d.* FROM calendar_day d JOIN unnest($1::text[], $2::int[]) v(id, version) USING (id, version) ORDER BY d.day",
        [id for id, _ in wanted],
        [version for _, version in wanted],
    )
    found: dict[tuple[str, int], dict[date, SpecialDay]] = {}
    for row in rows:
        special = SpecialDay(_windows(from_json(row["windows"])), Source(row["source"]), row["name"])
        found.setdefault((row["id"], row["version"]), {})[row["day"]] = special
    return found


def _calendar(row: asyncpg.Record, days: Days) -> Calendar:
    key = row["id"], row["version"]
    week = tuple(_windows(pairs) for pairs in from_json(row["week"]))
    return Calendar(*key, row["zone"], week, days.get(key, {}), row["valid_from"])


def _policy(row: asyncpg.Record) -> Policy:
    return Policy(
        id=row["id"],
        version=row["version"],
        calendar=row["calendar"],
        first_response=timedelta(milliseconds=row["first_response_ms"]),
        resolution=timedelta(milliseconds=row["resolution_ms"]),
        next_response=None if row["next_response_ms"] is None else timedelta(milliseconds=row["next_response_ms"]),
        type=row["type"],
        priority=None if row["priority"] is None else Priority(row["priority"]),
        tier=row["tier"],
        pauses_on=frozenset(row["pauses_on"]),
        warn_percent=row["warn_percent"],
        escalations=tuple(_escalation(rule) for rule in from_json(row["escalations"])),
        valid_from=row["valid_from"],
        is_active=row["active"],
    )


def _escalation(rule: Mapping[str, Any]) -> Escalation:
    target = rule["target"]
    return Escalation(Reason(rule["reason"]), rule["level"], None if target is None else TargetName(target))


def _windows(pairs: Iterable[Sequence[int]]) -> Windows:
    return tuple(Window(start, end) for start, end in pairs)


def _pairs(windows: Windows) -> list[tuple[int, int]]:
    return [(window.start, window.end) for window in windows]
