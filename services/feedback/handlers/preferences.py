"""Who wants no surveys: the customer says so by the link in his mail, or staff write it down for him.

The wish belongs to the person: it holds for all files that are or become one with the one it was written under.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from services.feedback.handlers.answering import find
from services.feedback.store import people
from services.feedback.store.people import OptOut
from services.feedback.survey import facts
from services.feedback.survey.selection import Standing
from shared import outbox
from shared.database import Transaction
from shared.errors import NotFound


class UnknownCustomer(NotFound):
    """Nobody is known here by this id."""

    code: ClassVar[str] = "customer_unknown"

    def __init__(self) -> None:
        super().__init__("there is no customer with this id")


@dataclass(frozen=True, slots=True)
class Preference:
    """What holds for one person."""

    customer_id: UUID
    person: UUID
    standing: Standing
    opt_out: OptOut | None


async def of_customer(tx: Transaction, customer_id: UUID) -> Preference:
    """What holds for the person behind this id.

    Raises:
        UnknownCustomer: nobody is known by it.
    """
    if not await people.is_known(tx, customer_id):
        raise UnknownCustomer
    person = (await people.persons(tx, [customer_id]))[customer_id]
    standings = await people.standings(tx, [person])
    return Preference(customer_id, person, standings[person], await people.opt_out_of(tx, person))


async def opt_out_by_link(tx: Transaction, token: str, *, at: datetime) -> None:
    """The customer behind this link wants no more surveys; said twice, it is told once. His present survey stays open.

    Raises:
        UnknownSurvey: no such token.
    """
    survey = await find(tx, token)
    await _opt_out(tx, survey.invitation.customer_id, OptOut(at, "customer", None))


async def change(tx: Transaction, customer_id: UUID, *, opted_out: bool, actor: str, at: datetime) -> Preference:
    """Staff write down what the customer wants; what holds afterwards.

    Raises:
        UnknownCustomer: nobody is known by this id.
    """
    known = await of_customer(tx, customer_id)
    if opted_out:
        await _opt_out(tx, customer_id, OptOut(at, "staff", actor))
    else:
        await people.lock(tx, [known.person])
        if await people.opt_in(tx, known.person):
            await outbox.append(tx, [facts.opted_out(customer_id, is_out=False, by="staff", at=at)])
    return await of_customer(tx, customer_id)


async def _opt_out(tx: Transaction, customer_id: UUID, wish: OptOut) -> None:
    person = (await people.persons(tx, [customer_id]))[customer_id]
    await people.lock(tx, [person])
    if await people.opt_out_of(tx, person) is None and await people.opt_out(tx, customer_id, wish):
        await outbox.append(tx, [facts.opted_out(customer_id, is_out=True, by=wish.by, at=wish.at)])
