"""python -m services.metrics [api|consume|relay|timers|migrate|all]"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.metrics.app import create_app
from services.metrics.consumer import make_handler
from services.metrics.models import metadata
from services.metrics.settings import MetricsSettings
from shared.service import Service, main

SERVICE: Final = Service(
    name="metrics",
    settings=MetricsSettings,
    metadata=metadata,
    migrations=Path(__file__).parent / "migrations",
    app=create_app,
    handle=make_handler,
)

if __name__ == "__main__":
    main(SERVICE)
