"""All four services at once. They are made once per run; the databases are emptied after each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from shared.database import Database
from tests.api.houses import SERVICES, House, opened


@pytest.fixture(scope="session")
async def houses_of_run(
    intake_pool: Database,
    tickets_pool: Database,
    feedback_pool: Database,
    metrics_pool: Database,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[str, House]]:
    pools = {"intake": intake_pool, "tickets": tickets_pool, "feedback": feedback_pool, "metrics": metrics_pool}
    home = str(tmp_path_factory.mktemp("home"))
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(opened(SERVICES[name], pool, home)) for name, pool in pools.items()}


@pytest.fixture
def houses(
    houses_of_run: dict[str, House],
    intake_database: Database,
    tickets_database: Database,
    feedback_database: Database,
    metrics_database: Database,
) -> dict[str, House]:
    """The four services, empty."""
    for house in houses_of_run.values():
        house.runtime.keys.forget()
    return houses_of_run


@pytest.fixture(params=sorted(SERVICES))
def house(request: pytest.FixtureRequest, houses_of_run: dict[str, House]) -> House:
    """Each service in turn, empty."""
    request.getfixturevalue(f"{request.param}_database")
    house = houses_of_run[request.param]
    house.runtime.keys.forget()
    return house
