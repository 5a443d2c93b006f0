"""Sessions: what a browser holds instead of an API key, for a working day.

`/login` exchanges a key for a signed cookie (a JWT, HS256) that names the key's id, the principal, his role and scopes, and when it ends.
The signing key is the platform's, so all four services honour it; no service keeps a table of sessions. The key that it was given for is
looked up like any other: once that is revoked or expired, the session ends with it, within `CACHE_TIME`.

A browser sends a cookie along with whatever a page asks of it, so a write must also carry the session's CSRF token, which only our own
pages can read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from shared import clock, errors
from shared.auth.keys import KeyRow, Keys, UnknownKey
from shared.auth.roles import Principal

COOKIE: Final = "aftercare_session"
LIFETIME: Final = timedelta(hours=8)
MAX_COOKIE: Final = 4_000
"""Characters of a cookie's value; browsers keep no more."""
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf_token"
"""In a form of ours."""

_ALGORITHM: Final = "HS256"
_TYPE: Final = "aftercare-session+jwt"
"""Nothing else that is ever signed with the same secret is taken for a session."""


class SessionEnded(errors.Unauthorized):
    """The session has ended: its time is over, its key was revoked, or it was never ours; which one is not told."""

    code = "session_ended"

    def __init__(self) -> None:
        super().__init__("The session has ended. Sign in again at /login.")


class CsrfTokenWrong(errors.Forbidden):
    """A change by cookie came without the session's CSRF token."""

    code = "csrf_token_wrong"

    def __init__(self) -> None:
        super().__init__(f"A change that is authorised by the session cookie needs its token in the header {CSRF_HEADER}.")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in."""

    principal: Principal
    key_id: str
    ends_at: datetime
    csrf_token: str

    def demand_token(self, token: str | None) -> None:
        """Go on only with the session's CSRF token.

        Raises:
            CsrfTokenWrong: it is another one, or none.
        """
        if not hmac.compare_digest(self.csrf_token.encode(), (token or "").encode(errors="replace")):
            raise CsrfTokenWrong


class Sessions:
    """Gives out sessions and recognises them."""

    def __init__(self, keys: Keys, signing_key: str) -> None:
        self._keys = keys
        self._secret = hashlib.sha256(b"aftercare session\0" + signing_key.encode()).digest()
        self._jwk = OctKey.import_key(self._secret)

    async def open(self, key: str) -> tuple[str, Session]:
        """The cookie's value for somebody who holds this API key.

        Raises:
            UnknownKey: the key does not hold.
        """
        row = await self._keys.check(key)
        principal = row.principal_now()
        ends_at = _end(row)
        session_id = secrets.token_urlsafe(16)
        claims = {
            "jti": session_id,
            "kid": row.key_id,
            "sub": principal.id,
            "role": principal.role.value,
            "scope": " ".join(sorted(principal.scopes)),
            "exp": int(ends_at.timestamp()),
        }
        cookie = jwt.encode({"alg": _ALGORITHM, "typ": _TYPE}, claims, self._jwk, algorithms=[_ALGORITHM])
        return cookie, Session(principal, row.key_id, ends_at, self._csrf_token(session_id))

    async def read(self, cookie: str) -> Session:
        """The session of a cookie's value, with what its key may do now.

        Raises:
            SessionEnded: it does not hold.
        """
        claims = self._claims(cookie)
        ends_at = datetime.fromtimestamp(claims["exp"], UTC)
        if ends_at <= clock.real_now():
            raise SessionEnded
        try:
            row, principal = await self._keys.named(claims["kid"])
        except UnknownKey:
            raise SessionEnded from None
        if (principal.id, principal.role) != (claims["sub"], claims["role"]):
            # the key means somebody else by now
            raise SessionEnded
        # what the key has lost is lost at once; what it gained needs a new session
        kept = replace(principal, scopes=principal.scopes & frozenset(claims["scope"].split()))
        return Session(kept, row.key_id, ends_at, self._csrf_token(claims["jti"]))

    def _claims(self, cookie: str) -> Mapping[str, Any]:
        """The content of a cookie that we signed."""
        if len(cookie) > MAX_COOKIE or not cookie.isascii():
            raise SessionEnded
        try:
            token = jwt.decode(cookie, self._jwk, algorithms=[_ALGORITHM])
        except (JoseError, ValueError):
            raise SessionEnded from None
        if token.header.get("typ") != _TYPE:
            raise SessionEnded
        return token.claims

    def _csrf_token(self, session_id: str) -> str:
        return hmac.digest(self._secret, b"csrf\0" + session_id.encode(), "sha256").hex()


def _end(row: KeyRow) -> datetime:
    """When a session of this key that begins now ends; in whole seconds, as the cookie says it."""
    ends_at = clock.real_now().replace(microsecond=0) + LIFETIME
    return ends_at if row.expires_at is None else min(ends_at, row.expires_at.replace(microsecond=0))
