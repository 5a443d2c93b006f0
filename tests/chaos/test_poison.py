"""Poison is refused where it is said to be: by the very processes of a run, as their wrapper makes them, from the record to the handler."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.metrics import consumer as metrics
from services.tickets import consumer as tickets
from shared.consumer import Handle, Received
from shared.consumer.received import arrive
from shared.database import Transaction
from shared.events import Event
from shared.events.intake import CustomerRegistered
from shared.kafka.records import LogRecord
from shared.protocol import Numbered
from shared.service import Service
from tests.chaos import poison
from tests.chaos.story import MARK
from tests.tickets.builders import NOON, request_received

pytestmark = [
    pytest.mark.pure,
    # the wrapper and the service are run as the main module, as they are in a process of their own
    pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning"),
]

MARKED = request_received(subject=MARK)
OTHERS = [
    request_received(text=MARK),
    request_received(subject=None),
    CustomerRegistered(occurred_at=NOON, customer_id=uuid4(), name=MARK, locale="en"),
]

Apply = Callable[..., Awaitable[list[str]]]
"""Gives events to the service in one batch; the keys of what its handler applied."""


@pytest.fixture(params=poison.SERVICES)
def apply(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Apply:
    """The reading path of a service that was started through the wrapper, up to a handler that takes everything."""
    applied: list[str] = []

    def make_handler(_runtime: Any) -> Handle:
        async def handle(_tx: Transaction, received: Sequence[Received[Any]]) -> None:
            applied.extend(record.key for record in received)

        return handle

    monkeypatch.setattr(tickets, "create_handler", make_handler)
    monkeypatch.setattr(metrics, "make_handler", make_handler)
    monkeypatch.setattr(metrics, "read", metrics.read)  # so that what the wrapper puts there is gone after the test
    service = started(request.param, monkeypatch)
    assert service.handle is not None
    handle = service.handle(SimpleNamespace(settings=SimpleNamespace(home=tmp_path)))  # type: ignore[arg-type]

    async def apply(*events: Event) -> list[str]:
        applied.clear()
        found = [arrive(record(event, seq), service.reads, service.read).received for seq, event in enumerate(events, start=1)]
        await handle(None, [each for each in found if each is not None])  # type: ignore[arg-type]
        return list(applied)

    return apply


def started(name: str, monkeypatch: pytest.MonkeyPatch) -> Service[Any]:
    """What `python -m tests.chaos.poison -m services.<name> consume` runs."""
    found: list[Service[Any]] = []
    monkeypatch.setattr("shared.service.main", found.append)
    monkeypatch.setattr(sys, "argv", ["poison", "-m", f"services.{name}", "consume"])
    runpy.run_module("tests.chaos.poison", run_name="__main__")
    (service,) = found
    return service


def record(event: Event, seq: int) -> LogRecord:
    """As it comes from Kafka."""
    numbered = Numbered(1, seq, UUID(int=seq), None)
    return LogRecord((event.TOPIC.name, 3), seq, numbered, event.TYPE, event.key, event.occurred_at, {}, event.model_dump_json().encode())


async def test_while_the_flag_is_up_a_marked_request_is_refused_however_often_it_comes(apply: Apply, tmp_path: Path) -> None:
    poison.flag(tmp_path).touch()

    for _ in range(3):
        with pytest.raises(Exception, match="a marked request"):
            await apply(MARKED)
    with pytest.raises(Exception, match="a marked request"):
        await apply(*OTHERS, MARKED)


async def test_while_the_flag_is_up_nothing_else_is_refused(apply: Apply, tmp_path: Path) -> None:
    poison.flag(tmp_path).touch()

    assert await apply(*OTHERS) == [event.key for event in OTHERS]


async def test_without_the_flag_nothing_is_refused(apply: Apply, tmp_path: Path) -> None:
    poison.flag(tmp_path).touch()
    with pytest.raises(Exception, match="a marked request"):
        await apply(MARKED)

    poison.flag(tmp_path).unlink()

    assert await apply(MARKED, *OTHERS) == [event.key for event in [MARKED, *OTHERS]]
