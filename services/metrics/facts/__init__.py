"""What metrics knows about one request, ticket, survey or customer file: observations merged so that only the set of events counts.

Every field keeps the first or the last observation of its kind, or one per key. Order is told by the events themselves (a ticket's
version, then its number in the log), never by arrival. `merge` is therefore commutative, associative and idempotent: events may come in
any order, in batches of any size and twice, the facts are the same. What follows from the facts for a figure is decided in `projection`.

values.py   what is known     merging.py   two pieces of knowledge in one     observing.py   what one event tells
coding.py   as text and back
"""

from services.metrics.facts.coding import decode, encode
from services.metrics.facts.merging import merge
from services.metrics.facts.observing import observe
from services.metrics.facts.values import (
    CUSTOMER,
    REQUEST,
    SURVEY,
    TICKET,
    Answer,
    Clock,
    Closing,
    CustomerFacts,
    Dimensions,
    Episode,
    Facts,
    Link,
    Moment,
    RequestFacts,
    Run,
    Stamp,
    Standing,
    Subject,
    SurveyFacts,
    TargetFacts,
    TicketFacts,
)

__all__ = [
    "CUSTOMER",
    "REQUEST",
    "SURVEY",
    "TICKET",
    "Answer",
    "Clock",
    "Closing",
    "CustomerFacts",
    "Dimensions",
    "Episode",
    "Facts",
    "Link",
    "Moment",
    "RequestFacts",
    "Run",
    "Stamp",
    "Standing",
    "Subject",
    "SurveyFacts",
    "TargetFacts",
    "TicketFacts",
    "decode",
    "encode",
    "merge",
    "observe",
]
