"""A change's fact as a row of the history, and back. A promise becomes the ids of its policy and calendar, with the budgets they gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from services.tickets import sla
from services.tickets.sla import Promise, ServiceLevels
from services.tickets.workflow.changes import NAMES, Fact
from shared.database import from_json, to_json

_PROMISES: Final = ("promise", "next_response")
"""Fields of facts that may hold one."""

_ADAPTERS: Final[Mapping[str, TypeAdapter[Fact]]] = {name: TypeAdapter(fact) for fact, name in NAMES.items()}


def to_row(fact: Fact) -> str:
    """What the history keeps of a fact."""
    fields = {name: getattr(fact, name) for name in fact.__slots__}
    for name in _PROMISES:
        if isinstance(promise := fields.get(name), Promise):
            fields[name] = _reference(promise)
    return to_json(fields)


def from_row(type: str, data: str, levels: ServiceLevels) -> Fact:
    """The fact of a row. ``levels`` are an edition that knows every promise named in it."""
    fields = from_json(data)
    for name in _PROMISES:
        if isinstance(fields.get(name), dict):
            fields[name] = _promise(fields[name], levels)
    return _ADAPTERS[type].validate_python(fields)


def _reference(promise: Promise) -> dict[str, Any]:
    policy, hours = promise.policy, promise.hours
    return {
        "policy": policy.id,
        "version": policy.version,
        "calendar": hours.id,
        "calendar_version": hours.version,
        "edition": promise.edition,
        "first_response_ms": sla.milliseconds(policy.first_response),
        "next_response_ms": None if policy.next_response is None else sla.milliseconds(policy.next_response),
        "resolution_ms": sla.milliseconds(policy.resolution),
    }


def _promise(named: Mapping[str, Any], levels: ServiceLevels) -> Promise:
    return levels.given((named["policy"], named["version"]), (named["calendar"], named["calendar_version"]), named["edition"])
