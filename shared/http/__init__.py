"""The HTTP base of the four services: who may call, what a body may be, how errors read, what operators can ask.

router = http.Router(tags=["tickets"])

@router.post("/v1/tickets/{number}/actions", scope="ticket:act", operation_id="actOnTicket", problems=[409])
async def act(number: http.Code, body: ActionIn, by: http.CurrentPrincipal, seen: http.ExpectedVersion) -> TicketOut: ...

app = http.create_app(runtime, title="Aftercare tickets", description="...")
app.include_router(router)
"""

from shared.auth import Principal
from shared.http.app import create_app
from shared.http.body import BATCH_LIMIT, BODY_LIMIT, read_model
from shared.http.fields import Boolean, Code, Day, Instant, Integer, Line, RequestModel, Storable, Text
from shared.http.keys import IdempotencyKey, idempotency_key, replay
from shared.http.lists import Cursor, Limit, Page
from shared.http.ready import Ready
from shared.http.routes import PUBLIC, CurrentPrincipal, Router, ScopedRoute, UnprotectedRoute, principal
from shared.http.versions import ExpectedVersion, VersionStale, demand_version, etag, expected_version

__all__ = [
    "BATCH_LIMIT",
    "BODY_LIMIT",
    "PUBLIC",
    "Boolean",
    "Code",
    "CurrentPrincipal",
    "Cursor",
    "Day",
    "ExpectedVersion",
    "IdempotencyKey",
    "Instant",
    "Integer",
    "Limit",
    "Line",
    "Page",
    "Principal",
    "Ready",
    "RequestModel",
    "Router",
    "ScopedRoute",
    "Storable",
    "Text",
    "UnprotectedRoute",
    "VersionStale",
    "create_app",
    "demand_version",
    "etag",
    "expected_version",
    "idempotency_key",
    "principal",
    "read_model",
    "replay",
]
