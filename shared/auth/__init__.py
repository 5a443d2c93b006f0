"""Who may call. Two credentials, an API key and the session that a browser got for one; both end in the same `Principal`.

`roles` what each role may do · `keys` API keys · `sessions` signed cookies for pages

Signed tokens of an identity provider will be a third credential.
"""

from shared.auth.keys import (
    ALL_OF_ROLE,
    CACHE_SIZE,
    CACHE_TIME,
    KeyRow,
    Keys,
    NoCredential,
    UnknownKey,
    digest,
    list_keys,
    new_key,
    revoke_key,
    store_key,
    with_text,
)
from shared.auth.roles import GRANTS, KINDS, Kind, MissingScope, Principal, Role, Scope
from shared.auth.sessions import COOKIE, CSRF_FIELD, CSRF_HEADER, LIFETIME, CsrfTokenWrong, Session, SessionEnded, Sessions

__all__ = [
    "ALL_OF_ROLE",
    "CACHE_SIZE",
    "CACHE_TIME",
    "COOKIE",
    "CSRF_FIELD",
    "CSRF_HEADER",
    "GRANTS",
    "KINDS",
    "LIFETIME",
    "CsrfTokenWrong",
    "KeyRow",
    "Keys",
    "Kind",
    "MissingScope",
    "NoCredential",
    "Principal",
    "Role",
    "Scope",
    "Session",
    "SessionEnded",
    "Sessions",
    "UnknownKey",
    "digest",
    "list_keys",
    "new_key",
    "revoke_key",
    "store_key",
    "with_text",
]
