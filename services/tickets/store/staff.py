"""Agents, teams and skills as records, and what happened to them. The three kinds are kept alike: by id, with a version, for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import asyncpg

from shared.database import Transaction, from_json, to_json


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """A member of staff. ``name`` is what colleagues read; it stands in this record and nowhere else."""

    id: str
    name: str
    position: str | None
    teams: tuple[str, ...]
    skills: tuple[str, ...]
    tiers: tuple[str, ...]
    capacity: int | None
    presence: str
    presence_at: datetime
    active: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True)
class TeamRecord:
    """A team and what it is there for."""

    id: str
    name: str
    types: tuple[str, ...]
    channels: tuple[str, ...]
    tiers: tuple[str, ...]
    calendar: str | None
    distribution: str
    when_offline: str
    active: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True)
class SkillRecord:
    """A skill and what needs it."""

    id: str
    name: str
    types: tuple[str, ...]
    categories: tuple[str, ...]
    active: bool = True
    version: int = 1


AnyRecord = AgentRecord | TeamRecord | SkillRecord
Record = TypeVar("Record", bound=AnyRecord)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Record]):
    """One of the three: its name is its table's."""

    name: str
    record: type[Record]

    @property
    def columns(self) -> tuple[str, ...]:
        """What is stored of it."""
        return tuple(field.name for field in fields(self.record))


AGENT: Final = Kind("agent", AgentRecord)
TEAM: Final = Kind("team", TeamRecord)
SKILL: Final = Kind("skill", SkillRecord)


@dataclass(frozen=True, slots=True)
class StaffChange:
    """One step of a record's life: the fields that changed, as they are since."""

    version: int
    at: datetime
    actor: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Coverage:
    """One skill in a team: who has it, and how many of them are at work."""

    skill: str
    name: str
    types: tuple[str, ...]
    categories: tuple[str, ...]
    agents: tuple[str, ...]
    at_work: int


async def find(tx: Transaction, kind: Kind[Record], id: str, *, lock: bool = False) -> Record | None:
    """The record of that id, locked until COMMIT if asked."""
    row = await tx.fetchrow(f"SELECT {', '.join(kind.columns)} FROM {kind.name} WHERE id = $1 {'FOR UPDATE' if lock else ''}", id)
    return None if row is None else _record(kind, row)


async def unknown(tx: Transaction, kind: str, ids: Sequence[str]) -> list[str]:
    """Those of the ids that no active record has."""
    if not ids:
        return []
    rows = await tx.fetch(f"SELECT id FROM {kind} WHERE id = ANY($1) AND active", list(ids))
    return sorted(set(ids) - {row["id"] for row in rows})


async def page(tx: Transaction, kind: Kind[Record], where: Mapping[str, Any], *, after: str, limit: int) -> list[Record]:
    """Records in the order of their ids, after that one. A condition on a list asks whether the list holds the value."""
    values: list[Any] = [after, limit]
    conditions = ["id > $1"]
    for name, value in where.items():
        values.append([value] if name in _LISTS else value)
        conditions.append(f"{name} {'@>' if name in _LISTS else '='} ${len(values)}")
    rows = await tx.fetch(
        f"SELECT {', '.join(kind.columns)} FROM {kind.name} WHERE {' AND '.join(conditions)} ORDER BY id LIMIT $2", *values
    )
    return [_record(kind, row) for row in rows]


_LISTS: Final = {"teams", "skills", "tiers", "types", "channels", "categories"}


async def coverage(tx: Transaction, team: str, *, after: str, limit: int) -> list[Coverage]:
    """Who of a team has each skill, in the order of the skills, after that one; also of skills that nobody there has."""
    rows = await tx.fetch(
        """
        SELECT s.id, s.name, s.types, s.categories, coalesce(array_agg(a.id ORDER BY a.id) FILTER (WHERE a.id IS NOT NULL), '{}') AS agents,
               count(a.id) FILTER (WHERE a.presence = 'present') AS at_work
          FROM (SELECT id, name, types, categories FROM skill WHERE active AND id > $2 ORDER BY id LIMIT $3) s
          LEFT JOIN agent a ON a.active AND a.teams @> ARRAY[$1::text] AND s.id = ANY(a.skills)
         GROUP BY s.id, s.name, s.types, s.categories ORDER BY s.id
        """,
        team,
        after,
        limit,
    )
    return [
        Coverage(row["id"], row["name"], tuple(row["types"]), tuple(row["categories"]), tuple(row["agents"]), row["at_work"])
        for row in rows
    ]


async def insert(tx: Transaction, kind: Kind[Record], record: Record) -> bool:
    """Add a record; False when its id is taken."""
    places = ", ".join(f"${place}" for place in range(1, len(kind.columns) + 1))
    done = await tx.execute(
        f"INSERT INTO {kind.name} ({', '.join(kind.columns)}) VALUES ({places}) ON CONFLICT DO NOTHING", *_values(kind, record)
    )
    return done == "INSERT 0 1"


async def update(tx: Transaction, kind: Kind[Record], record: Record) -> None:
    """Write a record that this transaction has locked."""
    places = ", ".join(f"{name} = ${place}" for place, name in enumerate(kind.columns, 1))
    await tx.execute(f"UPDATE {kind.name} SET {places} WHERE id = ${kind.columns.index('id') + 1}", *_values(kind, record))


async def note(tx: Transaction, kind: Kind[Record], id: str, change: StaffChange) -> None:
    """Add a step to the record's history."""
    await tx.execute(
        "INSERT INTO staff_change (kind, id, version, at, actor, data) VALUES ($1, $2, $3, $4, $5, $6)",
        kind.name,
        id,
        change.version,
        change.at,
        change.actor,
        to_json(change.data),
    )


async def changes(tx: Transaction, kind: Kind[Record], id: str, *, after: int, limit: int) -> list[StaffChange]:
    """The record's history in order, from the version after that one."""
    rows = await tx.fetch(
        "SELECT version, at, actor, data FROM staff_change WHERE kind = $1 AND id = $2 AND version > $3 ORDER BY version LIMIT $4",
        kind.name,
        id,
        after,
        limit,
    )
    return [StaffChange(row["version"], row["at"], row["actor"], from_json(row["data"])) for row in rows]


def _record(kind: Kind[Record], row: asyncpg.Record) -> Record:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return kind.record(**values)


def _values(kind: Kind[Record], record: Record) -> list[Any]:
    values = [getattr(record, name) for name in kind.columns]
    return [list(value) if isinstance(value, tuple) else value for value in values]
