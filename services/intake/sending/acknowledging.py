"""Which requests get a receipt with their service number.

One matter gets one receipt: a message that joins a ticket within an hour of the last receipt gets none. Which ticket a request joins is
decided by tickets, so a receipt waits a moment for that (`planning.Hold`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

MATTER: Final = timedelta(hours=1)
"""Messages of one ticket within this time of its last receipt get no other one."""

NOBODY_WAITS: Final = frozenset({"internal", "listening"})
"""Channels on which no customer wrote to us: our own people's cases, and what was overheard in public."""

ENTERED_FOR_HIM: Final = frozenset({"agent"})
"""Whoever talks to our staff hears the number from them; a mail only if he left an address for it."""


def is_acknowledged(channel: str, entered_by: str, *, leaves_address: bool, is_reachable: bool) -> bool:
    """Whether a request that was accepted gets a receipt.

    ``leaves_address``: the request itself names an address; ``is_reachable``: it or the customer file does.
    """
    if channel in NOBODY_WAITS:
        return False
    return leaves_address if entered_by in ENTERED_FOR_HIM else is_reachable
