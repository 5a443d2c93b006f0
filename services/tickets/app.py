"""The FastAPI application of tickets."""

from __future__ import annotations

from fastapi import FastAPI

from services.tickets.api import agents, levels, lists, queues, records, teams, tickets, tracking
from services.tickets.pages import routes as pages
from shared import http
from shared.runtime import AnyRuntime

DESCRIPTION = """
Tickets carries every request through its workflow to a confirmed solution and watches the promised times.

A change names the version that it is based on (`If-Match`). What may be done with a ticket now, and with which parameters, is listed at
`GET /v1/tickets/{number}/actions`. Sent with an `Idempotency-Key`, an action has its effect once.
"""


def create_app(runtime: AnyRuntime) -> FastAPI:
    """All routes."""
    app = http.create_app(runtime, title="Aftercare tickets", description=DESCRIPTION)
    app.include_router(lists.router)
    app.include_router(tickets.router)
    app.include_router(records.router)
    app.include_router(levels.router)
    app.include_router(queues.router)
    app.include_router(agents.router)
    app.include_router(teams.router)
    app.include_router(tracking.router)
    app.include_router(pages.router)
    return app
