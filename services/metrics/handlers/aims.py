"""Targets: read them, and set the next version."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.metrics.kpi import DEFINITIONS, REACH
from services.metrics.store import targets
from services.metrics.store.targets import Target
from shared import http
from shared.database import Transaction
from shared.errors import Invalid, NotFound

AIMED_AT: Final = tuple(definition.id for definition in DEFINITIONS.values() if definition.direction is not None)
"""Figures that can have a target: a plain count is neither good nor bad."""


class TargetUnknown(NotFound):
    """Nobody has set a target for this figure yet."""

    code = "target_unknown"


async def newest(tx: Transaction) -> list[Target]:
    """The newest version of each target."""
    found = {target.kpi: target for target in await targets.versions(tx, AIMED_AT)}
    return [found[kpi] for kpi in AIMED_AT if kpi in found]


async def history_of(tx: Transaction, kpi: str) -> list[Target]:
    """All versions of one target, the newest first.

    Raises:
        TargetUnknown: there is none.
    """
    found = await targets.versions(tx, [kpi])
    if not found:
        raise TargetUnknown("Nobody has set a target for this figure yet.", facts={"kpi": kpi})
    return found[::-1]


async def aim(tx: Transaction, kpi: str, value: float, *, valid_from: datetime, seen: int, by: str, at: datetime) -> Target:
    """Set the next version of a target.

    Raises:
        Invalid: the figure cannot have such a value.
        VersionStale: the caller has not seen the newest version; 0 stands for none.
    """
    low, high = REACH[DEFINITIONS[kpi].unit]
    if not low <= value <= high:
        raise Invalid.field("/value", "out_of_reach", f"must lie between {low} and {high}")
    current = await targets.lock(tx, kpi)
    http.demand_version(seen, current)
    target = Target(kpi, current + 1, value, valid_from, by, at)
    await targets.add(tx, target)
    return target
