"""Where the tables of intake are declared; those of delivery, keys and idempotency are shared with the other services."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData

from shared.migrations import shared_tables

METADATA: Final = MetaData()
shared_tables(METADATA, service="intake", timers=False)
