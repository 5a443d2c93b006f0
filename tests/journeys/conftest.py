"""One platform for all journeys of a run; each journey has a customer and a team of its own, so that none sees another's figures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from uuid import uuid4

import httpx
import pytest

from tests.journeys.people import Customer, Staff
from tests.journeys.platform import Platform, running


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    with running() as platform:
        yield platform


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A journey that fails shows what the platform said."""
    report = yield
    running_platform = item.funcargs.get("platform")
    if report.failed and report.when == "call" and isinstance(running_platform, Platform):
        report.sections.append(("platform", running_platform.said()))
    return report


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=15) as client:
        yield client


@pytest.fixture
def customer(platform: Platform, client: httpx.AsyncClient) -> Customer:
    return Customer(platform, client, f"{uuid4().hex[:12]}@example.com", "zh-CN")


@pytest.fixture
def agent(platform: Platform, client: httpx.AsyncClient) -> Staff:
    return Staff(platform, client, "agent")


@pytest.fixture
def manager(platform: Platform, client: httpx.AsyncClient) -> Staff:
    return Staff(platform, client, "manager")


@pytest.fixture
def team() -> str:
    return f"team-{uuid4().hex[:8]}"
