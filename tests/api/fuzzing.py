"""Runs schemathesis over one service in process, and tells what it found in words."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.core import EventStream
from schemathesis.python.asgi import shutdown_lifespans
from starlette.types import ASGIApp

# what a schema cannot say (a zone that exists, a phone number that holds, a state that allows it) is told by these
REFUSALS: Final = ["2xx", "3xx", 401, 403, 404, 409, 410, 412, 422, 428, 429]

# each item of a batch has a status of its own inside a 207
BATCH: Final = {
    "include-operation-id": "createRequests",
    "checks": {"negative_data_rejection": {"expected-statuses": [207, 400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]}},
}


@dataclass
class Fuzzed:
    """What a run did and found."""

    requests: int = 0
    operations: set[str] = field(default_factory=set)
    statuses: dict[int, int] = field(default_factory=dict)
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By check, operation and title: the first example."""
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n\n".join([*(" | ".join(key) + "\n" + example for key, example in self.failures.items()), *self.errors])


def fuzz(
    app: ASGIApp, *, key: str, seconds: int, seed: int, parameters: dict[str, Any], operations: Collection[str] = frozenset()
) -> Fuzzed:
    """Every phase and every check; `parameters` holds values that exist, by name.

    The seconds are those that this process computes, so that on a busy machine no less is tried. It goes on until each of `operations` was
    tried; ten times as long by the clock is the end.
    """
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "max-time": 10 * seconds,
            "continue-on-failure": True,
            "headers": {"Authorization": f"Bearer {key}"},
            "parameters": parameters,
            "cache": {"enabled": False},
            "generation": {"max-examples": 25, "database": "none"},
            "checks": {"enabled": True, "positive_data_acceptance": {"expected-statuses": REFUSALS}},
            "operations": [BATCH],
        }
    )
    try:
        return _watched(from_schema(schemathesis.openapi.from_asgi("/openapi.json", app, config=config)).execute(), seconds, operations)
    finally:
        shutdown_lifespans()


def _watched(stream: EventStream, seconds: int, operations: Collection[str]) -> Fuzzed:
    found, until = Fuzzed(), time.process_time() + seconds
    for event in stream:
        if time.process_time() > until and found.operations.issuperset(operations):
            stream.stop()
        if isinstance(event, events.ScenarioFinished):
            _take(found, event.recorder)
        elif isinstance(event, events.NonFatalError):
            found.errors.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            found.errors.append(repr(event.exception))
    return found


def _take(found: Fuzzed, recorder: Any) -> None:
    for interaction in recorder.interactions.values():
        found.requests += 1
        if interaction.response is not None:
            status = interaction.response.status_code
            found.statuses[status] = found.statuses.get(status, 0) + 1
    found.operations.update(node.value.operation.label for node in recorder.cases.values())
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.status is not Status.SUCCESS and check.failure_info is not None:
                failure = check.failure_info.failure
                response = recorder.interactions[case_id].response
                answered = "" if response is None else f"\n{response.status_code} {response.text[:500]}"
                example = f"{failure.message}\n{check.failure_info.code_sample[:2_000]}{answered}"
                found.failures.setdefault((check.name, failure.operation, failure.title), example)
