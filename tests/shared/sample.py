"""A small service for the tests of the HTTP base: every kind of route, nothing of any domain."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, ClassVar

import orjson
from fastapi import FastAPI, Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from shared import errors, http, idempotency
from shared.runtime import Runtime
from shared.settings import ServiceSettings

SIGNING_KEY = "a signing key of the tests, long enough"


class SampleSettings(ServiceSettings):
    """Plays tickets, whose shared tables it has."""

    service: ClassVar[str] = "tickets"


class Part(http.RequestModel):
    name: http.Line | None = None
    at: http.Instant | None = None
    day: http.Day | None = None


class ThingIn(http.RequestModel):
    text: http.Text
    count: http.Integer = 1
    urgent: http.Boolean = False
    parts: list[Part] = Field(default_factory=list)
    metadata: dict[str, Any] | None = None


class ThingOut(BaseModel):
    id: str
    text: str
    by: str


class Shelf(errors.Conflict):
    """The shelf is full."""

    code = "shelf_full"


def settings(**values: Any) -> SampleSettings:
    return SampleSettings(**{"database_url": "postgresql://unused/sample", "signing_key": SIGNING_KEY, **values})


def sample_app(runtime: Runtime[SampleSettings]) -> FastAPI:
    app = http.create_app(runtime, title="Sample", description="Things on shelves.")
    app.state.made = []
    app.include_router(_things())
    app.include_router(_faults())
    return app


def _things() -> http.Router:
    router = http.Router(tags=["things"])

    @router.post("/v1/things", scope="request:create", operation_id="createThing", status_code=201)
    async def create(body: ThingIn, by: http.CurrentPrincipal, key: http.IdempotencyKey, request: Request) -> Response:
        runtime: Runtime[SampleSettings] = request.app.state.runtime
        fingerprint = idempotency.fingerprint(await request.json())
        async with (
            runtime.database.transaction() as tx,
            idempotency.once(tx, by.id, "POST /v1/things", key, fingerprint) as claim,
        ):
            if isinstance(claim, idempotency.Replay):
                return http.replay(claim)
            request.app.state.made.append(body.text)
            answer = orjson.dumps({"id": str(len(request.app.state.made)), "text": body.text, "by": by.id})
            await claim.store(201, answer)
        return Response(answer, status_code=201, media_type="application/json")

    @router.hot_post(
        "/v1/hot", scope="request:create", body=ThingIn, operation_id="createHotThing", status_code=202, response_model=ThingOut
    )
    async def create_hot(request: Request) -> Response:
        body = await http.read_model(request, ThingIn)
        answer = ThingOut(id=http.idempotency_key(request) or "-", text=body.text, by=http.principal(request).id)
        return Response(answer.model_dump_json(), status_code=202, media_type="application/json")

    @router.post("/v1/many", scope="request:create", operation_id="createThings", body_limit=http.BATCH_LIMIT)
    async def create_many(things: list[ThingIn]) -> dict[str, int]:
        return {"count": len(things)}

    @router.get("/v1/things/{id}", scope="ticket:read", operation_id="getThing")
    async def read(id: http.Code, expand: bool = False) -> ThingOut:
        if id == "missing":
            raise errors.NotFound("There is no such thing.")
        return ThingOut(id=id, text="expanded" if expand else "short", by="-")

    @router.patch("/v1/things/{id}", scope="ticket:act", operation_id="changeThing", problems=[409])
    async def change(id: http.Code, seen: http.ExpectedVersion, response: Response) -> dict[str, int]:
        if id == "full":
            raise Shelf("The shelf is full.", facts={"allowed_actions": ["wait"], "status": 1})
        http.demand_version(seen, 3)
        response.headers["ETag"] = http.etag(4)
        return {"version": 4}

    return router


def _faults() -> http.Router:
    router = http.Router()
    reason = http.PUBLIC("a test")

    @router.get("/faults/bug", scope=reason)
    async def bug() -> None:
        raise ValueError("Zhang San, 13800138000, SELECT 1")

    @router.get("/faults/database", scope=reason)
    async def database() -> None:
        raise ConnectionRefusedError("postgresql://user:secret@db/aftercare")

    @router.get("/faults/late", scope=reason)
    async def late() -> None:
        await asyncio.Event().wait()

    @router.get("/faults/plain", scope=reason)
    async def plain() -> Response:
        return PlainTextResponse("No, said the library.", status_code=418)

    @router.get("/faults/busy", scope=reason)
    async def busy() -> None:
        raise errors.Overloaded("Slow down.", retry_after=7)

    @router.post("/form", scope=reason)
    async def form(comment: Annotated[str, Form(max_length=100)]) -> dict[str, str]:
        return {"comment": comment}

    return router
