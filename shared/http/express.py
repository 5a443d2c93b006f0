"""The short way to hot routes: found by their exact address, answered without FastAPI's routing, which costs more than the routes do.

A request that a browser sends from a page (it names an Origin) takes the ordinary way, where CORS is looked after.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared import errors
from shared.http import problems
from shared.http.routes import Handler, HotRoute


class Express:
    """A middleware between the door and everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._routes: dict[str, dict[str, tuple[HotRoute, Handler]]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            # at the start, all routes are there by now: the first callers need not wait for it
            self._routes = _hot_routes(scope["app"])
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], handler = found
        request = Request(scope, receive)
        try:
            response = await handler(request)
        except errors.ServiceError as error:
            response = problems.response(request, error)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[HotRoute, Handler] | None:
        if self._routes is None:
            self._routes = _hot_routes(scope["app"])
        found = self._routes.get(scope["path"], {}).get(scope["method"])
        return None if found is None or _names_origin(scope["headers"]) else found


def _hot_routes(app: FastAPI) -> dict[str, dict[str, tuple[HotRoute, Handler]]]:
    routes: dict[str, dict[str, tuple[HotRoute, Handler]]] = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, HotRoute) and "{" not in route.path:
            handler = route.get_route_handler()
            routes.setdefault(route.path, {}).update(dict.fromkeys(route.methods or (), (route, handler)))
    return routes


def _names_origin(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"origin" for name, _ in headers)
