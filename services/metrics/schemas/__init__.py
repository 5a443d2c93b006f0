"""What outside callers ask for and get.

asking.py  parameters of a question     figures.py  figures     targets.py  targets     live.py  the stream
"""

from services.metrics.schemas.asking import (
    Bucket,
    Clock,
    Dimension,
    Filter,
    GroupBy,
    KpiId,
    Kpis,
    RepeatWindow,
    Since,
    To,
    Zone,
)
from services.metrics.schemas.figures import (
    AgeClassOut,
    AsOfOut,
    EstimateOut,
    FigureOut,
    GroupOut,
    KpisOut,
    SeriesOut,
    ShareOut,
    SlotOut,
)
from services.metrics.schemas.live import ChangeOut, LiveFigureOut, RangeOut, SnapshotOut
from services.metrics.schemas.targets import AimedAt, TargetBody, TargetHistoryOut, TargetOut, TargetsOut

__all__ = [
    "AgeClassOut",
    "AimedAt",
    "AsOfOut",
    "Bucket",
    "ChangeOut",
    "Clock",
    "Dimension",
    "EstimateOut",
    "FigureOut",
    "Filter",
    "GroupBy",
    "GroupOut",
    "KpiId",
    "Kpis",
    "KpisOut",
    "LiveFigureOut",
    "RangeOut",
    "RepeatWindow",
    "SeriesOut",
    "ShareOut",
    "Since",
    "SlotOut",
    "SnapshotOut",
    "TargetBody",
    "TargetHistoryOut",
    "TargetOut",
    "TargetsOut",
    "To",
    "Zone",
]
