"""Agents, teams and skills: made and changed by people, told on the bus, with a history of their own; and what follows for queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.tickets.assignment.staff import Presence
from services.tickets.handlers.levels import write_team_hours
from services.tickets.store import assignments, levels, queues, staff
from services.tickets.store.staff import AGENT, SKILL, TEAM, AgentRecord, AnyRecord, Kind, Record, SkillRecord, StaffChange, TeamRecord
from shared import outbox, telemetry
from shared.database import Transaction
from shared.errors import Conflict, FieldError, Invalid, NotFound, Stale
from shared.events.envelope import Event
from shared.events.tickets import AgentUpdated, TeamUpdated

log = telemetry.logger()


class IdTaken(Conflict):
    """There is one of that id already."""

    code = "id_taken"


class AgentInactive(Conflict):
    """Who has left is not at work."""

    code = "agent_inactive"


async def create(tx: Transaction, kind: Kind[Record], record: Record, *, by: str, at: datetime) -> Record:
    """Add an agent, a team or a skill.

    Raises:
        IdTaken: there is one of that id, perhaps an inactive one.
        Invalid: it names a team, a skill or a calendar that there is not.
    """
    if isinstance(record, TeamRecord) and record.calendar is not None:
        await levels.lock_to_change(tx)
    await _demand_known(tx, record, None)
    if not await staff.insert(tx, kind, record):
        raise IdTaken(f"There is already a {kind.name} {record.id}.")
    await _conclude(tx, kind, None, record, by=by, at=at)
    return record


async def change(tx: Transaction, kind: Kind[Record], id: str, fields: Mapping[str, Any], *, by: str, version: int, at: datetime) -> Record:
    """Change some fields of the record, which the caller saw at ``version``. What changes nothing makes no new version.

    Raises:
        NotFound: there is none of that id.
        Stale: it has changed since.
        Invalid: it names a team, a skill or a calendar that there is not.
    """
    if kind.record is TeamRecord and "calendar" in fields:
        # before the team: its hours are one of the service levels
        await levels.lock_to_change(tx)
    before = await locked(tx, kind, id)
    if before.version != version:
        raise Stale(f"{kind.name} {id} is at version {before.version}", facts={"current_version": before.version})
    after = replace(before, **fields)
    if isinstance(after, AgentRecord) and not after.active and after.presence != Presence.OFFLINE:
        after = replace(after, presence=Presence.OFFLINE, presence_at=at)
    await _demand_known(tx, after, before)
    return await _write(tx, kind, before, after, by=by, at=at)


async def set_presence(tx: Transaction, id: str, presence: Presence, *, by: str, at: datetime) -> AgentRecord:
    """Say whether an agent is at work. The last word counts: it needs no version, and makes a new one if it changes something.

    Raises:
        NotFound: there is no such agent.
        AgentInactive: he has left.
    """
    before = await locked(tx, AGENT, id)
    if not before.active and presence is not Presence.OFFLINE:
        raise AgentInactive(f"The agent {id} is not active.")
    moment = before.presence_at if before.presence == presence else at
    return await _write(tx, AGENT, before, replace(before, presence=presence.value, presence_at=moment), by=by, at=at)


async def locked(tx: Transaction, kind: Kind[Record], id: str) -> Record:
    """The record, locked.

    Raises:
        NotFound: there is none of that id.
    """
    record = await staff.find(tx, kind, id, lock=True)
    if record is None:
        raise NotFound(f"There is no {kind.name} {id}.")
    return record


async def _write(tx: Transaction, kind: Kind[Record], before: Record, after: Record, *, by: str, at: datetime) -> Record:
    if after == before:
        return before
    after = replace(after, version=before.version + 1)
    await staff.update(tx, kind, after)
    await _conclude(tx, kind, before, after, by=by, at=at)
    return after


async def _demand_known(tx: Transaction, after: Record, before: Record | None) -> None:
    """Whoever joins a team or is said to have a skill joins one that there is; what he has already may have been given up since."""
    if not isinstance(after, AgentRecord):
        return
    wrong: list[FieldError] = []
    for field, kind in (("teams", TEAM.name), ("skills", SKILL.name)):
        named: Sequence[str] = getattr(after, field)
        had: Sequence[str] = getattr(before, field) if before else ()
        unknown = await staff.unknown(tx, kind, [id for id in named if id not in had])
        wrong += [FieldError(f"#/{field}/{named.index(id)}", f"unknown_{kind}", f"There is no active {kind} {id}.") for id in unknown]
    if wrong:
        raise Invalid("It names teams or skills that there are not.", errors=wrong)


# ------------------------------------------------------------------ what follows


async def _conclude(tx: Transaction, kind: Kind[Record], before: Record | None, after: Record, *, by: str, at: datetime) -> None:
    """Note the change, let queues see it, tell it."""
    changed = _changed(kind, before, after)
    await staff.note(tx, kind, after.id, StaffChange(after.version, at, by, changed))
    match after:
        case AgentRecord():
            await _about_agent(tx, before, after)
        case TeamRecord():
            if after.calendar != (before.calendar if isinstance(before, TeamRecord) else None):
                await write_team_hours(tx, after.id, after.calendar, at)
            # what waits for a team that is no more may be this one's now
            dissolved = {team.id for team in await assignments.teams(tx) if not team.is_active}
            await queues.arm_hand_out(tx, sorted({after.id} | dissolved))
        case SkillRecord():
            await queues.arm_hand_out(tx, [team.id for team in await assignments.teams(tx) if team.is_active])
    await outbox.append(tx, _events(after, by, at))
    log.info("staff_changed", kind=kind.name, key=after.id, version=after.version, fields=sorted(changed))


def _changed(kind: Kind[Record], before: Record | None, after: Record) -> dict[str, Any]:
    """The fields that are different now. Of the name of a person only that it is."""
    names = [name for name in kind.columns if name not in ("id", "version", "presence_at")]
    changed = {name: getattr(after, name) for name in names if before is None or getattr(before, name) != getattr(after, name)}
    return {name: True if kind.record is AgentRecord and name == "name" else value for name, value in changed.items()}


async def _about_agent(tx: Transaction, before: AnyRecord | None, after: AgentRecord) -> None:
    if after.presence == Presence.PRESENT:
        await queues.arm_hand_out(tx, after.teams)
    elif after.presence == Presence.OFFLINE and isinstance(before, AgentRecord):
        await queues.arm_take_back(tx, after.id)


def _events(record: AnyRecord, by: str, at: datetime) -> list[Event]:
    match record:
        case AgentRecord():
            return [
                AgentUpdated(
                    occurred_at=at,
                    agent=record.id,
                    version=record.version,
                    teams=record.teams,
                    skills=record.skills,
                    presence=record.presence,
                    active=record.active,
                    actor=by,
                )
            ]
        case TeamRecord():
            return [
                TeamUpdated(
                    occurred_at=at,
                    team=record.id,
                    version=record.version,
                    types=record.types,
                    channels=record.channels,
                    calendar=record.calendar,
                    active=record.active,
                    actor=by,
                )
            ]
        case SkillRecord():
            return []  # who has it is told with the agents
