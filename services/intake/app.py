"""The FastAPI application of intake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.intake.api import Desk, customers, following, identities, merges, notifications, orders, requests, templates
from services.intake.api.callers import writer_of_answers
from services.intake.batcher import Batcher
from services.intake.carriers import carriers_of
from services.intake.handlers.acknowledgement import Receipts
from services.intake.handlers.reception import House, Incoming, Outcome, receive
from services.intake.settings import IntakeSettings
from services.intake.store import requests as store
from shared import clock, http
from shared.database import Transaction
from shared.runtime import Runtime

DESCRIPTION = """
Intake takes every request of a customer, from whatever channel, and gives him a service number to keep.

A request is accepted (202) only when it is stored; from then on it reaches its ticket. Repeated calls take effect once: send an
`Idempotency-Key`, or the channel's own id of the message as `external_id`. A 503 means that nothing was done; send it again.
"""


def create_app(runtime: Runtime[IntakeSettings]) -> FastAPI:
    """All routes, and the desk behind them."""
    desk = create_desk(runtime)
    runtime.health.add_check("queue", desk.room)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await desk.close()

    app = http.create_app(runtime, title="Aftercare intake", description=DESCRIPTION, lifespan=lifespan)
    for routes in (requests, following, notifications, templates):
        app.include_router(routes.create_router(runtime, desk))
    for files in (orders, customers, identities, merges):
        app.include_router(files.create_router(runtime))
    return app


def create_desk(runtime: Runtime[IntakeSettings]) -> Desk:
    """What stores accepted requests, batch by batch."""
    keys: list[bytes] = []
    write = writer_of_answers(runtime.settings)
    signing_key = runtime.settings.signing_key.get_secret_value().encode()

    channels = [carrier.channel for carrier in carriers_of(runtime.settings)]

    async def work(tx: Transaction, items: Sequence[Incoming]) -> Sequence[Outcome]:
        if not keys:
            keys.append(await store.reference_key(tx))
        receipts = Receipts(channels, clock.real_now()) if runtime.settings.acknowledge else None
        return await receive(tx, items, House(runtime.settings.timezone, keys[0], write, signing_key, receipts))

    return Batcher(runtime.database, work, committed=runtime.wakeup)
