"""Customer files for staff, and a customer's own for himself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from services.intake.api.answering import CREATED, ETAG, changed
from services.intake.api.callers import caller_of
from services.intake.api.reading import first_patch, identities_of_new, identity_asked_for, patch_of, rules_of
from services.intake.api.showing import file_id, line, shown
from services.intake.handlers import files as desk
from services.intake.handlers.files import Registration
from services.intake.handlers.merging import NoSuchFile
from services.intake.identity.file import File, Tier
from services.intake.schemas.customers import (
    ChangeLine,
    ContactLine,
    CustomerFile,
    CustomerLine,
    CustomerNew,
    CustomerPatch,
)
from services.intake.settings import IntakeSettings
from services.intake.store import contacts, files
from services.intake.store.files import Listed
from shared import clock, http
from shared.auth import Scope
from shared.database import Transaction
from shared.errors import Invalid
from shared.pages import Cursors
from shared.runtime import Runtime

CUSTOMERS: Final = "/v1/customers"
ONE: Final = CUSTOMERS + "/{customer_id}"
LAST_VERSION: Final = 2**31 - 1


def create_router(runtime: Runtime[IntakeSettings]) -> http.Router:
    """The routes of customer files."""
    router = http.Router(tags=["customers"])
    _register_lists(router, runtime)
    _register_file(router, runtime)
    return router


# --- lists ---------------------------------------------------------------------------------------------------------------------------


def _register_lists(router: http.Router, runtime: Runtime[IntakeSettings]) -> None:
    rules = rules_of(runtime)

    @router.get(CUSTOMERS, scope="customer:read", operation_id="listCustomers", summary="Customers, newest first, or by name")
    async def list_customers(
        identity: Annotated[
            str | None,
            Query(min_length=3, max_length=500, description="exactly this: `phone:13800138000`, `email:w@example.com`, `line:1653:U4af`"),
        ] = None,
        name: Annotated[str | None, Query(min_length=1, max_length=200, description="how the name begins; then sorted by name")] = None,
        tier: Tier | None = None,
        limit: http.Limit = 50,
        cursor: http.Cursor = None,
    ) -> http.Page[CustomerLine]:
        """Without customers who were merged into others. By an identity come all who hold it, be it as a mere address, on one page."""
        if identity is not None:
            if name is not None or tier is not None or cursor is not None:
                raise Invalid.field("?identity", "alone", "An identity is asked for alone: without name, tier and cursor.")
            async with runtime.database.transaction() as tx:
                return _page(await files.known_by(tx, identity_asked_for(identity, rules), limit=limit), None)
        filters = {"list": "customers", "name": name, "tier": tier}
        async with runtime.database.transaction() as tx:
            found = await _listed(tx, runtime.cursors, name, tier, limit + 1, cursor, filters)
        return _page(found[:limit], _following(runtime.cursors, found, limit, filters))

    @router.get(ONE + "/contacts", scope="customer:read", operation_id="listCustomerContacts", summary="What we had to do with a customer")
    async def list_contacts(customer_id: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None) -> http.Page[ContactLine]:
        """His requests and what he was told, newest first, with those of customers who were merged into him."""
        filters = {"list": "contacts", "customer": customer_id}
        before = None if cursor is None else _moment(runtime.cursors.decode(cursor, filters, length=2))
        async with runtime.database.transaction() as tx:
            file = await _found(tx, file_id(customer_id))
            made = await contacts.contacts(tx, await files.family(tx, file.customer_id), before=before, limit=limit + 1)
        last = made[limit - 1] if len(made) > limit else None
        following = None if last is None else runtime.cursors.encode([last.at.isoformat(), str(last.id)], filters)
        return http.Page(items=[ContactLine(**vars(one)) for one in made[:limit]], next_cursor=following)

    @router.get(ONE + "/history", scope="customer:read", operation_id="listCustomerHistory", summary="Who changed what in a file")
    async def list_history(customer_id: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None) -> http.Page[ChangeLine]:
        """Newest first; of a customer who was merged, his own trail until then is kept under his own id."""
        filters = {"list": "changes", "customer": customer_id}
        before = LAST_VERSION if cursor is None else int(runtime.cursors.decode(cursor, filters, length=1)[0])
        async with runtime.database.transaction() as tx:
            await _found(tx, file_id(customer_id))
            entries = await files.trail(tx, file_id(customer_id), before=before, limit=limit + 1)
        following = runtime.cursors.encode([entries[limit - 1].version], filters) if len(entries) > limit else None
        items = [ChangeLine(version=e.version, type=e.type, at=e.at, actor=e.actor, data=dict(e.data)) for e in entries[:limit]]
        return http.Page(items=items, next_cursor=following)


# --- one file ------------------------------------------------------------------------------------------------------------------------


def _register_file(router: http.Router, runtime: Runtime[IntakeSettings]) -> None:
    rules = rules_of(runtime)

    @router.post(
        CUSTOMERS,
        scope="customer:write",
        status_code=201,
        problems=[409],
        responses=CREATED,
        response_model=CustomerFile,
        operation_id="createCustomer",
        summary="Register a customer",
    )
    async def create_customer(body: CustomerNew, by: http.CurrentPrincipal, key: http.IdempotencyKey) -> Response:
        """409 names the customer whom these identities recognise already. One who shares a number or address with others is registered, and
        a merge is suggested."""
        entered = Registration(body.name, body.locale.value, identities_of_new(body, rules), first_patch(body))

        async def work(tx: Transaction) -> dict[str, Any]:
            return await shown(tx, await desk.register(tx, entered, by=by.id, at=clock.now()), unmasked=True)

        return await changed(runtime, work, by=by, route=f"POST {CUSTOMERS}", key=key, body=body, status=201)

    @router.get(
        ONE, scope="request:read", responses=ETAG, response_model=CustomerFile, operation_id="getCustomer", summary="A customer's file"
    )
    async def get_customer(response: Response, customer_id: http.Code, by: http.CurrentPrincipal) -> dict[str, Any]:
        """A customer sees his own only. Without the scope `customer:read` what he is known by is masked. The id of a customer who was
        merged answers as whoever answers for him, whose version the ETag is."""
        own, asked_for = caller_of(by).customer_id, file_id(customer_id)
        if own not in (None, asked_for):
            raise NoSuchFile
        async with runtime.database.transaction() as tx:
            file = await shown(tx, asked_for, unmasked=Scope.CUSTOMER_READ in by.scopes)
        response.headers["ETag"] = http.etag(file["version"])
        return file

    @router.patch(
        ONE,
        scope="customer:write",
        responses=ETAG,
        response_model=CustomerFile,
        operation_id="changeCustomer",
        summary="Change a customer's file",
    )
    async def change_customer(
        customer_id: http.Code, body: CustomerPatch, by: http.CurrentPrincipal, version: http.ExpectedVersion
    ) -> Response:
        """What is left out stays. A tier comes with its reason."""
        patch = patch_of(body, rules)

        async def work(tx: Transaction) -> dict[str, Any]:
            await desk.update(tx, file_id(customer_id), patch, version=version, by=by.id, at=clock.now())
            return await shown(tx, file_id(customer_id), unmasked=True)

        return await changed(runtime, work, by=by, route=f"PATCH {CUSTOMERS}/{customer_id}", key=None, body=body)


# --- pages ---------------------------------------------------------------------------------------------------------------------------


async def _listed(
    tx: Transaction, cursors: Cursors, name: str | None, tier: str | None, limit: int, cursor: str | None, filters: dict[str, Any]
) -> list[Listed]:
    position = None if cursor is None else cursors.decode(cursor, filters, length=2)
    if name is None:
        return await files.newest(tx, tier=tier, before=None if position is None else _moment(position), limit=limit)
    after = None if position is None else (str(position[0]), UUID(str(position[1])))
    return await files.named(tx, name, tier=tier, after=after, limit=limit)


def _following(cursors: Cursors, found: list[Listed], limit: int, filters: dict[str, Any]) -> str | None:
    if len(found) <= limit:
        return None
    last = found[limit - 1]
    key = last.file.registered_at.isoformat() if filters["name"] is None else str(last.name_key)
    return cursors.encode([key, str(last.file.customer_id)], filters)


def _page(found: list[Listed], following: str | None) -> http.Page[CustomerLine]:
    return http.Page(items=[CustomerLine(**line(one.file)) for one in found], next_cursor=following)


def _moment(position: list[str | int]) -> tuple[datetime, UUID]:
    return datetime.fromisoformat(str(position[0])), UUID(str(position[1]))


async def _found(tx: Transaction, customer_id: UUID) -> File:
    file = await files.find(tx, customer_id)
    if file is None:
        raise NoSuchFile
    return file
