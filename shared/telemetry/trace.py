"""The W3C trace that a request, its events and their effects in other services have in common.

Its id is the correlation id of every log line. `outbox.append` writes `traceparent()` into the event; the consumer of the event continues
it with `trace(header)`.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Final, NamedTuple, Self

from shared.ids import random_digits

_HEADER: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


class Trace(NamedTuple):
    """Where we are in a trace. https://www.w3.org/TR/trace-context/"""

    trace_id: str
    span_id: str
    flags: str = "00"

    @classmethod
    def start(cls) -> Self:
        """A new trace."""
        return cls(random_digits(32), random_digits(16))

    @classmethod
    def parse(cls, header: str | None) -> Self | None:
        """The trace that a header names; None when it is absent or malformed, as the standard asks."""
        match = _HEADER.fullmatch(header or "")
        if match is None:
            return None
        version, trace_id, span_id, flags, rest = match.groups()
        if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
            return None
        return cls(trace_id, span_id, flags)

    def child(self) -> Self:
        """The same trace, one step further."""
        return type(self)(self.trace_id, random_digits(16), self.flags)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def trace(header: str | None = None) -> AbstractContextManager[Trace]:
    """Inside the block, logs and events belong to the trace of the header; to a new one when there is none."""
    received = None if header is None else Trace.parse(header)
    return _Block(Trace.start() if received is None else received.child())


class _Block:
    __slots__ = ("_token", "_trace")

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __enter__(self) -> Trace:
        self._token = _current.set(self._trace)
        return self._trace

    def __exit__(self, *_error: object) -> None:
        _current.reset(self._token)


def traceparent() -> str:
    """The header to send on: of the present trace, or of a new one where nothing started one."""
    return str(_current.get() or Trace.start())


def correlation_id() -> str | None:
    """Id of the present trace."""
    current = _current.get()
    return None if current is None else current.trace_id
