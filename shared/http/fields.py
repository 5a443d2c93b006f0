"""Types of fields that outsiders fill in: strict about what PostgreSQL cannot store and what people never mean.

A service's request models derive from `RequestModel` and take their texts and moments from here.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.events.codes import MAX_TEXT

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2200
"""Moments outside are slips of a client, and would overflow when moved between zones."""

MAX_LINE: Final = 200
"""Characters of a name, a subject, an id of somebody else."""

_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Control characters and separators of lines and paragraphs: the categories Cc, Zl and Zp."""
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class RequestModel(BaseModel):
    """A body, or a part of one. Unknown fields are errors: a misspelt field must not be lost in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("string_too_short", "Should have at least one visible character")
    return text


def _storable(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul_character", "Must not contain the character U+0000")
    if _SURROGATE.search(text):
        raise PydanticCustomError("lone_surrogate", "Must not contain half of a surrogate pair")
    return text


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control_character", "Must be one line without control characters")
    return text


def _line(text: str) -> str:
    # what can be printed holds nothing that is looked for below; a space that stands alone was trimmed
    return text if text.isprintable() else _one_line(_storable(text))


def _text(text: str) -> str:
    return text if text.isprintable() else _storable(_not_blank(text))


def _no_number_from_text(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise PydanticCustomError("number_type", "Should be a number")
    return value


def _instant_text(value: Any) -> Any:
    """Only RFC 3339: pydantic alone would take 1700000000 for a moment and 2026-11-25 for midnight."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise PydanticCustomError("instant_format", "Should be a moment with a zone, such as 2026-11-25T10:00:00+08:00")
    return value


def _instant_in_range(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("timezone_aware", "Should have a zone")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise PydanticCustomError("year_range", f"Should be in a year from {FIRST_YEAR} to {LAST_YEAR}")
    return value.astimezone(UTC)


def _day_text(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise PydanticCustomError("day_format", "Should be a day, such as 2026-11-25")
    return value


def _day_in_range(value: date) -> date:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise PydanticCustomError("year_range", f"Should be in a year from {FIRST_YEAR} to {LAST_YEAR}")
    return value


Storable = AfterValidator(_storable)
"""For texts with limits of their own: `Annotated[str, Storable, StringConstraints(...)]`."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT), AfterValidator(_text)]
"""Something that somebody wrote: trimmed, not empty, at most 20,000 characters, several lines."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LINE), AfterValidator(_line)]
"""A name, a subject, an id of somebody else: trimmed, not empty, one line, at most 200 characters."""

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
"""A word for programs, such as the number of a ticket in a path or a filter."""

Integer = Annotated[int, BeforeValidator(_no_number_from_text), Field(ge=-(2**53), le=2**53)]
"""A whole number of a body; a text with digits is not one. Exact in every client."""

Boolean = Annotated[bool, Field(strict=True)]
"""true or false, not "yes" or 1."""

Instant = Annotated[datetime, BeforeValidator(_instant_text), AfterValidator(_instant_in_range)]
"""A moment with a zone, in a year that people mean; kept in UTC."""

Day = Annotated[date, BeforeValidator(_day_text), AfterValidator(_day_in_range)]
"""A calendar day."""
