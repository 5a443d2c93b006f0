"""The REST door.

kpis.py  figures of a range and over time   targets.py  what they are held against   live.py  the stream   board.py  what it tells
telling.py  values into answers
"""

from services.metrics.api.board import Board
from services.metrics.api.kpis import router as kpis
from services.metrics.api.live import router as live
from services.metrics.api.targets import router as targets

__all__ = ["ROUTERS", "Board"]

ROUTERS = (kpis, targets, live)
