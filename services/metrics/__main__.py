"""python -m services.metrics [api|consume|relay|timers|migrate|all]"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from services.metrics.app import create_app
from services.metrics.consumer import make_handler, read
from services.metrics.rebuild import keep_current, workers
from services.metrics.settings import MetricsSettings
from shared.runtime import Runtime
from shared.service import Service, main

BATCH: Final = 4_000
"""Events of one transaction when many wait: sums of many events touch hardly more rows than those of few."""


async def _keep_figures_current(runtime: Runtime[MetricsSettings], stop: asyncio.Event) -> None:
    await keep_current(runtime.database, stop, workers.number(runtime.settings.rebuild_processes))


SERVICE: Final = Service(
    name="metrics",
    settings=MetricsSettings,
    migrations=Path(__file__).parent / "migrations",
    app=create_app,
    handle=make_handler,
    read=read,
    batch=BATCH,
    loops={"figures": _keep_figures_current},
)

if __name__ == "__main__":
    main(SERVICE)
