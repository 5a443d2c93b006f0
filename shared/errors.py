"""Why a service says no. Each kind names what the caller can do about it; `shared/http.py` alone maps kinds to HTTP.

    ServiceError
    ├── Invalid          the request itself is wrong; names the field             422
    ├── Unauthorized     no key, or a key that nobody issued                      401
    ├── Forbidden        the key may not do this                                  403
    ├── NotFound         it is not there, or the caller may not know that it is   404
    ├── Conflict         the state of the thing does not allow it                 409
    ├── Gone             it was there and has ended (an expired survey)           410
    ├── Stale            the caller saw an older version                          412
    ├── TooLarge         over a size limit                                        413
    ├── MissingVersion   a change without If-Match                                428
    ├── Overloaded       a caller's quota is used up                              429
    └── Unavailable      we are the reason; try again later                       503

A subclass lives beside the rule that it is about, sets ``code`` (a stable word for programs) and carries its facts in ``facts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldError:
    """One wrong field: where (RFC 6901 pointer into the body, or ``?name`` of a query parameter), a code for programs, words for people."""

    pointer: str
    code: str
    detail: str


class ServiceError(Exception):
    """Root of everything that a caller did or met, as opposed to a bug."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = (), facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.facts: Mapping[str, Any] = facts or {}


class Invalid(ServiceError):
    """The request cannot be understood or breaks a rule that does not depend on state."""

    code = "invalid"

    @classmethod
    def field(cls, pointer: str, code: str, detail: str) -> Invalid:
        """One wrong field."""
        return cls(detail, errors=[FieldError(pointer, code, detail)])


class Unauthorized(ServiceError):
    """No credential, or one that does not hold."""

    code = "unauthorized"


class Forbidden(ServiceError):
    """The principal is known and may not do this."""

    code = "forbidden"


class NotFound(ServiceError):
    """Not there, or not for this caller to know of."""

    code = "not_found"


class Conflict(ServiceError):
    """The present state refuses the action."""

    code = "conflict"


class Gone(ServiceError):
    """It existed and has ended."""

    code = "gone"


class Stale(ServiceError):
    """The version named in If-Match is not the present one."""

    code = "stale_version"


class TooLarge(ServiceError):
    """Over a size limit."""

    code = "too_large"


class MissingVersion(ServiceError):
    """A change to a versioned thing came without If-Match."""

    code = "version_required"


class Overloaded(ServiceError):
    """The caller's quota is used up; ``retry_after`` seconds."""

    code = "too_many_requests"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail, facts={"retry_after": retry_after})
        self.retry_after = retry_after


class Unavailable(ServiceError):
    """We cannot do it now and nothing was done; ``retry_after`` seconds."""

    code = "unavailable"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, facts={"retry_after": retry_after})
        self.retry_after = retry_after
