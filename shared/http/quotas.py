"""How often one principal may call one process: a bucket of calls that fills up evenly.

Cheap, in memory, and per instance: with three instances behind a load balancer a principal may call three times as often. It keeps one
caller's broken loop from taking the service from the others; it is no accounting.

Every answer to a principal tells where he stands (draft-ietf-httpapi-ratelimit-headers): `RateLimit-Policy: "default";q=60000;w=60` and
`RateLimit: "default";r=59999;t=1`, r calls left, all of them again in t seconds.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from shared import clock, errors

WINDOW: Final = 60
"""Seconds in which an empty bucket fills up."""
MOST_BUCKETS: Final = 10_000
"""Principals that are remembered; beyond that, those whose bucket is full are forgotten, which changes nothing for them."""


class QuotaUsedUp(errors.Overloaded):
    """The principal calls more often than his quota allows."""

    code = "quota_used_up"


class Quota:
    """Where a principal stands."""

    __slots__ = ("_as_of", "_left", "_limit")

    def __init__(self, limit: int, now: float) -> None:
        self._limit = limit
        self._left = float(limit)
        self._as_of = now

    def take(self, now: float) -> None:
        """Count a call.

        Raises:
            QuotaUsedUp: none is left; this one does not count.
        """
        self._left = self._filled(now)
        self._as_of = now
        if self._left < 1:
            seconds = ceil((1 - self._left) * WINDOW / self._limit)
            raise QuotaUsedUp(f"At most {self._limit} calls in {WINDOW} seconds. Wait a little.", retry_after=seconds)
        self._left -= 1

    def is_full(self, now: float) -> bool:
        """Whether it is as if the principal had never called."""
        return self._filled(now) >= self._limit

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the caller is told."""
        until_full = ceil((self._limit - self._left) * WINDOW / self._limit)
        return [
            (b"ratelimit-policy", b'"default";q=%d;w=%d' % (self._limit, WINDOW)),
            (b"ratelimit", b'"default";r=%d;t=%d' % (self._left, until_full)),
        ]

    def _filled(self, now: float) -> float:
        return min(float(self._limit), self._left + (now - self._as_of) * self._limit / WINDOW)


class Quotas:
    """The quotas of all principals in this process. A limit of 0 calls in `WINDOW` means none."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._quotas: dict[str, Quota] = {}

    def of(self, principal: str) -> Quota | None:
        """The principal's quota; None when calls are not limited."""
        if self._limit == 0:
            return None
        quota = self._quotas.get(principal)
        if quota is None:
            if len(self._quotas) >= MOST_BUCKETS:
                self._forget_full()
            quota = self._quotas[principal] = Quota(self._limit, clock.monotonic())
        return quota

    def _forget_full(self) -> None:
        now = clock.monotonic()
        self._quotas = {name: quota for name, quota in self._quotas.items() if not quota.is_full(now)}
