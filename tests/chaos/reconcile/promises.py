"""Promised times: what came due was told, once, and what did not was not.

The rules compare moments that stand on one ticket, where nothing is dated before what was there already; when a process thinks that it acts
is no rule, for one of the clocks may be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from tests.chaos.reconcile.accepted import TICKETS
from tests.chaos.reconcile.check import Found, World
from tests.chaos.reconcile.effects import TIMERS

MARGIN: Final = timedelta(seconds=5)
"""Before the platform rested; what was due until then must have been told."""
TOLD: Final = {"sla.warned.v1": "warned_at", "sla.breached.v1": "breached_at"}
"""What is told about a clock, and where the clock remembers that."""
CLOCKS: Final = """
SELECT c.number, c.target, c.started_at, c.due_at, c.met_at, c.warned_at, c.breached_at, c.stopped_at, c.policy, p.warn_percent,
       EXISTS (SELECT FROM sla_pause s WHERE (s.number, s.target) = (c.number, c.target) AND s.ended_at IS NULL) AS is_paused
  FROM sla_clock c LEFT JOIN policy p ON (p.id, p.version) = (c.policy, c.policy_row)
"""
WINDOWS: Final = {"resolved": "close", "confirmed": "close", "waiting_customer": "give_up"}
"""The timer that ends a status in which nobody acts."""

Told = tuple[str, str, str, datetime, str]
"""Type of event, ticket, target, the start of the clock, and the policy that promised it: of each there may be one."""


async def timers(world: World) -> Found:
    """A promise is told as close once and as missed once; each that was missed is told, and none that was kept; none is forgotten."""
    clocks = await world.rows("tickets", CLOCKS)
    events = await world.events("tickets", *TOLD)
    told = Counter(_told(kind, event) for kind, event in events)
    found = [f"{_in_words(each)} was told {count} times" for each, count in told.items() if count > 1]
    set_ = {(row["kind"], row["subject"]): row["due_at"] for row in await world.rows("tickets", TIMERS)}
    for clock in clocks:
        name = f"{clock['target']} of {clock['number']}, due {clock['due_at']},"
        found += [f"{name} {wrong}" for wrong in _wrong(clock, told, world.rested_at - MARGIN)]
        if _has_something_to_tell(clock) and set_.get((clock["target"], clock["number"]), LATE) > clock["due_at"]:
            found.append(f"{name} has no timer that tells it")
    for row in await world.rows("tickets", TICKETS):
        if row["status"] in WINDOWS and (WINDOWS[row["status"]], row["number"]) not in set_:
            found.append(f"{row['number']} is {row['status']}, and no timer ends that")
    return len(events) + len(clocks), found


LATE: Final = datetime.fromisoformat("9999-01-01T00:00:00Z")


def _told(kind: str, event: dict[str, Any]) -> Told:
    clock = event["clock"]
    return kind, event["ticket_number"], event["target"], datetime.fromisoformat(clock["started_at"]), clock["policy"]


def _in_words(told: Told) -> str:
    kind, number, target, started_at, policy = told
    return f"{kind} of {number} ({target} since {started_at}, {policy})"


def _has_something_to_tell(clock: Any) -> bool:
    """It runs and nobody was told that it is missed. In which status the ticket is does not matter; a pause does."""
    return not (clock["met_at"] or clock["stopped_at"] or clock["breached_at"] or clock["is_paused"])


def _wrong(clock: Any, told: Counter[Told], until: datetime) -> Iterator[str]:
    for kind, moment in TOLD.items():
        count = told[kind, clock["number"], clock["target"], clock["started_at"], clock["policy"]]
        if count != (clock[moment] is not None):
            yield f"has {moment} {clock[moment]}, and {kind} was told {count} times"
    if _has_something_to_tell(clock) and clock["due_at"] < until:
        yield "is missed, and nobody was told"
    if clock["met_at"] and clock["met_at"] > clock["due_at"] and not clock["breached_at"]:
        yield f"was met at {clock['met_at']}, and nobody was told that it was late"
    # whoever meets it at the very moment was told, and dated his answer by a clock that is behind: nothing is dated before what was there
    if clock["met_at"] and clock["met_at"] < clock["due_at"] and clock["breached_at"]:
        yield f"was met at {clock['met_at']}, and told as missed"
    if clock["breached_at"] and clock["warn_percent"] is not None and not clock["warned_at"]:
        yield "is missed, and nobody was warned"
