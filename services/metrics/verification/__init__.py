"""Proves the figures: derives all rows from the event log by SQL of its own, and compares them.

The queries are written from the definitions in the service's README, not from the projection: nothing of it is used here but the grids of
quarter hours and of durations. Where the projection merges facts event by event, these queries look at whole histories with DISTINCT ON
and joins; a mistake in one of the two is a difference. Everything is read in the snapshot of one transaction, so that events which arrive
meanwhile do not matter.

histories.py  parts of histories    counts.py        the figures that are sums     rows.py  spans, complaints, aliases
comparing.py  differences           fingerprints.py  which documents need a look
"""

from services.metrics.verification.comparing import Difference, differences
from services.metrics.verification.counts import COUNTED
from services.metrics.verification.rows import Matter, matters

__all__ = ["COUNTED", "Difference", "Matter", "differences", "matters"]
