"""Runs intake: `python -m services.intake [api|consume|relay|timers|migrate|all]`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.intake.app import create_app
from services.intake.consumer import create_handler
from services.intake.delivery import deliver, tidy, watch
from services.intake.settings import IntakeSettings
from shared.service import Service, main

SERVICE: Final = Service(
    name="intake",
    settings=IntakeSettings,
    migrations=Path(__file__).with_name("migrations"),
    app=create_app,
    handle=create_handler,
    gather=0.2,
    loops={"notifications": deliver, "notification-figures": watch, "notification-tidying": tidy},
)

if __name__ == "__main__":
    main(SERVICE)
