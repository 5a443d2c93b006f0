"""The way that most services are written: FastAPI, a pydantic model, a SQLAlchemy session per request, one transaction each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import orjson
from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.comparisons.tables import HEADERS, PRINCIPAL, ROUTE, TOPIC, TYPE
from shared import garbage
from shared.clock import real_now
from shared.database import asyncpg_url

Json = dict[str, Any]


class Model(DeclarativeBase):
    """All tables of this program."""


class Request(Model):
    """A request as it was sent."""

    __tablename__ = "request"

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str]
    customer_id: Mapped[UUID]
    principal: Mapped[str]
    channel: Mapped[str]
    content_digest: Mapped[bytes]
    type: Mapped[str | None]
    locale: Mapped[str]
    subject: Mapped[str | None]
    text: Mapped[str] = mapped_column(Text)
    contact: Mapped[Json] = mapped_column(JSONB)
    product: Mapped[Json | None] = mapped_column(JSONB)
    attachments: Mapped[list[Json]] = mapped_column(JSONB)
    metadata_: Mapped[Json] = mapped_column("metadata", JSONB)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    completeness: Mapped[float]
    missing_fields: Mapped[list[str]] = mapped_column(JSONB)
    entered_by: Mapped[str]


class OutboxRow(Model):
    """An event to be sent."""

    __tablename__ = "outbox"

    topic: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str]
    type: Mapped[str]
    event_id: Mapped[UUID]
    previous_id: Mapped[UUID | None]
    headers: Mapped[Json] = mapped_column(JSONB)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class IdempotencyKey(Model):
    """A caller's name for his call, with the answer."""

    __tablename__ = "idempotency"

    principal: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int | None]
    headers: Mapped[Json] = mapped_column(JSONB)
    response: Mapped[bytes]


class CustomerIn(BaseModel):
    """The customer as the source knows him."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    phone: str | None = None
    email: str | None = None


class ProductIn(BaseModel):
    """What the request is about."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    serial_number: str | None = None
    purchase_date: str | None = None
    order_number: str | None = None


class RequestIn(BaseModel):
    """A customer's request."""

    model_config = ConfigDict(extra="forbid")

    channel: str
    customer: CustomerIn
    type: str | None = None
    subject: str | None = None
    text: str
    product: ProductIn | None = None


class Accepted(BaseModel):
    """What the caller is told."""

    request_id: UUID
    reference: str
    received_at: datetime
    completeness: float
    missing_fields: list[str]
    links: dict[str, str]


engine = create_async_engine(asyncpg_url(os.environ["DATABASE_URL"]), pool_size=20, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """As the services do it, when everything is loaded."""
    garbage.collect_seldom()
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def session() -> AsyncIterator[AsyncSession]:
    """A session whose transaction ends with the request."""
    async with sessions() as opened, opened.begin():
        yield opened


@app.get("/")
async def ready() -> str:
    """For whoever waits for the start."""
    return "ready"


@app.post("/v1/requests", status_code=202)
async def create(
    body: RequestIn,
    idempotency_key: Annotated[str, Header()],
    # committed before the answer is sent, as whoever promises something must
    database: Annotated[AsyncSession, Depends(session, scope="function")],
) -> Accepted:
    """Accept a request."""
    request_id, customer_id, at = uuid4(), uuid4(), real_now()
    # of seven characters two in twenty thousand were the same, and whatever shared their transaction failed
    reference = f"AS-{at:%Y%m%d}{request_id.hex[:12].upper()}"
    links = {"self": f"/v1/requests/{reference}", "track": f"/v1/track/{reference}"}
    answer = Accepted(request_id=request_id, reference=reference, received_at=at, completeness=1.0, missing_fields=[], links=links)
    data = body.model_dump(mode="json", exclude_unset=True)
    digest = hashlib.blake2b(orjson.dumps(data), digest_size=16).digest()
    told = answer.model_dump(mode="json", exclude={"links"})
    database.add_all(
        [
            IdempotencyKey(
                principal=PRINCIPAL,
                route=ROUTE,
                key=idempotency_key,
                fingerprint=digest,
                status=202,
                headers={},
                response=answer.model_dump_json().encode(),
            ),
            Request(
                request_id=request_id,
                reference=reference,
                customer_id=customer_id,
                principal=PRINCIPAL,
                channel=body.channel,
                content_digest=digest,
                type=body.type,
                locale="en",
                subject=body.subject,
                text=body.text,
                contact=data["customer"],
                product=data.get("product"),
                attachments=[],
                metadata_={},
                occurred_at=at,
                received_at=at,
                completeness=1.0,
                missing_fields=[],
                entered_by="system",
            ),
            OutboxRow(
                topic=TOPIC,
                part=request_id.int % 12,
                key=str(customer_id),
                type=TYPE,
                event_id=request_id,
                previous_id=request_id,
                headers=HEADERS,
                payload=orjson.dumps(
                    {**told, "customer_id": customer_id, **data, "locale": "en", "occurred_at": at, "entered_by": "system"}
                ),
            ),
        ]
    )
    return answer
