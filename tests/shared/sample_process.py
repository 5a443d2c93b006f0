"""`python -m tests.shared.sample_process [roles]`: a service with slow requests and loops that fail on demand, run as a real process."""

from __future__ import annotations

import asyncio
import os

from fastapi import FastAPI

from shared import http
from shared.runtime import Runtime
from shared.service import Service, main
from tests.shared.sample import SampleSettings
from tests.shared.tables import LOCATION


def create_app(runtime: Runtime[SampleSettings]) -> FastAPI:
    app = http.create_app(runtime, title="Sample", description="A process to be stopped.")
    router = http.Router()

    @router.get("/slow", scope=http.PUBLIC("a test"))
    async def slow(seconds: float = 1.0) -> dict[str, str]:
        await asyncio.sleep(seconds)
        return {"answered": "in full"}

    app.include_router(router)
    return app


async def obedient(_runtime: Runtime[SampleSettings], stop: asyncio.Event) -> None:
    await stop.wait()


async def deaf(_runtime: Runtime[SampleSettings], _stop: asyncio.Event) -> None:
    """Ignores the wish to stop."""
    await asyncio.Event().wait()


LOOPS = {"obedient": obedient, "deaf": deaf}

SERVICE = Service(
    name="tickets",
    settings=SampleSettings,
    migrations=LOCATION,
    app=create_app,
    loops={name: LOOPS[name] for name in os.environ.get("SAMPLE_LOOPS", "obedient").split()},
)

if __name__ == "__main__":
    main(SERVICE)
