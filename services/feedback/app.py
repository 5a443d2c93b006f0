"""The HTTP application of feedback: surveys, their pages, invitations."""

from __future__ import annotations

from fastapi import FastAPI

from services.feedback.api import ROUTERS
from services.feedback.pages import routes
from services.feedback.settings import FeedbackSettings
from shared import http
from shared.runtime import Runtime

ABOUT = "Surveys after a resolution, for customers by the link in their mail, and their answers for staff."


def create_app(runtime: Runtime[FeedbackSettings]) -> FastAPI:
    """The application over a runtime."""
    app = http.create_app(runtime, title="Aftercare feedback", description=ABOUT)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(routes.router)
    return app
