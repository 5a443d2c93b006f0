"""What the doors of metrics do.

recording.py  let events count     answering.py  read figures     aims.py  targets     proving.py  compare everything with the event log
"""

from services.metrics.handlers.aims import AIMED_AT, TargetUnknown, aim, history_of, newest
from services.metrics.handlers.answering import Question, Reading, answer
from services.metrics.handlers.proving import differences
from services.metrics.handlers.recording import CURRENT, learn, project, record

__all__ = [
    "AIMED_AT",
    "CURRENT",
    "Question",
    "Reading",
    "TargetUnknown",
    "aim",
    "answer",
    "differences",
    "history_of",
    "learn",
    "newest",
    "project",
    "record",
]
