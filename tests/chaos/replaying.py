"""The operator of a chaos run: takes the poison away and replays what was parked, with the command that a real one would use."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from shared.clock import monotonic
from tests.chaos import poison
from tests.chaos.eyes import AWAY, Eyes
from tests.chaos.ledger import Ledger
from tests.chaos.platform import Platform

AGAIN: Final = 1.0
"""Seconds before the operator looks again: the database may be away."""


def raise_flag(platform: Platform) -> None:
    """From now on marked requests are refused."""
    poison.flag(platform.home.path).touch()


async def replay_all(platform: Platform, eyes: Eyes, ledger: Ledger, until: float) -> None:
    """Lift the marking and replay all that is parked, whatever fails meanwhile, until nothing is parked or the time is over."""
    poison.flag(platform.home.path).unlink(missing_ok=True)
    while monotonic() < until:
        try:
            services = [service for service in poison.SERVICES if await eyes.fetch(service, "SELECT FROM parked_key LIMIT 1")]
        except AWAY:
            await asyncio.sleep(AGAIN)
            continue
        if not services:
            return
        for service in services:
            if not await _replay(platform, ledger, service):
                await asyncio.sleep(AGAIN)


async def _replay(platform: Platform, ledger: Ledger, service: str) -> bool:
    """Whether the command could do anything."""
    _, said = await platform.command("dead-letters", "replay-all", service, "--reason", "chaos", "--by", "chaos", "--json")
    if not said.startswith("["):
        ledger.done["replays that failed"] += 1
        return False
    # what the command complained of stands behind its answer
    rows, _ = json.JSONDecoder().raw_decode(said)
    ledger.done[f"parked events replayed in {service}"] += sum(row["applied"] for row in rows)
    ledger.done["parked keys replayed"] += sum(row["error"] is None for row in rows)
    ledger.done["parked keys that failed again"] += sum(row["error"] is not None for row in rows)
    return any(row["applied"] for row in rows)
