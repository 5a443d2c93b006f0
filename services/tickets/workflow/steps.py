"""How far a service is, by type of ticket: the steps in the order of the trade. Progress inside a status, never a status.

A step may be left out, so going forward is free inside the list. Going back is allowed only where the trade knows rework: a repair that
fails its test is repaired again, goods that fail inspection are asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.events.codes import RequestType

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    RequestType.REPAIR: ("received", "diagnosed", "quoted", "repairing", "tested", "returned"),
    RequestType.RETURN: ("approved", "in_transit", "received", "inspected", "refunded"),
    RequestType.EXCHANGE: ("approved", "in_transit", "received", "inspected", "replacement_sent", "delivered"),
    RequestType.REFUND: ("requested", "checked", "approved", "refunded"),
    RequestType.INSTALLATION: ("surveyed", "scheduled", "on_the_way", "installing", "tested", "handed_over"),
    RequestType.TECHNICAL_SUPPORT: ("diagnosed", "guided", "tested"),
    RequestType.COMPLAINT: ("verified", "understood", "planned", "carried_out", "summarised"),
    RequestType.ENQUIRY: ("looked_up", "answered"),
    RequestType.SUGGESTION: ("reviewed", "passed_on", "decided"),
    RequestType.PRAISE: ("passed_on",),
}
"""Steps of each type; a type that is not here has none."""

REWORK: Final[frozenset[tuple[str, str, str]]] = frozenset(
    {
        (RequestType.REPAIR, "tested", "repairing"),
        (RequestType.REPAIR, "tested", "diagnosed"),
        (RequestType.REPAIR, "repairing", "quoted"),
        (RequestType.REPAIR, "repairing", "diagnosed"),
        (RequestType.REPAIR, "quoted", "diagnosed"),
        (RequestType.RETURN, "inspected", "in_transit"),
        (RequestType.EXCHANGE, "inspected", "in_transit"),
        (RequestType.REFUND, "approved", "checked"),
        (RequestType.INSTALLATION, "on_the_way", "scheduled"),
        (RequestType.INSTALLATION, "tested", "installing"),
        (RequestType.TECHNICAL_SUPPORT, "tested", "diagnosed"),
        (RequestType.COMPLAINT, "carried_out", "planned"),
        (RequestType.SUGGESTION, "decided", "reviewed"),
    }
)
"""(type, from, to): the ways back."""


def next_steps(type: str | None, step: str | None) -> tuple[str, ...]:
    """Where a ticket of this type may go from this step, in order."""
    steps = STEPS.get(type or "", ())
    if step not in steps:
        return steps
    place = steps.index(step)
    return tuple(to for position, to in enumerate(steps) if position > place or (type, step, to) in REWORK)
