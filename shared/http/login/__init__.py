"""`/login` and `/logout`, in every service: a page that exchanges an API key for a session, without a script, in three languages."""

from shared.http.login.rendering import ASSETS
from shared.http.login.routes import login_router

__all__ = ["ASSETS", "login_router"]
