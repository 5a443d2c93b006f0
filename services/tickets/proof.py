"""What proves that a request is the caller's, if he has no key: a signed link that we sent him, or something that he told with the request.

A signed link names one reference and ends. What he told (the end of his phone number, his e-mail address) is compared as a keyed digest;
nothing here knows an address.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from shared.events.proof import proof

LINK_HOLDS: Final = timedelta(days=30)
"""How long the link in a message opens the tracking page."""
VISIT_HOLDS: Final = timedelta(hours=1)
"""How long the page stays open for whoever proved himself on it."""
MAX_TOKEN: Final = 64
"""Characters of a token."""

_MAC_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Tracking:
    """Makes and checks the tracking links of one platform. ``url`` is where customers reach tickets."""

    signing_key: bytes = field(repr=False)
    url: str

    def link(self, reference: str, at: datetime) -> str:
        """A link for a message that is written at ``at``."""
        return f"{self.url}/track/{quote(reference)}?t={self.token(reference, at + LINK_HOLDS)}"

    def token(self, reference: str, ends_at: datetime) -> str:
        """What opens the page of one reference until ``ends_at``."""
        moment = int(ends_at.timestamp()).to_bytes(8, "big")
        return base64.urlsafe_b64encode(moment + self._mac(reference, moment)).decode().rstrip("=")

    def opens(self, token: str, reference: str, at: datetime) -> bool:
        """Whether the token is ours, for this reference, and still holds at ``at``."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        moment, mac = raw[:8], raw[8:]
        genuine = hmac.compare_digest(mac, self._mac(reference, moment))
        return genuine and len(raw) == 8 + _MAC_BYTES and datetime.fromtimestamp(int.from_bytes(moment, "big"), UTC) > at

    def proves(self, given: str, kept: Iterable[tuple[str, str]]) -> bool:
        """Whether what the caller gave is what one of these (reference, digest) was made of. Takes the same time for each."""
        held = False
        for reference, digest in kept:
            held |= hmac.compare_digest((proof(self.signing_key, reference, given) or "").encode(), digest.encode())
        return held

    def _mac(self, reference: str, moment: bytes) -> bytes:
        message = b"aftercare tracking\0" + reference.encode() + b"\0" + moment
        return hmac.digest(self.signing_key, message, hashlib.sha256)[:_MAC_BYTES]
