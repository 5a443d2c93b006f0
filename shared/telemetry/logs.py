"""Logs: one JSON object a line on standard output, for our own lines and for those of uvicorn, aiokafka and every other library.

`event` is a constant name, data goes in fields; see `redaction` for which. Libraries write prose: it becomes `message` of the event
`library_message`, searched for personal data, and a library that repeats itself is cut to a few lines with the number left out.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TextIO, cast

import asyncpg
import orjson
import structlog
from structlog.types import EventDict, WrappedLogger

from shared import clock
from shared.telemetry.quiet import Quiet
from shared.telemetry.redaction import redact, redact_text
from shared.telemetry.trace import correlation_id

BURST: Final = 5
PERIOD: Final = 10.0
"""A library may write the same line BURST times in PERIOD seconds; the rest is counted."""
MAX_BUDGETS: Final = 1_000
"""Different lines of libraries that are kept apart."""

SPOKEN_FOR: Final = ("shared", "services", "deploy")
"""Our own packages: the texts of their exceptions are written without personal data."""
HARMLESS: Final = (OSError, asyncio.TimeoutError, TypeError, AttributeError, NameError, ImportError, AssertionError, RuntimeError)
"""Exceptions whose texts name types, files and addresses of machines, not values."""

_stream: TextIO | None = None


def logger() -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger())


def bind(**fields: Any) -> AbstractContextManager[None]:
    """Inside the block, every line of this task carries the fields."""
    return structlog.contextvars.bound_contextvars(**fields)


def configure_logs(*, service: str, version: str, env: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every line of this process, ours and the libraries', to the stream (standard output) as JSON. Once, at the start."""
    global _stream
    _stream = stream
    always = {"service": service, "version": version, "env": env}
    threshold = logging.getLevelNamesMapping()[level]
    _configure_ours(always, threshold)
    _adopt_libraries(always, threshold)


@contextmanager
def lines_to(stream: TextIO) -> Iterator[None]:
    """Inside the block, lines go to this stream."""
    global _stream
    before, _stream = _stream, stream
    try:
        yield
    finally:
        _stream = before


def _configure_ours(always: Mapping[str, str], threshold: int) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            lambda _logger, _name, event: {**always, **event},
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_names: _Line(),
        cache_logger_on_first_use=False,
    )


def _adopt_libraries(always: Mapping[str, str], threshold: int) -> None:
    handler = LibraryHandler(always)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "aiokafka", "alembic", "sqlalchemy"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    # the access log is our own: without query strings, which may hold names and addresses
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _render(_logger: WrappedLogger, _name: str, event: EventDict) -> str:
    return write_line(event)


def write_line(event: MutableMapping[str, Any]) -> str:
    """The JSON of a line: stamped, correlated, redacted."""
    error = event.pop("exc_info", None)
    line = {
        "ts": clock.real_now().isoformat(timespec="milliseconds"),
        "level": event.pop("level", "info"),
        "event": redact_text(str(event.pop("event", ""))),
    }
    if (trace_id := correlation_id()) is not None:
        line["correlation_id"] = trace_id
    line |= redact(event)
    if error:
        line["exception"] = describe(error if isinstance(error, BaseException) else sys.exc_info()[1])
    return orjson.dumps(line, default=str).decode()


def describe(error: BaseException | None) -> str:
    """An exception for the log: classes and places always, texts only where they cannot hold a value that somebody sent."""
    if error is None:
        return ""
    parts = [_one(error)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        parts.append(f"from {describe(cause)}")
    if isinstance(error, BaseExceptionGroup):
        parts.extend(describe(inner) for inner in error.exceptions)
    return "\n".join(parts)


def _one(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-12:]]
    return "\n".join([f"{type(error).__module__}.{type(error).__qualname__}{_text_of(error)}", *places])


def _text_of(error: BaseException) -> str:
    if isinstance(error, asyncpg.PostgresError):
        facts = {name: getattr(error, name, None) for name in ("sqlstate", "table_name", "column_name", "constraint_name")}
        return f" { ({name: value for name, value in facts.items() if value}) }"
    ours = type(error).__module__.split(".")[0] in SPOKEN_FOR or type(error).__module__.startswith("aiokafka")
    return f": {redact_text(str(error))}" if ours or isinstance(error, HARMLESS) else ""


class _Line:
    """Writes a rendered line; the stream is looked up each time, so that a replaced standard output is honoured."""

    def msg(self, line: str) -> None:
        print(line, file=_stream or sys.stdout, flush=True)

    debug = info = warning = warn = error = critical = fatal = exception = log = failure = err = msg


class LibraryHandler(logging.Handler):
    """Turns a library's record into a line of ours."""

    def __init__(self, always: Mapping[str, str]) -> None:
        super().__init__()
        self._always = always
        self._budgets: dict[tuple[str, int, str], Quiet] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, unless it says again what it just said."""
        try:
            suppressed = self._budget_of(record).admits()
            if suppressed is None:
                return
            event: dict[str, Any] = {"event": "library_message", "level": record.levelname.lower(), **self._always}
            event |= {"logger": record.name, "message": record.getMessage()}
            if suppressed:
                event["suppressed"] = suppressed
            if record.exc_info and record.exc_info[1] is not None:
                event["exc_info"] = record.exc_info[1]
            _Line().msg(write_line(event))
        except Exception:
            self.handleError(record)

    def _budget_of(self, record: logging.LogRecord) -> Quiet:
        if len(self._budgets) > MAX_BUDGETS:
            self._budgets.clear()
        return self._budgets.setdefault((record.name, record.levelno, str(record.msg)), Quiet(burst=BURST, period=PERIOD))


def forget_configuration() -> None:
    """Redacted lines without the names of a service: for a program that does not configure its logs (a test, a command)."""
    global _stream
    _stream = None
    _configure_ours({}, logging.INFO)


forget_configuration()
