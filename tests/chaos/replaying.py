"""The operator of a chaos run: takes the poison away and replays what was parked, with the command that a real one would use."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from shared.clock import monotonic
from tests.chaos import poison
from tests.chaos.ledger import Ledger
from tests.chaos.platform import Platform

AGAIN: Final = 1.0
"""Seconds before a command that failed is tried again: the database may be away."""


def raise_flag(platform: Platform) -> None:
    """From now on marked requests are refused."""
    poison.flag(platform.home.path).touch()


async def replay_all(platform: Platform, ledger: Ledger, until: float) -> None:
    """Lift the marking and replay every parked key, whatever fails meanwhile, until nothing is parked or the time is over."""
    poison.flag(platform.home.path).unlink(missing_ok=True)
    while monotonic() < until:
        code, said = await platform.command_code("dead-letters", "list", "--json")
        if code == 0:
            parked: list[dict[str, Any]] = json.loads(said)
            keys = {(letter["service"], letter["topic"], str(letter["part"]), letter["key"]) for letter in parked}
            if not keys:
                return
            for key in sorted(keys):
                await _replay(platform, ledger, key)
        else:
            await asyncio.sleep(AGAIN)


async def _replay(platform: Platform, ledger: Ledger, key: tuple[str, str, str, str]) -> None:
    code, said = await platform.command_code("dead-letters", "replay", *key, "--reason", "chaos", "--by", "chaos", "--json")
    if code == 0:
        ledger.done["parked events replayed"] += int(json.loads(said)["applied"])
        ledger.done["parked keys replayed"] += 1
    else:
        ledger.done["replays that failed"] += 1
