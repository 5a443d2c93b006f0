"""How a customer without a key proves that a request is his: by the last four digits of his phone number, or by his e-mail address.

Intake alone knows numbers and addresses; tickets, which shows how a request stands, gets digests of them with the request. A digest is
keyed with the platform's signing key and bound to one reference, so it says nothing to whoever reads the bus and fits no other request.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from typing import Final

DIGITS: Final = 4
"""The last digits of a phone number that count."""

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
