"""Cursors of lists. A cursor is the sort key of the last item that the caller saw, signed, and bound to the filters of the list.

Lists are read by key (`WHERE (opened_at, number) < ($1, $2) ORDER BY ... LIMIT limit + 1`), so a page costs the same however far it is,
and items that arrive meanwhile neither repeat nor vanish. A cursor that was altered, or is used with other filters, is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from shared import errors

_MAC_BYTES: Final = 16
MAX_CURSOR: Final = 1_000
"""Characters of a cursor."""


class CursorRefused(errors.Invalid):
    """The cursor is not one that this list gave out."""

    code = "cursor_invalid"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[errors.FieldError("?cursor", self.code, detail)])


class Cursors:
    """Writes and reads cursors with the platform's signing key."""

    def __init__(self, signing_key: str) -> None:
        self._key = hashlib.sha256(b"aftercare cursor\0" + signing_key.encode()).digest()

    def encode(self, position: Sequence[str | int], filters: Mapping[str, Any]) -> str:
        """The cursor after the item with that sort key, for a list with those filters (values: texts, numbers, lists of them, None)."""
        payload = orjson.dumps(list(position))
        return base64.urlsafe_b64encode(self._mac(payload, filters) + payload).decode().rstrip("=")

    def decode(self, cursor: str, filters: Mapping[str, Any], *, length: int) -> list[str | int]:
        """The sort key in a cursor; `length` parts.

        Raises:
            CursorRefused: altered, made by another list, or used with other filters.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise CursorRefused("This is not a cursor of this list.") from error
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if len(cursor) > MAX_CURSOR or not hmac.compare_digest(mac, self._mac(payload, filters)):
            raise CursorRefused("The cursor was altered, or belongs to a list with other filters.")
        position = orjson.loads(payload)
        if len(position) != length:
            raise CursorRefused("This is a cursor of another list.")
        return list(position)

    def _mac(self, payload: bytes, filters: Mapping[str, Any]) -> bytes:
        given = {name: value for name, value in filters.items() if value is not None}
        # hex, because an altered payload need not be text
        canonical = orjson.dumps([given, payload.hex()], option=orjson.OPT_SORT_KEYS)
        return hmac.digest(self._key, canonical, "sha256")[:_MAC_BYTES]
