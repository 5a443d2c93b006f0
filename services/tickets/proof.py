"""What proves that a request is the caller's, if he has no key: a signed link that we sent him, or something that he told with the request.

A signed link names one reference and ends. What he told (the end of his phone number, his e-mail address) is compared as a keyed digest;
nothing here knows an address.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.events.proof import proof, tracking_link, tracking_mac, tracking_token

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
        return tracking_link(self.signing_key, self.url, reference, at)

    def token(self, reference: str, ends_at: datetime) -> str:
        """What opens the page of one reference until ``ends_at``."""
        return tracking_token(self.signing_key, reference, ends_at)

    def opens(self, token: str, reference: str, at: datetime) -> bool:
        """Whether the token is ours, for this reference, and still holds at ``at``."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        moment, mac = raw[:8], raw[8:]
        genuine = hmac.compare_digest(mac, tracking_mac(self.signing_key, reference, moment))
        return genuine and len(raw) == 8 + _MAC_BYTES and datetime.fromtimestamp(int.from_bytes(moment, "big"), UTC) > at

    def proves(self, given: str, kept: Iterable[tuple[str, str]]) -> bool:
        """Whether what the caller gave is what one of these (reference, digest) was made of. Takes the same time for each."""
        held = False
        for reference, digest in kept:
            held |= hmac.compare_digest((proof(self.signing_key, reference, given) or "").encode(), digest.encode())
        return held
