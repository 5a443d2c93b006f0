"""The four services as callers meet them, each over its own database, described by their own `Service`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from services.feedback.__main__ import SERVICE as FEEDBACK
from services.intake.__main__ import SERVICE as INTAKE
from services.metrics.__main__ import SERVICE as METRICS
from services.tickets.__main__ import SERVICE as TICKETS
from shared.auth import Role
from shared.database import Database
from shared.http import PUBLIC, ScopedRoute
from shared.runtime import AnyRuntime, Runtime
from shared.service import Service
from tests.shared.callers import caller, new_key

SERVICES: Final[Mapping[str, Service[Any]]] = {service.name: service for service in (INTAKE, TICKETS, FEEDBACK, METRICS)}
SIGNING_KEY: Final = "a signing key of the tests, long enough"


@dataclass(frozen=True)
class Operation:
    """One method at one address, as the OpenAPI document describes it."""

    service: str
    method: str
    path: str
    described: Mapping[str, Any]

    @property
    def media_types(self) -> set[str]:
        """What its body may be."""
        return set(self.described.get("requestBody", {}).get("content", {}))

    def parameters(self, place: str) -> list[str]:
        """Names of its parameters in the path, the query or the headers."""
        return [parameter["name"] for parameter in self.described.get("parameters", []) if parameter["in"] == place]

    def url(self, value: str = "x") -> str:
        """Its address with that value for each part that varies."""
        path = self.path
        for name in self.parameters("path"):
            path = path.replace(f"{{{name}}}", value)
        return path

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


@dataclass(frozen=True)
class House:
    """One service."""

    name: str
    app: FastAPI
    database: Database

    @property
    def runtime(self) -> AnyRuntime:
        runtime: AnyRuntime = self.app.state.runtime
        return runtime

    @asynccontextmanager
    async def caller(self, role: Role | None = Role.ADMIN, principal: str = "") -> AsyncIterator[httpx.AsyncClient]:
        """A caller of that role; without one, a caller without a key."""
        key = None if role is None else await new_key(self.database, role, principal=principal or f"{role}-1")
        async with caller(self.app, key) as client:
            yield client

    def routes(self) -> list[RouteContext]:
        """Everything that answers."""
        return list(iter_route_contexts(self.app.routes))

    def scopes(self) -> dict[tuple[str, str], str | None]:
        """What each route demands; None where it is public."""
        found = {}
        for context in self.routes():
            route = context.original_route
            if isinstance(route, ScopedRoute):
                for method in context.methods or ():
                    found[method, str(context.path)] = None if isinstance(route.access, PUBLIC) else str(route.access)
        return found

    def operations(self, wanted: Callable[[Operation], bool] = lambda _: True) -> list[Operation]:
        """What the OpenAPI document describes."""
        paths = self.app.openapi()["paths"]
        every = [
            Operation(self.name, method.upper(), path, described)
            for path, methods in paths.items()
            for method, described in methods.items()
        ]
        return [operation for operation in every if wanted(operation)]

    async def rows(self) -> dict[str, int]:
        """How many rows each table has: what did not change, if nothing was done."""
        async with self.database.transaction() as tx:
            tables = await tx.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
            )
            return {name: await tx.fetchval(f'SELECT count(*) FROM "{name}"') for name in sorted(row["relname"] for row in tables)}


@asynccontextmanager
async def opened(service: Service[Any], database: Database, home: str) -> AsyncIterator[House]:
    """The service between its start and its end."""
    settings = service.settings(database_url="postgresql://unused/", signing_key=SIGNING_KEY, local=True, home=home, stream_seconds=0)
    app = service.app(Runtime.for_tests(database, settings))
    async with app.router.lifespan_context(app):
        yield House(service.name, app, database)
