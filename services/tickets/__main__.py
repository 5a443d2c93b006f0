"""python -m services.tickets [api|consume|relay|timers|migrate|all]"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.tickets.app import create_app
from services.tickets.consumer import BATCH, READS, create_handler
from services.tickets.settings import TicketsSettings
from services.tickets.timers import create_timers
from shared.service import Service, main

SERVICE: Final = Service(
    name="tickets",
    settings=TicketsSettings,
    migrations=Path(__file__).parent / "migrations",
    app=create_app,
    handle=create_handler,
    reads=READS,
    batch=BATCH,
    timers=create_timers,
)

if __name__ == "__main__":
    main(SERVICE)
