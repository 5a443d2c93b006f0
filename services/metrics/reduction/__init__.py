"""From an event to a line of the event log: what is kept of it, and how that is read.

keeping.py  the allow-list and its rules     reading.py  straight from the bytes of a record
"""

from services.metrics.reduction.keeping import KEPT, UNKNOWN, Data, Entry, NoIdentity, code, entry_of, identifier, reduce
from services.metrics.reduction.reading import read

__all__ = ["KEPT", "UNKNOWN", "Data", "Entry", "NoIdentity", "code", "entry_of", "identifier", "read", "reduce"]
