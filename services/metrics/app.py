"""The FastAPI application of metrics."""

from __future__ import annotations

from fastapi import FastAPI

from services.metrics.api import ROUTERS, Board
from services.metrics.pages import routes as pages
from shared import http
from shared.runtime import AnyRuntime

DESCRIPTION = """
Metrics turns what happened into key figures that can be proved: each can be derived again from the event log, and comes out equal.

Every figure comes with its counts, a 95 % confidence interval, its target and a verdict that is *met* or *missed* only when the whole
interval lies on one side. `as_of` tells up to which event of which log the figures know the world.
"""


def create_app(runtime: AnyRuntime) -> FastAPI:
    """All routes."""
    app = http.create_app(runtime, title="Aftercare metrics", description=DESCRIPTION)
    app.state.board = Board(runtime.database, runtime.settings.zone, runtime.health)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(pages.router)
    return app
