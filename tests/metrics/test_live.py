"""The live stream over a real connection: everything first, then what changes, and nothing for those who do not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from services.metrics.api import board
from services.metrics.api.board import Board, Listener, Told
from services.metrics.schemas import AsOfOut, ChangeOut
from shared import clock
from shared.auth import Role
from shared.server import listen, new_server
from tests.metrics.builders import MINUTE, numbered, request
from tests.metrics.conftest import Door
from tests.metrics.database import recorded
from tests.waiting import eventually

pytestmark = [pytest.mark.postgres, pytest.mark.api]

PATIENCE = 20.0


@dataclass(frozen=True)
class Event:
    """One event as a browser sees it."""

    name: str
    id: str
    data: dict[str, Any]

    def values(self, range_: str) -> dict[str, Any]:
        """The figures of a range."""
        return {item["kpi"]: item["value"] for item in self.data["items"] if item["range"] == range_}


class Stream:
    """A connection that is read event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> Event:
        """The next event that is no comment."""
        async with asyncio.timeout(PATIENCE):
            fields: dict[str, str] = {}
            async for line in self._lines:
                if not line and "data" in fields:
                    return Event(fields["event"], fields["id"], orjson.loads(fields["data"]))
                name, _, value = line.partition(": ")
                fields[name] = value
        raise EOFError


@dataclass
class Served:
    """Metrics behind a real server."""

    door: Door
    address: str
    key: str

    @asynccontextmanager
    async def stream(self, **headers: str) -> AsyncIterator[Stream]:
        """A caller who listens."""
        async with (
            httpx.AsyncClient(timeout=PATIENCE) as client,
            client.stream("GET", f"{self.address}/v1/live", headers={"Authorization": self.key, **headers}) as response,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            yield Stream(response)


@pytest.fixture
async def served(door: Door, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(board, "LOOK_EVERY", 0.05)
    caller = await door.caller(Role.MANAGER)
    listening = listen("127.0.0.1", 0)
    server = new_server(door.app, patience=1)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    yield Served(door, f"http://127.0.0.1:{listening.getsockname()[1]}", caller.headers["authorization"])
    server.should_exit = True
    await running
    listening.close()


async def test_the_first_event_holds_every_figure_of_today_and_of_thirty_days(served: Served) -> None:
    await recorded(served.door.database, [numbered([request(1, clock.now()), request(2, clock.now() - 20 * 24 * 60 * MINUTE)])])

    async with served.stream() as stream:
        first = await stream.next()

    assert first.name == "snapshot"
    assert first.data["zone"] == "Asia/Shanghai"
    assert set(first.data["ranges"]) == {"today", "last_30_days"}
    assert (first.values("today")["requests"], first.values("last_30_days")["requests"]) == (1, 2)


async def test_then_only_what_has_changed_is_told(served: Served) -> None:
    async with served.stream() as stream:
        await stream.next()
        await _happened(served, 1)
        change = await stream.next()

    assert change.name == "change"
    assert change.values("today") == {"requests": 1}
    assert change.data["as_of"]["positions"]


async def test_whoever_comes_back_and_has_missed_nothing_hears_nothing_again(served: Served) -> None:
    async with served.stream() as stream, served.stream() as other:
        seen = await stream.next()
        await other.next()
        async with served.stream(**{"Last-Event-ID": seen.id}) as again:
            await _happened(served, 1)
            assert (await again.next()).name == "change"


async def test_whoever_comes_back_and_has_missed_something_hears_everything(served: Served) -> None:
    async with served.stream(**{"Last-Event-ID": "an-older-one"}) as stream:
        assert (await stream.next()).name == "snapshot"


async def test_a_new_target_is_told(served: Served) -> None:
    manager = await served.door.caller(Role.MANAGER)

    async with served.stream() as stream:
        await stream.next()
        await manager.put("/v1/targets/nps", json={"value": 50, "valid_from": "2020-01-01T00:00:00Z"}, headers={"If-Match": '"1"'})
        change = await stream.next()

    assert {(item["kpi"], item["target"]) for item in change.data["items"]} == {("nps", 50.0)}


async def test_the_stream_ends_when_the_process_ends(served: Served) -> None:
    async with served.stream() as stream:
        await stream.next()
        served.door.app.state.runtime.health.is_draining = True
        with pytest.raises(EOFError):
            await stream.next()


async def test_a_stream_ends_after_its_time_and_is_asked_for_again(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = door.app.state.runtime.settings.model_copy(update={"stream_seconds": 0})
    monkeypatch.setattr(door.app.state.runtime, "settings", settings)
    manager = await door.caller(Role.MANAGER)

    heard = await manager.get("/v1/live")  # returns, because it ends

    assert heard.status_code == 200
    assert heard.text.startswith("event: snapshot\n")


async def test_nobody_looks_at_the_database_while_nobody_listens(served: Served) -> None:
    asked: Board = served.door.app.state.board

    async with served.stream() as stream:
        await stream.next()
        assert asked.is_watching

    await eventually(lambda: asyncio.sleep(0, asked.is_watching), wanted=lambda is_watching: not is_watching)


async def test_who_does_not_read_is_dropped() -> None:
    told = Told("change", "2", ChangeOut(as_of=AsOfOut(positions={}, event_time=None), items=[]))
    slow, patient = Listener(), Listener()

    for number in range(board.PATIENCE + 1):
        slow.tell(told)
        if number < board.PATIENCE:
            patient.tell(told)

    assert [heard async for heard in slow.heard(1)] == []
    assert [heard async for heard in patient.heard(0.01)] == [told] * board.PATIENCE


async def _happened(served: Served, number: int) -> None:
    """A request came in, and the consumer has got further."""
    entries = numbered([request(number, clock.now())])
    await recorded(served.door.database, [entries])
    async with served.door.database.transaction() as tx:
        await tx.execute("UPDATE consumer_part SET last_seq = 1 WHERE (topic, part) = ($1, $2)", entries[0].topic, entries[0].part)
