"""Chance that can be repeated: a draw follows from an invitation's id and what is drawn, so whoever asks again gets the same."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final
from uuid import UUID

_BITS: Final = 53
"""As many as a float holds exactly."""
_RANGE: Final = 1 << _BITS


def draw(invitation_id: UUID, purpose: str) -> float:
    """A number in [0, 1), evenly distributed over invitations and independent between purposes."""
    digest = blake2b(invitation_id.bytes + purpose.encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> (64 - _BITS)) / _RANGE
