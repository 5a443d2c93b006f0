"""The tracking page as customers see it: without a script, on a phone and on a desk, in three languages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from services.tickets.app import create_app
from services.tickets.handlers import desk
from services.tickets.language.customers import STATUS
from services.tickets.pages.wording import WORDS
from services.tickets.settings import TicketsSettings
from services.tickets.workflow.commands import Command, Letter, Start, Step, Take, Wait
from services.tickets.workflow.status import Cause
from shared import clock
from shared.database import Database
from shared.events.codes import Locale
from shared.events.proof import proof
from shared.runtime import Runtime
from shared.server import listen, new_server
from tests import chromium
from tests.chromium import Visitor, visiting
from tests.tickets.builders import AGENT, a_reference, request_received
from tests.tickets.observation import take_in, ticket

pytestmark = [pytest.mark.postgres, pytest.mark.api, pytest.mark.browser]

SMALL = """() => [...document.querySelectorAll('a, button, input:not([type=hidden])')].filter(thing => {
    const box = thing.getBoundingClientRect(); return box.width < 44 || box.height < 44 }).map(thing => thing.outerHTML)"""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium.started() as browser:
        yield browser


@pytest.fixture
async def site(tickets_database: Database) -> AsyncIterator[str]:
    """Where the service can be visited."""
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    values: dict[str, Any] = {"database_url": "postgresql://not-used/", "signing_key": "k" * 40, "tickets_public_url": url}
    server = new_server(create_app(Runtime.for_tests(tickets_database, TicketsSettings(**values))), patience=1)
    task = asyncio.create_task(server.serve([listening]))
    yield url
    server.should_exit = True
    await task


async def waited_for(database: Database) -> str:
    """A repair that waits for its customer, whose phone number ends in 8000."""
    reference, at = a_reference(), clock.now() - timedelta(hours=1)
    digest = proof(b"k" * 40, reference, "8000")
    await take_in(database, request_received(reference=reference, occurred_at=at, locale="zh-TW", proofs=(digest,)))
    work: list[Command | Letter] = [Take(), Start(), Step("repairing"), Letter("哪一款？" * 40), Wait(Cause.CUSTOMER)]
    for command in work:
        seen = await ticket(database, reference)
        async with database.transaction() as tx:
            await desk.act(tx, reference, command, by=AGENT, version=seen.version, at=at)
    return reference


async def fits(visitor: Visitor) -> None:
    assert await visitor.overflow() <= 0
    assert visitor.complaints == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("locale", list(Locale))
async def test_a_customer_proves_himself_and_reads_how_it_stands(
    browser: Browser, site: str, tickets_database: Database, width: int, locale: Locale
) -> None:
    reference = await waited_for(tickets_database)
    async with visiting(browser, width=width, language=locale.value) as visitor:
        page, words = visitor.page, WORDS[locale]
        await page.goto(f"{site}/track/{reference}")
        await expect(page.locator("h1")).to_have_text(words.title)
        assert await page.evaluate(SMALL) == []
        await fits(visitor)

        await page.fill("#proof", "8000")
        await page.click("main button")

        await expect(page.locator("h1")).to_have_text(STATUS["waiting_customer"][list(Locale).index(locale)])
        await expect(page.locator(".steps [aria-current=step]")).to_have_count(1)
        await expect(page.locator(".message")).to_have_count(1)
        assert await page.evaluate(SMALL) == []
        await fits(visitor)


async def test_it_needs_no_script_and_changes_its_language_in_place(browser: Browser, site: str, tickets_database: Database) -> None:
    reference = await waited_for(tickets_database)
    async with visiting(browser, width=390, scripts=False) as visitor:
        page = visitor.page
        await page.goto(f"{site}/track/{reference}")
        await page.fill("#proof", "1111")
        await page.click("main button")
        await expect(page.locator("[role=alert]")).to_have_text(WORDS[Locale.EN].wrong)

        await page.fill("#proof", "+86 138 0013 8000")
        await page.click("main button")
        await page.click("a[lang=zh-TW]")

        await expect(page.locator("h1")).to_have_text(STATUS["waiting_customer"][1])
        await page.reload()
        await expect(page.locator("h1")).to_have_text(STATUS["waiting_customer"][1])
