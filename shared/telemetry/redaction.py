"""Keeps personal data and secrets out of logs, twice: by the name of a field, and by what its text looks like.

Fields are allowed, not forbidden: a field whose name is not known to be harmless is shown as `[redacted]` unless its value cannot say
anything about a person (a truth value, a small number). A name is allowed by `ALLOWED` or by its ending (`_id`, `_ms`, ...). Add a name
only when its values are ids, codes or numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID

from shared.number import NUMBER

REDACTED: Final = "[redacted]"
MAX_STRING: Final = 2_000
"""Characters of one logged text."""
MAX_SMALL: Final = 999_999_999
"""Numbers above it could be phone numbers."""

# fmt: off
ALLOWED: Final = frozenset(
    {
        "action", "actor_type", "attempt", "attempts", "backoff", "batch", "broker", "bytes", "carrier", "category", "channel", "check",
        "checks", "code", "consumer", "consumers", "correlation_id", "count", "database", "delay", "dropped", "duration_ms",
        "env", "epoch", "error", "errors", "event", "exception", "exit_code", "expected", "field", "fields", "fired",
        "from_seq", "from_status", "gap", "gen", "group", "handler", "head", "host", "index", "instance", "items", "key",
        "kind", "kpi", "lag", "last_seq", "level", "limit", "locale", "log", "logger", "loop", "loops", "message", "method",
        "missing", "module", "number", "offset", "ordinal", "outcome", "owner", "parked", "part", "partition", "parts", "pid",
        "policy", "port", "position", "principal", "priority", "problem", "process", "quiet", "rate", "reason", "records",
        "reference", "request_id", "role", "roles", "route", "rows", "scope", "scopes", "seconds", "sent", "seq", "sequence",
        "service", "signal", "size", "skipped", "source", "sqlstate", "state", "status", "step", "stopped", "suppressed",
        "tail", "team", "thread", "ticket", "timeout", "to_seq", "to_status", "topic", "topics", "total", "ts", "type", "types",
        "unit", "urgency", "verdict", "version", "waited", "window", "worker", "zone",
    }
)
# fmt: on
ALLOWED_ENDINGS: Final = ("_id", "_ids", "_ms", "_at", "_seq", "_count", "_seconds", "_version", "_bytes", "_code", "_type", "_status")

_CHINESE_MOBILE: Final = re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)")
_INTERNATIONAL = r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){6,14}(?!\d)"
_LANDLINE: Final = re.compile(r"(?<![\d.:-])0\d{2,3}[ -]\d{7,8}(?!\d)")
_EMAIL = r"[^\s@<>\"',;:()\[\]]+@[^\s@<>\"',;:()\[\]]+\.[^\s@<>\"',;:()\[\].]{2,}"

_SECRETS: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [redacted]"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"), "[token]"),
    (re.compile(r"\bak_[a-z0-9]{1,16}_[A-Za-z0-9]{4,32}_[\w-]{20,}"), "[api key]"),
    (re.compile(r"\bwhsec_[\w+/=-]{8,}"), "[webhook secret]"),
    (re.compile(r"\b([a-z][a-z0-9+.-]*://)[^\s/@:]*:[^\s/@]*@"), r"\1[redacted]@"),
)
_PERSONAL: Final = (
    (re.compile(_EMAIL), "[email]"),
    (re.compile(_INTERNATIONAL), "[phone]"),
)
_HEX_BEFORE: Final = re.compile(r"[0-9a-f-]{1,64}\Z")
_HEX_AFTER: Final = re.compile(r"[0-9a-f-]{1,64}")
SHORTEST_ID: Final = 24
"""Characters of the shortest hexadecimal id that we write."""
_OPENID: Final = re.compile(r"(?<![\w-])o[\w-]{27}(?![\w-])")
_CHINESE_ID: Final = re.compile(r"(?<![\dA-Za-z])\d{17}[\dXx](?![\dA-Za-z])")
_CARD: Final = re.compile(r"(?<![\dA-Za-z])\d(?:[ -]?\d){12,18}(?![\dA-Za-z])")


def redact(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a log line as they may be written."""
    return {name: _value(value) if is_allowed(name) else _unknown(value) for name, value in fields.items()}


def is_allowed(name: str) -> bool:
    """Whether the values of a field of this name are ids, codes or numbers."""
    return name in ALLOWED or name.endswith(ALLOWED_ENDINGS)


_SUSPECT: Final = re.compile(r"@|\d(?:[ ().-]{0,2}\d){6}|(?i:bearer|basic)|eyJ|ak_|whsec_|://|o[\w-]{27}")
"""Whatever holds none of these is left as it is by all patterns above: one look instead of a dozen."""


def redact_text(text: str) -> str:
    """The text without what looks like a secret, an address or a number of a person."""
    if len(text) > MAX_STRING:
        text = f"{text[:MAX_STRING]}..."
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return redact_suspect(text) if _SUSPECT.search(text) else text


def redact_suspect(text: str) -> str:
    """The same, by all patterns one after another. A number of ours is none of a person, whatever its digits may look like."""
    if NUMBER.fullmatch(text):
        return text
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    if "@" in text or any(character.isdigit() for character in text):
        for pattern, replacement in _PERSONAL:
            text = pattern.sub(replacement, text)
        for pattern in (_CHINESE_MOBILE, _LANDLINE):
            text = pattern.sub(_phone_unless_in_an_id, text)
        text = _CHINESE_ID.sub(_replace_if(_is_chinese_id, "[id number]"), text)
        text = _CARD.sub(_replace_if(_has_luhn_check, "[card]"), text)
    return _OPENID.sub(_replace_if(_is_openid, "[open id]"), text)


def _value(value: Any) -> Any:
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < 2**63 else str(value)
        case Enum():
            return _value(value.value)
        case UUID() | date():
            return str(value)
        case timedelta():
            return value.total_seconds()
        case str():
            return redact_text(value)
        case bytes():
            return REDACTED
        case Mapping():
            return redact({str(name): item for name, item in value.items()})
        case Sequence() | set() | frozenset():
            return [_value(item) for item in value]
        case _:
            return redact_text(str(value))


def _unknown(value: Any) -> Any:
    match value:
        case None | bool() | UUID() | timedelta():
            return _value(value)
        case int() | float() if abs(value) <= MAX_SMALL:
            return value
        case _:
            return REDACTED


def _replace_if(holds: Callable[[str], bool], replacement: str) -> Callable[[re.Match[str]], str]:
    return lambda match: replacement if holds(match.group()) else match.group()


def _phone_unless_in_an_id(match: re.Match[str]) -> str:
    """Eleven digits in the midst of a UUID or a digest are no phone number."""
    before = _HEX_BEFORE.search(match.string[: match.start()])
    after = _HEX_AFTER.match(match.string[match.end() :])
    around = f"{before.group() if before else ''}{after.group() if after else ''}"
    is_id = len(around) + len(match.group()) >= SHORTEST_ID and any(map(str.isalpha, around))
    return match.group() if is_id else "[phone]"


def _is_chinese_id(text: str) -> bool:
    """The check character of ISO 7064 mod 11-2."""
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17].upper()


def _has_luhn_check(text: str) -> bool:
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    return sum(digit if place % 2 == 0 else sum(divmod(digit * 2, 10)) for place, digit in enumerate(digits)) % 10 == 0


def _is_openid(text: str) -> bool:
    """WeChat's ids mix cases and digits; words of our own do not."""
    return any(map(str.isupper, text)) and any(map(str.islower, text)) and any(map(str.isdigit, text))
