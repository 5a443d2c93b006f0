"""Two customer files are one person: merged by hand, undone, suggested by what both are known by."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from services.intake.api.answering import ETAG, changed
from services.intake.api.customers import ONE
from services.intake.api.showing import file_id, line, shown
from services.intake.handlers import merging
from services.intake.handlers.merging import NoSuchSuggestion
from services.intake.identity.masking import masked
from services.intake.schemas.customers import AcceptIn, CustomerFile, CustomerLine, MergeIn, ReasonIn, SharedOut, SuggestionOut
from services.intake.settings import IntakeSettings
from services.intake.store import files, merges
from services.intake.store.merges import Suggestion
from shared import clock, http
from shared.database import Transaction
from shared.runtime import Runtime

SUGGESTIONS: Final = "/v1/merge-suggestions"


def create_router(runtime: Runtime[IntakeSettings]) -> http.Router:
    """The routes of merges."""
    router = http.Router(tags=["customers"])
    _register_merges(router, runtime)
    _register_suggestions(router, runtime)
    return router


def _register_merges(router: http.Router, runtime: Runtime[IntakeSettings]) -> None:
    @router.post(
        ONE + "/merge",
        scope="customer:write",
        problems=[409],
        responses=ETAG,
        response_model=CustomerFile,
        operation_id="submitCustomerMerge",
        summary="Say that a customer is the same person as another",
    )
    async def merge(
        customer_id: http.Code, body: MergeIn, by: http.CurrentPrincipal, version: http.ExpectedVersion, key: http.IdempotencyKey
    ) -> Response:
        """`into` answers for both from now on; the answer is its file. Nothing is lost: the merged file can be taken out again
        (`/unmerge`). Saying it again changes nothing. 409 when both have accounts in the app, and not the same."""

        async def work(tx: Transaction) -> dict[str, Any]:
            winner = await merging.merge(
                tx,
                file_id(customer_id),
                body.into,
                version=version,
                by=by.id,
                reason=body.reason,
                at=clock.now(),
                despite_accounts=body.despite_accounts,
            )
            return await shown(tx, winner, unmasked=True)

        return await changed(runtime, work, by=by, route=f"POST /v1/customers/{customer_id}/merge", key=key, body=body)

    @router.post(
        ONE + "/unmerge",
        scope="customer:write",
        problems=[409],
        responses=ETAG,
        response_model=CustomerFile,
        operation_id="submitCustomerUnmerge",
        summary="Undo the merge of a customer",
    )
    async def unmerge(
        customer_id: http.Code, body: ReasonIn, by: http.CurrentPrincipal, version: http.ExpectedVersion, key: http.IdempotencyKey
    ) -> Response:
        """He, and all who were merged into him, stand alone again, known by what was linked in their own files; the answer is his file.
        `If-Match` names the version of whoever answers for him until now."""

        async def work(tx: Transaction) -> dict[str, Any]:
            await merging.unmerge(tx, file_id(customer_id), version=version, by=by.id, reason=body.reason, at=clock.now())
            return await shown(tx, file_id(customer_id), unmasked=True)

        return await changed(runtime, work, by=by, route=f"POST /v1/customers/{customer_id}/unmerge", key=key, body=body)


def _register_suggestions(router: http.Router, runtime: Runtime[IntakeSettings]) -> None:
    @router.get(SUGGESTIONS, scope="customer:read", operation_id="listMergeSuggestions", summary="Customers who may be one person")
    async def list_suggestions(
        status: Annotated[Literal["open", "accepted", "dismissed"], Query()] = "open", limit: http.Limit = 50, cursor: http.Cursor = None
    ) -> http.Page[SuggestionOut]:
        """Newest first, with what both are known by."""
        filters = {"list": "suggestions", "status": status}
        before = None
        if cursor is not None:
            at, suggestion_id = runtime.cursors.decode(cursor, filters, length=2)
            before = datetime.fromisoformat(str(at)), UUID(str(suggestion_id))
        async with runtime.database.transaction() as tx:
            found = await merges.suggestions(tx, status, before=before, limit=limit + 1)
            items = await _told(tx, found[:limit])
        last = found[limit - 1] if len(found) > limit else None
        following = None if last is None else runtime.cursors.encode([last.suggested_at.isoformat(), str(last.suggestion_id)], filters)
        return http.Page(items=items, next_cursor=following)

    @router.post(
        SUGGESTIONS + "/{suggestion_id}/acceptance",
        scope="customer:write",
        problems=[409],
        responses=ETAG,
        response_model=CustomerFile,
        operation_id="submitSuggestionAcceptance",
        summary="Merge two customers as suggested",
    )
    async def accept(suggestion_id: http.Code, body: AcceptIn, by: http.CurrentPrincipal, key: http.IdempotencyKey) -> Response:
        """The answer is the file of whoever answers for both. 409 when somebody has decided before."""

        async def work(tx: Transaction) -> dict[str, Any]:
            winner = await merging.accept(
                tx,
                _suggestion_id(suggestion_id),
                body.into,
                by=by.id,
                reason=body.reason,
                at=clock.now(),
                despite_accounts=body.despite_accounts,
            )
            return await shown(tx, winner, unmasked=True)

        return await changed(runtime, work, by=by, route=f"POST {SUGGESTIONS}/{suggestion_id}/acceptance", key=key, body=body)

    @router.post(
        SUGGESTIONS + "/{suggestion_id}/dismissal",
        scope="customer:write",
        problems=[409],
        operation_id="submitSuggestionDismissal",
        summary="Say that two customers are two persons",
    )
    async def dismiss(suggestion_id: http.Code, body: ReasonIn, by: http.CurrentPrincipal) -> SuggestionOut:
        """The two are not suggested again."""
        async with runtime.database.transaction() as tx:
            dismissed = await merging.dismiss(tx, _suggestion_id(suggestion_id), by=by.id, reason=body.reason, at=clock.now())
            (item,) = await _told(tx, [dismissed])
        return item


def _suggestion_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NoSuchSuggestion("There is no such suggestion.") from None


async def _told(tx: Transaction, suggested: list[Suggestion]) -> list[SuggestionOut]:
    """Suggestions with the lines of their customers and what these have in common, each read once for all."""
    people = await files.lines(tx, {customer_id for one in suggested for customer_id in one.customers})
    common = await merges.in_common(tx, suggested)
    return [
        SuggestionOut(
            suggestion_id=one.suggestion_id,
            status=one.status,
            suggested_at=one.suggested_at,
            customers=tuple(CustomerLine(**line(people[customer_id])) for customer_id in one.customers),
            in_common=tuple(SharedOut(scheme=i.kind, value=masked(i)) for i in common.get(one.suggestion_id, ())),
            decided_at=one.decided_at,
            decided_by=one.decided_by,
            reason=one.reason,
        )
        for one in suggested
    ]
