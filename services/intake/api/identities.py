"""What customers are known by: added, removed and verified by staff."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from starlette.responses import Response

from services.intake.api.answering import CREATED, ETAG, changed
from services.intake.api.customers import CUSTOMERS, ONE
from services.intake.api.reading import identity_named, rules_of
from services.intake.api.showing import file_id, shown
from services.intake.handlers import files as desk
from services.intake.identity.file import File
from services.intake.schemas.customers import CustomerFile, IdentityNew, VerificationIn
from services.intake.settings import IntakeSettings
from shared import clock, http
from shared.database import Transaction
from shared.runtime import Runtime


def create_router(runtime: Runtime[IntakeSettings]) -> http.Router:
    """The routes of what a customer is known by."""
    router = http.Router(tags=["customers"])
    rules = rules_of(runtime)

    def then_shown(customer_id: UUID, work: Callable[[Transaction], Awaitable[File]]) -> Callable[[Transaction], Awaitable[dict[str, Any]]]:
        async def done(tx: Transaction) -> dict[str, Any]:
            await work(tx)
            return await shown(tx, customer_id, unmasked=True)

        return done

    @router.post(
        ONE + "/identities",
        scope="customer:write",
        status_code=201,
        problems=[409],
        responses=CREATED,
        response_model=CustomerFile,
        operation_id="createCustomerIdentity",
        summary="Add what a customer is known by",
    )
    async def create_identity(
        customer_id: http.Code, body: IdentityNew, by: http.CurrentPrincipal, version: http.ExpectedVersion, key: http.IdempotencyKey
    ) -> Response:
        """409 when it is an account and another customer has it. A number or address that others have is added, and a merge suggested."""
        identity = identity_named(body.scheme, body.scope, body.value, rules, "/value")

        async def work(tx: Transaction) -> File:
            return await desk.add_identity(tx, file_id(customer_id), identity, version=version, by=by.id, at=clock.now())

        route = f"POST {CUSTOMERS}/{customer_id}/identities"
        return await changed(runtime, then_shown(file_id(customer_id), work), by=by, route=route, key=key, body=body, status=201)

    @router.delete(
        ONE + "/identities/{identity_id}",
        scope="customer:write",
        responses=ETAG,
        response_model=CustomerFile,
        operation_id="deleteCustomerIdentity",
        summary="Remove what a customer is known by",
    )
    async def delete_identity(
        customer_id: http.Code, identity_id: http.Code, by: http.CurrentPrincipal, version: http.ExpectedVersion
    ) -> Response:
        """Nobody is recognised as this customer by it any more. The answer is the file afterwards."""

        async def work(tx: Transaction) -> File:
            return await desk.remove_identity(tx, file_id(customer_id), identity_id, version=version, by=by.id, at=clock.now())

        return await changed(runtime, then_shown(file_id(customer_id), work), by=by, route=f"DELETE {ONE}", key=None)

    @router.post(
        ONE + "/identities/{identity_id}/verification",
        scope="customer:write",
        responses=ETAG,
        response_model=CustomerFile,
        operation_id="submitIdentityVerification",
        summary="Say that a customer has proven what he is known by",
    )
    async def verify_identity(
        customer_id: http.Code,
        identity_id: http.Code,
        body: VerificationIn,
        by: http.CurrentPrincipal,
        version: http.ExpectedVersion,
        key: http.IdempotencyKey,
    ) -> Response:
        """From then on it means him, though others have it. If one other customer has proven the same, the two are merged, unless their
        accounts differ."""

        async def work(tx: Transaction) -> File:
            return await desk.verify_identity(tx, file_id(customer_id), identity_id, body.method, version=version, by=by.id, at=clock.now())

        route = f"POST {CUSTOMERS}/{customer_id}/identities/{identity_id}/verification"
        return await changed(runtime, then_shown(file_id(customer_id), work), by=by, route=route, key=key, body=body)

    return router
