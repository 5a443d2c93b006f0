"""The commands as an operator runs them: what they print and how they end."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from services.metrics import commands
from shared.database import Database
from tests.metrics.builders import HOUR, Story, numbered, random_history
from tests.metrics.database import recorded, rollups, tamper

pytestmark = pytest.mark.postgres


@pytest.fixture
def _addressed(metrics_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    url = metrics_database.url
    monkeypatch.setenv("METRICS_DATABASE_URL", url)


async def run(*arguments: str) -> Result:
    """The command in a thread: it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, commands.app, arguments)


@pytest.mark.usefixtures("_addressed")
async def test_verify_ends_well_when_nothing_differs(metrics_database: Database) -> None:
    entries = numbered(random_history(1, 20))
    await recorded(metrics_database, [entries])

    found = await run("verify")

    assert found.exit_code == 0, found.output
    assert "0 differences" in found.output
    assert f"{len(entries)} events" in found.output
    assert await commands.verify(metrics_database) == []


@pytest.mark.usefixtures("_addressed")
async def test_verify_ends_with_1_and_shows_what_differs(metrics_database: Database) -> None:
    await recorded(metrics_database, [numbered(Story().later(HOUR).replied().events)])
    async with metrics_database.transaction() as tx:
        await tamper(tx, "tickets_opened", "count", 7)

    table, machine = await run("verify"), await run("verify", "--json")

    assert (table.exit_code, machine.exit_code) == (1, 1)
    assert "tickets_opened" in table.output
    proof: dict[str, Any] = orjson.loads(machine.stdout)
    assert proof["differences"] == [
        {
            "kpi": "tickets_opened",
            "dimension": "total",
            "span": 1,
            "value": "",
            "bucket_start": "2026-03-02T08:00:00+00:00",
            "measure": "count",
            "expected": 1,
            "actual": 7,
        }
    ]


@pytest.mark.usefixtures("_addressed")
async def test_rebuild_repairs_what_verify_found(metrics_database: Database) -> None:
    await recorded(metrics_database, [numbered(random_history(2, 20))])
    before = await rollups(metrics_database)
    async with metrics_database.transaction() as tx:
        await tamper(tx, "requests", "count", 999)

    rebuilt = await run("rebuild", "--json")

    assert rebuilt.exit_code == 0, rebuilt.output
    assert orjson.loads(rebuilt.stdout)["version"] == 2
    assert await rollups(metrics_database) == before
    assert (await run("verify")).exit_code == 0


@pytest.mark.usefixtures("_addressed")
async def test_rebuild_shows_how_far_it_is(metrics_database: Database) -> None:
    await recorded(metrics_database, [numbered(random_history(2, 5))])

    found = await run("rebuild")

    assert found.exit_code == 0
    assert "Projection 2 is in use" in found.output


async def test_without_an_address_the_command_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METRICS_DATABASE_URL", raising=False)

    found = await run("verify")

    assert found.exit_code == 2
    assert "METRICS_DATABASE_URL" in found.output
