"""How a customer without a key proves that a request is his: by the last four digits of his phone number, by his e-mail address, or by the
signed link that a message brought him.

Intake alone knows numbers and addresses; tickets, which shows how a request stands, gets digests of them with the request. A digest is
keyed with the platform's signing key and bound to one reference, so it says nothing to whoever reads the bus and fits no other request.
Links are made by whoever writes to the customer (intake its receipts, tickets its news) and checked by tickets, so both make them here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

DIGITS: Final = 4
"""The last digits of a phone number that count."""

LINK_HOLDS: Final = timedelta(days=30)
"""How long the link in a message opens the tracking page."""

_BYTES: Final = 16


def proof(signing_key: bytes, reference: str, given: str) -> str | None:
    """The digest of an e-mail address or of a phone number's end, for one request; None when the text is neither."""
    text = unicodedata.normalize("NFKC", given).strip().casefold()
    if "@" not in text:
        text = "".join(character for character in text if character.isdecimal())[-DIGITS:]
        if len(text) < DIGITS:
            return None
    message = f"aftercare proof\0{reference}\0{text}"
    return hmac.digest(signing_key, message.encode(), hashlib.sha256)[:_BYTES].hex()


def tracking_link(signing_key: bytes, url: str, reference: str, at: datetime) -> str:
    """The link to one request's tracking page, for a message that is written at ``at``; ``url`` is where customers reach tickets."""
    return f"{url}/track/{quote(reference)}?t={tracking_token(signing_key, reference, at + LINK_HOLDS)}"


def tracking_token(signing_key: bytes, reference: str, ends_at: datetime) -> str:
    """What opens the page of one reference until ``ends_at``."""
    moment = int(ends_at.timestamp()).to_bytes(8, "big")
    return base64.urlsafe_b64encode(moment + tracking_mac(signing_key, reference, moment)).decode().rstrip("=")


def tracking_mac(signing_key: bytes, reference: str, moment: bytes) -> bytes:
    """What nobody else can put behind the moment in a token."""
    message = b"aftercare tracking\0" + reference.encode() + b"\0" + moment
    return hmac.digest(signing_key, message, hashlib.sha256)[:_BYTES]
