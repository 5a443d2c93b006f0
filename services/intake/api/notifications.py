"""Messages to customers for staff: what was sent and what became of it, another try, and how messages read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from services.intake.api.callers import Desk
from services.intake.api.previews import NoTemplate, preview
from services.intake.carriers import letterhead_of
from services.intake.handlers import resending
from services.intake.handlers.resending import NoNotification
from services.intake.schemas.notifications import NotificationView, State, TemplatePreview
from services.intake.settings import IntakeSettings
from services.intake.store import notification_views as views
from services.intake.store.notification_views import Filter, Position
from shared import clock, http, idempotency
from shared.auth import Scope
from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.idempotency import Replay
from shared.runtime import Runtime

NOTIFICATIONS: Final = "/v1/notifications"
RESEND: Final = NOTIFICATIONS + "/{notification_id}/resend"
TEMPLATE: Final = "/v1/notification-templates/{kind}"
TAKEN: Final = 202

OfCustomer = Annotated[UUID | None, Query(description="a customer, with the files that were merged into his")]
OnTicket = Annotated[http.Code | None, Query(description="a ticket, by its number or another reference that answers as it")]
InState = Annotated[State | None, Query(description="only those that stand so now")]
Status = Annotated[str | None, Query(pattern="^[a-z_]{1,50}$", description="for `ticket_status`: the status that is told")]


def create_router(runtime: Runtime[IntakeSettings], _desk: Desk) -> http.Router:
    """The routes of messages to customers."""
    router = http.Router(tags=["notifications"])

    @router.get(
        NOTIFICATIONS, scope=Scope.CUSTOMER_READ, operation_id="listNotifications", summary="Messages to customers, the latest first"
    )
    async def list_notifications(
        customer_id: OfCustomer = None,
        ticket: OnTicket = None,
        state: InState = None,
        limit: http.Limit = 50,
        cursor: http.Cursor = None,
    ) -> http.Page[NotificationView]:
        """What was said, when and by which channel, and why it failed. Filters combine; addresses are masked, words are not kept."""
        named = {"list": NOTIFICATIONS, "customer_id": None if customer_id is None else str(customer_id), "ticket": ticket, "state": state}
        before = None if cursor is None else _position(runtime.cursors.decode(cursor, named, length=2))
        async with runtime.database.transaction() as tx:
            found = await views.newest(tx, Filter(customer_id, ticket, state), before=before, limit=limit + 1)
        following = None
        if len(found) > limit:
            requested_at, event_id = found[limit - 1].position
            following = runtime.cursors.encode([requested_at.isoformat(), str(event_id)], named)
        return http.Page(items=[NotificationView.of(seen) for seen in found[:limit]], next_cursor=following)

    @router.get(
        NOTIFICATIONS + "/{notification_id}",
        scope=Scope.CUSTOMER_READ,
        operation_id="getNotification",
        summary="One message and what became of it",
    )
    async def get_notification(notification_id: UUID) -> NotificationView:
        """By the id that `notification.delivered` and `notification.failed` name."""
        async with runtime.database.transaction() as tx:
            seen = await views.find(tx, notification_id)
        if seen is None:
            raise NoNotification("There is no such message.")
        return NotificationView.of(seen)

    @router.post(
        RESEND,
        scope=Scope.CUSTOMER_WRITE,
        operation_id="createResend",
        summary="Send a failed message again",
        status_code=TAKEN,
        response_model=NotificationView,
        problems=[409],
    )
    async def resend_notification(notification_id: UUID, by: http.CurrentPrincipal, key: http.IdempotencyKey) -> Response:
        """After what was wrong is mended: an address, a consent, a server. A message of its own goes out, under the rules of its kind;
        asking again for the same one changes nothing and answers with that message."""
        route, asked = f"POST {RESEND}", idempotency.fingerprint(str(notification_id))
        async with (
            runtime.database.transaction() as tx,
            idempotency.once(tx, by.id, route, key, asked) as first,
        ):
            if isinstance(first, Replay):
                return http.replay(first)
            again = await resending.resend(tx, notification_id, by=by.id, now=clock.now(), real_now=clock.real_now())
            body = NotificationView.of(again).model_dump_json().encode()
            await first.store(TAKEN, body)
        return Response(body, status_code=TAKEN, media_type="application/json")

    @router.get(
        TEMPLATE,
        scope=Scope.STAFF_READ,
        operation_id="showNotificationTemplate",
        summary="How a message reads",
    )
    async def preview_template(kind: http.Code, locale: Locale = DEFAULT_LOCALE, status: Status = None) -> TemplatePreview:
        """Subject, text and HTML as a customer would get them, for an invented ticket."""
        found = preview(kind, locale.value, status, letterhead_of(runtime.settings), clock.now())
        if found is None:
            raise NoTemplate("There is no message of this kind.")
        return found

    return router


def _position(parts: list[Any]) -> Position:
    requested_at, event_id = parts
    return datetime.fromisoformat(str(requested_at)), UUID(str(event_id))
