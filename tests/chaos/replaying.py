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

ParkedKey = tuple[str, str, str, str]
"""(service, topic, partition, key), as the command takes them."""


def raise_flag(platform: Platform) -> None:
    """From now on marked requests are refused."""
    poison.flag(platform.home.path).touch()


async def replay_all(platform: Platform, eyes: Eyes, ledger: Ledger, until: float) -> None:
    """Lift the marking and replay every parked key, whatever fails meanwhile, until nothing is parked or the time is over."""
    poison.flag(platform.home.path).unlink(missing_ok=True)
    while monotonic() < until:
        try:
            keys = await _parked(eyes)
        except AWAY:
            await asyncio.sleep(AGAIN)
            continue
        if not keys:
            return
        for key in keys:
            if monotonic() < until:
                await _replay(platform, ledger, key)


async def _parked(eyes: Eyes) -> list[ParkedKey]:
    return [
        (service, row["topic"], str(row["part"]), row["key"])
        for service in poison.SERVICES
        for row in await eyes.fetch(service, "SELECT topic, part, key FROM parked_key ORDER BY parked_at")
    ]


async def _replay(platform: Platform, ledger: Ledger, key: ParkedKey) -> None:
    code, said = await platform.command("dead-letters", "replay", *key, "--reason", "chaos", "--by", "chaos", "--json")
    if code == 0:
        ledger.done[f"parked events replayed in {key[0]}"] += int(json.loads(said)["applied"])
        ledger.done["parked keys replayed"] += 1
    else:
        ledger.done["replays that failed"] += 1
