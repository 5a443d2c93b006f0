"""What arrives, straight from its bytes to a line of the event log.

Producers write JSON in one plain form: exact types, instants as ``2026-03-02T08:00:00.123456Z``, ids in lower case. Metrics reads every
event of three services, so that form is read here without building the contract's model: each field is checked as the contract demands it
and, where `keeping.KEPT` keeps it, goes through its rule. Whatever is not plain (also what the contract refuses) is left to the contract,
which decides. So there is one meaning and a fast way to it: a law compares both for anything that may arrive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import orjson
from annotated_types import Ge, Le
from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from services.metrics.buckets import microseconds
from services.metrics.reduction import keeping
from services.metrics.reduction.keeping import KEPT, Data, Entry, NoIdentity, Rule, code, entry_of, identifier, identity
from shared.events import tickets
from shared.events.envelope import Event, Fact

Check = Callable[[Any], Any]
"""The value of a plain field as its rule takes it; raises NotPlain."""


class NotPlain(Exception):
    """Not the form that producers write: for the contract to judge."""


def read(contract: type[Event], topic: str, part: int, seq: int, value: bytes) -> Entry:
    """The line of the event log for the body of an event.

    Raises:
        ValidationError: the body is no event of this contract.
        NoIdentity: see `keeping.entry_of`.
    """
    try:
        return _plain(contract, topic, part, seq, value)
    except (NotPlain, NoIdentity, orjson.JSONDecodeError):
        return entry_of(topic, part, seq, contract.model_validate_json(value))


def _plain(contract: type[Event], topic: str, part: int, seq: int, value: bytes) -> Entry:
    body = orjson.loads(value)
    if type(body) is not dict:
        raise NotPlain
    data: dict[str, Any] = {}
    for name, check, rule, default in _fields_of(contract):
        try:
            found = body[name]
        except KeyError:
            if default is REQUIRED:
                raise NotPlain from None
            if default is not None:
                data[name] = default
            continue
        told = check(found)
        if rule is not None and told is not None:
            data[name] = told if rule is AS_IT_IS else rule(told)
    key = data.get(contract.KEY) or identity(_text(body[contract.KEY]))
    return Entry(topic, part, seq, contract.TYPE, key, _instant(body["occurred_at"])[1], data)


# ------------------------------------------------------------------ plain values

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise NotPlain
    return value


def _text_or_none(value: Any) -> str | None:
    if value is not None and type(value) is not str:
        raise NotPlain
    return value


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        raise NotPlain
    return value


@lru_cache(maxsize=1 << 14)
def _instant(text: str) -> tuple[int, datetime]:
    """Microseconds, and the same as UTC; most instants are told by several events."""
    if _INSTANT.fullmatch(text) is None:
        raise NotPlain
    try:
        instant = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotPlain from None
    return microseconds(instant), instant


def _microseconds(value: Any) -> int:
    if type(value) is not str:
        raise NotPlain
    return _instant(value)[0]


def _uuid(value: Any) -> str:
    if type(value) is not str or _UUID.fullmatch(value) is None:
        raise NotPlain
    return value


def _day(value: Any) -> str:
    if type(value) is not str or _DAY.fullmatch(value) is None:
        raise NotPlain
    try:
        date.fromisoformat(value)
    except ValueError:
        raise NotPlain from None
    return value


def _texts(value: Any) -> list[str]:
    if type(value) is not list or any(type(each) is not str for each in value):
        raise NotPlain
    return value


def _numbers_by_text(value: Any) -> dict[str, int]:
    if type(value) is not dict or any(type(number) is not int for number in value.values()):
        raise NotPlain
    return value


def _whole(low: float, high: float) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise NotPlain
        return value

    return check


def _number(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            raise NotPlain
        return float(value)

    return check


def _one_of(words: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not str or value not in words:
            raise NotPlain
        return value

    return check


def _optional(check: Check) -> Check:
    if check is _text:
        return _text_or_none

    def check_unless_none(value: Any) -> Any:
        return None if value is None else check(value)

    return check_unless_none


# ------------------------------------------------------------------ parts of events


def _target(value: Any) -> Data:
    """As `keeping` keeps a target."""
    if type(value) is not dict:
        raise NotPlain
    get = value.get
    paused, business, policy = get("paused_ms", 0), get("business_ms"), get("policy_version")
    if type(paused) is not int or paused < 0 or type(policy) is not int or policy < 1:
        raise NotPlain
    _text_or_none(get("policy"))
    _text_or_none(get("calendar"))
    data = {"started_at": _microseconds(get("started_at")), "due_at": _microseconds(get("due_at"))}
    met_at = get("met_at")
    if met_at is not None:
        data["met_at"] = _microseconds(met_at)
    data["paused_ms"] = paused
    if business is not None:
        if type(business) is not int or business < 0:
            raise NotPlain
        data["business_ms"] = business
    data["policy_version"] = policy
    return data


_DIMENSIONS: Final = tuple(tickets.Dimensions.model_fields)


def _dimensions(value: Any) -> Data:
    """As `keeping` keeps dimensions. Events of one quarter hour have many of them in common."""
    if type(value) is not dict or tuple(value) != _DIMENSIONS:
        raise NotPlain
    try:
        return _known_dimensions(tuple(value.values()))
    except TypeError:  # a list or an object in the place of a word
        raise NotPlain from None


@lru_cache(maxsize=1 << 13)
def _known_dimensions(values: tuple[str | None, ...]) -> Data:
    data: dict[str, Any] = {}
    for (name, is_always_told, rule), value in zip(_RULES, values, strict=True):
        if type(value) is str:
            if rule is not None:
                data[name] = rule(value)
        elif value is not None or is_always_told:
            raise NotPlain
    return data


_RULES: Final = [(name, field.annotation is str, keeping.DIMENSIONS.get(name)) for name, field in tickets.Dimensions.model_fields.items()]

# ------------------------------------------------------------------ fields of contracts

REQUIRED: Final = object()
AS_IT_IS: Final[Rule] = lambda value: value  # noqa: E731
"""The check has made of the value what the rule would."""

Field = tuple[str, Check, Rule | None, Any]
"""Name, check, rule (None: not kept), and what is kept when it is absent (REQUIRED: it must not be)."""


@cache
def _fields_of(contract: type[Event]) -> tuple[Field, ...]:
    rules = KEPT.get(contract, keeping.ALWAYS)
    return tuple(_field(name, field, rules.get(name)) for name, field in contract.model_fields.items())


def _field(name: str, field: FieldInfo, rule: Rule | None) -> Field:
    check = _check_of(field.annotation, field)
    words = rule if rule in (code, identifier, keeping.identifiers, keeping.scores) or (rule is identity and check is _text) else None
    default = REQUIRED if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    if default is not REQUIRED and default is not None:
        default = None if rule is None else rule(default)
    return name, check, None if rule is None else words or AS_IT_IS, default


_CHECKS: Final[Mapping[Any, Check]] = {
    str: _text,
    bool: _bool,
    AwareDatetime: _microseconds,
    date: _day,
    UUID: _uuid,
    tuple[str, ...]: _texts,
    dict[str, int]: _numbers_by_text,
    tickets.Dimensions: _dimensions,
    tickets.Target: _target,
}


def _check_of(annotation: Any, field: FieldInfo) -> Check:
    if annotation in _CHECKS:
        return _CHECKS[annotation]
    if annotation in (int, float):
        low = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), float("-inf"))
        high = next((limit.le for limit in field.metadata if isinstance(limit, Le)), float("inf"))
        return (_whole if annotation is int else _number)(low, high)  # type: ignore[arg-type]
    if get_origin(annotation) is Literal:
        return _one_of(get_args(annotation))
    if get_origin(annotation) in (Union, UnionType) and len(get_args(annotation)) == 2 and NoneType in get_args(annotation):
        (inner,) = [each for each in get_args(annotation) if each is not NoneType]
        return _optional(_check_of(inner, field))
    if isinstance(annotation, type) and issubclass(annotation, Fact):
        return _parts(annotation)
    return _never


def _parts(fact: type[Fact]) -> Check:
    """Of a part that is not kept: its fields are checked all the same."""
    fields = [_field(name, field, None) for name, field in fact.model_fields.items()]

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise NotPlain
        for name, check_field, _, default in fields:
            if name in value:
                check_field(value[name])
            elif default is REQUIRED:
                raise NotPlain

    return check


def _never(_value: Any) -> Any:
    """A kind of field that is not known here."""
    raise NotPlain
