"""What the tables of tickets share: the metadata and the kinds of their columns."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, MetaData, Text

from services.tickets.models.expressions import among

metadata: Final = MetaData()


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The column holds a word of a closed list."""
    return CheckConstraint(among(column, values), name=f"{column}_known")


def number(name: str = "number", **options: Any) -> Column[Any]:
    """A ticket's number: compared byte by byte, so that the primary key also finds beginnings."""
    return Column(name, Text(collation="C"), **options)


def of_ticket(name: str = "number", **options: Any) -> Column[Any]:
    """The number of a ticket that is there. Not in tables that are written with each ticket: see migration 0006."""
    return Column(name, Text(collation="C"), ForeignKey("ticket.number"), **options)


def moment(name: str, **options: Any) -> Column[Any]:
    """An instant."""
    return Column(name, DateTime(timezone=True), **options)
