"""What facts count for: the definitions of the key figures as integers in quarter hours, and the change of them that new facts make.

A figure is a sum of units. Which units a request, a ticket or a survey contributes depends on its facts alone; when the facts change,
the old units are taken back and the new ones given. So every row equals the sum over all facts, whatever the order of events was. What is
no sum of quarter hours (who waited at an instant, who complained again within a window) is kept as rows of its own, which also follow from
the facts of one subject. The written definitions are in the service's README; `verification` derives the same rows from them another way
and must not use this module.

units.py  counts and how they spread   rules.py  when something counts   tickets.py, surveys.py  what counts
states.py  rows that are no sums                       folding.py  the change
"""

from services.metrics.projection.folding import Change, Told, fold, observed
from services.metrics.projection.rules import REOPEN_WINDOW_US
from services.metrics.projection.states import Alias, Complaint, Span, State
from services.metrics.projection.units import (
    DAY,
    DIMENSIONS,
    HOUR,
    QUARTER,
    SHIFT,
    TOTAL,
    CellKey,
    Counts,
    RowKey,
    add,
    spread,
    without_zeros,
)

__all__ = [
    "DAY",
    "DIMENSIONS",
    "HOUR",
    "QUARTER",
    "REOPEN_WINDOW_US",
    "SHIFT",
    "TOTAL",
    "Alias",
    "CellKey",
    "Change",
    "Complaint",
    "Counts",
    "RowKey",
    "Span",
    "State",
    "Told",
    "add",
    "fold",
    "observed",
    "spread",
    "without_zeros",
]
