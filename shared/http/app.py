"""The FastAPI application that every service starts from: errors, limits, health, CORS, documentation are the same in all four."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared import errors
from shared.auth import CSRF_HEADER
from shared.http import openapi, probes, problems
from shared.http.docs import docs_router
from shared.http.door import REQUEST_ID, Book, Door, Faults
from shared.http.express import Express
from shared.http.keys import REPLAYED
from shared.http.login import login_router
from shared.http.quotas import Quotas
from shared.http.reading import Reading
from shared.http.routes import ScopedRoute, UnprotectedRoute
from shared.runtime import AnyRuntime

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_READABLE: Final = ["ETag", "Location", "Link", "Retry-After", "RateLimit", "RateLimit-Policy", REPLAYED, REQUEST_ID]
_SENDABLE: Final = ["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", CSRF_HEADER, REQUEST_ID, "traceparent"]


class Unknown(errors.NotFound):
    """Nothing is at this address."""

    code = "not_found"


class Application(FastAPI):
    """A FastAPI that takes no route without a scope, whichever way it comes, and answers hot routes past all middleware."""

    _express: Express

    def build_middleware_stack(self) -> ASGIApp:
        """The way of everything else; made at the start, when all routes are there."""
        runtime: AnyRuntime = self.state.runtime
        self.state.book = Book(runtime.service)
        self._express = Express(self)
        return super().build_middleware_stack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        call = self._express.call_of(scope) if scope["type"] == "http" else None
        if call is None:
            await super().__call__(scope, receive, send)
        else:
            await self._express.answer(call, scope, receive, send)

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Add the routes of a router.

        Raises:
            UnprotectedRoute: one of them was not made by `http.Router`.
        """
        for context in iter_route_contexts(router.routes):
            if not isinstance(context.original_route, ScopedRoute):
                raise UnprotectedRoute(f"{context.path} was not registered by http.Router")
        super().include_router(router, **options)


def create_app(runtime: AnyRuntime, *, title: str, description: str, lifespan: Lifespan | None = None) -> FastAPI:
    """An application without routes of its own; the service adds its `http.Router`s with `include_router`."""
    app = Application(
        title=title,
        description=description,
        version=runtime.version,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        # it would write messages of exceptions, which may quote what a caller sent
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False},
    )
    app.state.runtime = runtime
    app.state.quotas = Quotas(runtime.settings.rate_limit)
    # a route that bypasses http.Router is refused as well
    app.router.route_class = ScopedRoute
    app.include_router(probes.router)
    app.include_router(login_router())
    app.include_router(docs_router(app))
    _handle_errors(app)
    _add_middleware(app, runtime)
    openapi.complete(app)
    return app


def _add_middleware(app: FastAPI, runtime: AnyRuntime) -> None:
    """From the innermost to the outermost."""
    app.add_middleware(Faults)
    app.add_middleware(Reading)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(runtime.settings.origins),
        # the session's cookie: SameSite=Strict keeps it from other sites, the CSRF token guards what it may change
        allow_credentials=True,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=_SENDABLE,
        expose_headers=_READABLE,
        max_age=600,
    )
    app.add_middleware(Faults)
    app.add_middleware(Door)


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(errors.ServiceError)
    async def refused(request: Request, error: errors.ServiceError) -> Response:
        return problems.response(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return problems.response(request, problems.invalid(error.errors()))

    @app.exception_handler(HTTPException)
    async def bare_status(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            allowed = ", ".join(sorted(_methods_of(app, request)))
            wrong = problems.WrongMethod("This address does not take that method.", facts={"allowed": allowed.split(", ")})
            return problems.response(request, wrong, headers={"Allow": allowed})
        if error.status_code == 404:
            return problems.response(request, Unknown("There is nothing at this address."))
        other = problems.kind_of_status(error.status_code)("The request was refused.")
        return problems.response(request, other, status=error.status_code, headers=error.headers)


def _methods_of(app: FastAPI, request: Request) -> set[str]:
    """Starlette names the methods of the first route with that path; HTTP wants those of all that serve it. An address that a route names
    in full belongs to that route, though another one's parameter would fit as well."""
    path = request.url.path
    found: dict[str, set[str]] = {}
    for context in iter_route_contexts(app.routes):
        original: Any = context.original_route
        regex = getattr(original, "path_regex", None)
        if regex is not None and regex.match(path):
            found.setdefault(str(context.path), set()).update(context.methods or ())
    return found.get(path) or set().union(*found.values())
