"""Every invariant as a check of its own, with its name and the differences that it found. Nothing but 0 is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.chaos.reconcile import accepted, delivery, effects, figures, promises
from tests.chaos.reconcile.check import Check, Compare, World

__all__ = ["CHECKS", "Check", "World", "reconcile"]

CHECKS: Final[Mapping[str, Compare]] = {
    "lost: acknowledged requests that intake does not have": accepted.lost,
    "extra: requests in intake from nowhere, or twice": accepted.extra,
    "each reference answers as one ticket": accepted.tickets_of_references,
    "no ticket without a request": accepted.tickets_of_requests,
    "each request opened its ticket or joined the right one": accepted.places,
    "each message is on its ticket, and the history proves it": accepted.words,
    "order: messages stand as they were sent": accepted.order,
    "histories count 1, 2, 3 ... to the ticket's version": accepted.histories,
    "each acknowledged action happened, once": accepted.actions,
    "each reply is one message of staff": accepted.replies,
    "the doors answered right": accepted.answers_of_doors,
    "logs have no hole and their chain holds": delivery.chains,
    "every consumer stands at the head of every log": delivery.positions,
    "nothing is parked or discarded": delivery.set_aside,
    "applied + parked + discarded = accepted (event log)": delivery.event_log,
    "each event had its effect": delivery.effects,
    "copies of tickets are like tickets": delivery.copies,
    "copies of customers are like customers": delivery.customers,
    "timers fired once, and none was forgotten": promises.timers,
    "one survey per resolution, none after cancelling": effects.surveys,
    "answers are kept as first given": effects.answers,
    "each mail left, and belongs to an event": effects.mails,
    "each notification became one message": effects.notifications,
    "no message waits or fails without a reason": effects.endings,
    "outbox lag p99 < 1 s (without faults)": effects.outbox_lag,
    "no open transaction, no wait for a lock": effects.at_rest,
    "kpi: rollup = recomputation from the event log": figures.recomputed,
    "kpi: figures = arithmetic over the ledger": figures.from_ledger,
    "kpi: response rate = feedback's surveys": figures.from_feedback,
}

OPTIONAL: Final = frozenset({"outbox lag p99 < 1 s (without faults)"})
"""A run with faults has nothing for these to look at."""


async def reconcile(world: World) -> list[Check]:
    """All of them, over a platform in which nothing happens any more. A check that cannot be made is a difference, not the end."""
    found = []
    for name, compare in CHECKS.items():
        try:
            looked_at, differences = await compare(world)
            found.append(Check(name, list(differences), looked_at, name in OPTIONAL))
        except Exception as error:
            found.append(Check(name, [f"could not be checked: {error!r}"], 0))
    return found
