"""Which changes of a contract break somebody, decided on two schemas.

Two readers must go on: yesterday's code reading today's events, and today's code reading yesterday's (topics are kept for ever). So within
one major version only this is allowed: a new optional field, a looser limit, other words in titles and descriptions. Anything else is a
new major version beside the old one. Source of the rules: docs/decisions/event-contracts.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_WORDS: Final = frozenset({"title", "description", "$schema", "$id", "examples", "default"})
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_COMPOUND: Final = frozenset({"properties", "required", "items", "prefixItems", "anyOf", "additionalProperties", *_UPPER, *_LOWER})


def breaks(old: Mapping[str, Any], new: Mapping[str, Any], at: str = "#") -> list[str]:
    """What in ``new`` breaks a reader of ``old`` events or an old reader; empty when the change is compatible."""
    return list(_breaks(old, new, at))


def _breaks(old: Mapping[str, Any], new: Mapping[str, Any], at: str) -> Iterator[str]:
    for key in sorted((set(old) | set(new)) - _WORDS - _COMPOUND):
        if old.get(key) != new.get(key):
            yield f"{at}: {key} was {old.get(key)!r} and is {new.get(key)!r}"
    yield from _limits(old, new, at)
    yield from _properties(old, new, at)
    yield from _parts(old, new, at)


def _limits(old: Mapping[str, Any], new: Mapping[str, Any], at: str) -> Iterator[str]:
    for key in _UPPER:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{at}: {key} is tighter than before"
    for key in _LOWER:
        if key in new and (key not in old or new[key] > old[key]):
            yield f"{at}: {key} is tighter than before"


def _properties(old: Mapping[str, Any], new: Mapping[str, Any], at: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(set(before) - set(after)):
        yield f"{at}/{name}: was removed"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{at}/{name}: is newly required; events already sent do not hold it"
    for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        yield f"{at}/{name}: is no longer required; readers in use rely on it"
    for name in sorted(set(before) & set(after)):
        yield from _breaks(before[name], after[name], f"{at}/{name}")


def _parts(old: Mapping[str, Any], new: Mapping[str, Any], at: str) -> Iterator[str]:
    for key in ("items", "additionalProperties"):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _breaks(before, after, f"{at}/{key}")
        elif before != after:
            yield f"{at}: {key} changed"
    for key in ("anyOf", "prefixItems"):
        before, after = old.get(key, ()), new.get(key, ())
        if len(before) != len(after):
            yield f"{at}: {key} has {len(after)} branches instead of {len(before)}"
        for index, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from _breaks(one, other, f"{at}/{key}/{index}")
