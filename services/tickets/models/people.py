"""Agents, teams and skills, what happened to them, and why each ticket was given to whom."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.tickets.assignment.staff import Distribution, Position, Presence, WhenOffline
from services.tickets.models.columns import metadata, moment, number, one_of


def _id(name: str = "id", **options: Any) -> Column[Any]:
    """Of an agent, a team or a skill; byte by byte, so that lists and locks have one order everywhere."""
    return Column(name, Text(collation="C"), **options)


def _codes(name: str, **options: Any) -> Column[Any]:
    return Column(name, ARRAY(Text), nullable=False, **options)


agent: Final = Table(
    "agent",
    metadata,
    _id(primary_key=True),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False, comment="what colleagues read; of all tables only this one holds it"),
    Column("position", Text),
    _codes("teams", comment="the first one is the home"),
    _codes("skills"),
    _codes("tiers", comment="of customers whom he is there for; empty: everybody"),
    Column("capacity", Integer, comment="open tickets beyond which he is given no more"),
    Column("presence", Text, nullable=False),
    moment("presence_at", nullable=False),
    Column("active", Boolean, nullable=False),
    moment("given_at", comment="when he was given work the last time"),
    one_of("position", Position),
    one_of("presence", Presence),
    CheckConstraint("version > 0 AND capacity > 0", name="agent_counts"),
    CheckConstraint("active OR presence = 'offline'", name="who_left_is_offline"),
    Index("agent_teams", "teams", postgresql_using="gin"),
    # for the next version of a row, which each ticket makes of one of them
    postgresql_with={"fillfactor": "50"},
)

team: Final = Table(
    "team",
    metadata,
    _id(primary_key=True),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    _codes("types", comment="of requests that it takes; of these lists an empty one does not restrict"),
    _codes("channels"),
    _codes("tiers"),
    Column("calendar", Text, comment="business calendar in which promises are reckoned where their policy names none"),
    Column("distribution", Text, nullable=False),
    Column("when_offline", Text, nullable=False, comment="what becomes of the open tickets of an agent who goes offline"),
    Column("active", Boolean, nullable=False),
    one_of("distribution", Distribution),
    one_of("when_offline", WhenOffline),
    CheckConstraint("version > 0", name="team_counts"),
)

skill: Final = Table(
    "skill",
    metadata,
    _id(primary_key=True),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    _codes("types", comment="of tickets that need it; all lists that name anything must name the ticket's"),
    _codes("categories"),
    Column("active", Boolean, nullable=False),
    CheckConstraint("version > 0", name="skill_counts"),
)

staff_change: Final = Table(
    "staff_change",
    metadata,
    Column("kind", Text, primary_key=True),
    _id(primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    moment("at", nullable=False),
    Column("actor", Text, nullable=False),
    Column("data", JSONB, nullable=False, comment="the fields that changed, as they are since; of a name only that it changed"),
    CheckConstraint("kind IN ('agent', 'team', 'skill')", name="kind_known"),
)

assignment: Final = Table(
    "assignment",
    metadata,
    number(primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False, comment="of the ticket, with this assignment"),
    moment("at", nullable=False),
    Column("actor", Text, nullable=False),
    Column("code", Text, comment="how the agent was found; none: opened into a queue"),
    Column("reason", Text),
    Column("team", Text),
    Column("agent", Text),
    Column("needed", ARRAY(Text), comment="skills that it needed"),
    Column("teams", JSONB, comment="verdict on each team, where one was chosen"),
    Column("line", LargeBinary, comment="digest of the verdicts on each agent of the team, where one was looked for"),
    Column("candidates", JSONB, comment="of rows from before there were lines: these verdicts, with the one on who was chosen"),
)

assignment_line: Final = Table(
    "assignment_line",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("verdicts", JSONB, nullable=False, comment="on each agent of a team, before one was chosen"),
    comment="what assignments have in common; written once, kept for ever",
)
