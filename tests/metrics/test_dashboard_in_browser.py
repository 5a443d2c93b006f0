"""The dashboard as people see it: signed in without a script, at both widths and in all languages, with figures, tables and files."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from playwright.async_api import Browser, Page, expect

from services.metrics.app import create_app
from services.metrics.pages.rendering import WORDS
from services.metrics.settings import MetricsSettings
from shared import clock
from shared.auth import Role
from shared.database import Database
from shared.events.codes import Locale
from shared.runtime import Runtime
from shared.server import listen, new_server
from tests import chromium
from tests.chromium import Visitor, visiting
from tests.metrics.builders import answer, numbered, request
from tests.metrics.database import recorded
from tests.shared.callers import new_key

pytestmark = [pytest.mark.postgres, pytest.mark.api, pytest.mark.browser]

REQUESTS = 60
SCORES = [5] * 30 + [4] * 10
"""4.75 of 40 answers: surely above 4.2."""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium.started() as browser:
        yield browser


@pytest.fixture
async def site(metrics_database: Database) -> AsyncIterator[str]:
    """Where the service can be visited."""
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = MetricsSettings(database_url="postgresql://not-used/", signing_key="k" * 40, metrics_public_url=url, zone="UTC")
    server = new_server(create_app(Runtime.for_tests(metrics_database, settings)), patience=1)
    task = asyncio.create_task(server.serve([listening]))
    yield url
    server.should_exit = True
    await task


async def history(database: Database) -> None:
    """What happened in the last three weeks."""
    now = clock.now()
    chance = random.Random(7)

    def lately() -> datetime:
        return now - timedelta(minutes=chance.randrange(1, 20 * 24 * 60))

    requests = [request(number, lately(), channel=chance.choice(["wechat", "web", "phone"])) for number in range(REQUESTS)]
    answers = [answer(number, lately(), overall=score) for number, score in enumerate(SCORES)]
    await recorded(database, [numbered([*requests, *answers])])


async def signed_in(visitor: Visitor, site: str, database: Database, address: str) -> Page:
    """The page at the address, for a lead who is asked for his key on the way."""
    page = visitor.page
    await page.goto(f"{site}/{address}")
    await page.fill("#key", await new_key(database, Role.LEAD, principal="lena"))
    await page.click("main button[type=submit]")
    return page


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("locale", list(Locale))
async def test_a_lead_sees_the_figures_at_any_width_in_his_language(
    browser: Browser, site: str, metrics_database: Database, width: int, locale: Locale
) -> None:
    await history(metrics_database)
    async with visiting(browser, width=width, language=locale.value) as visitor:
        page = await signed_in(visitor, site, metrics_database, f"dashboard?lang={locale.value}")

        await expect(page.locator("#csat_mean .value")).to_have_text("4.75")
        await expect(page.locator("#csat_mean .verdict")).to_have_text(f"✓ {WORDS[locale]['verdict']['met']}")
        await expect(page.locator("#csat_mean .cases")).to_have_text(f"n = {len(SCORES)}")
        await expect(page.locator("#channels canvas")).to_have_count(1)
        await expect(page.locator("#nothing")).to_be_hidden()
        assert await visitor.overflow() <= 0
        assert visitor.complaints == []


async def test_each_chart_is_a_table_as_well_and_a_file(browser: Browser, site: str, metrics_database: Database) -> None:
    await history(metrics_database)
    async with visiting(browser, width=1280) as visitor:
        page = await signed_in(visitor, site, metrics_database, "dashboard")
        await expect(page.locator("#channels tbody tr")).to_have_count(3)
        await page.click("#channels summary")

        async with page.expect_download() as saving:
            await page.click("#channels .csv")
        saved = (await (await saving.value).path()).read_text(encoding="utf-8-sig").splitlines()

        shown = await page.locator("#channels tbody tr td:nth-child(2)").all_inner_texts()
        assert sum(map(int, shown)) == REQUESTS
        assert saved[0].startswith("channel,requests,")
        assert [line.split(",")[1] for line in saved[1:]] == shown


async def test_what_is_chosen_stands_in_the_address_and_survives_a_change_of_language(
    browser: Browser, site: str, metrics_database: Database
) -> None:
    async with visiting(browser, width=1280) as visitor:
        page = await signed_in(visitor, site, metrics_database, "dashboard?lang=en")
        await expect(page.locator("#period")).not_to_be_empty()

        await page.click("[data-range='7d']")
        await page.select_option("#zone", "Asia/Tokyo")
        await page.click(".languages [lang='zh-TW']")

        await expect(page.locator("html")).to_have_attribute("lang", "zh-TW")
        await expect(page.locator("[data-range='7d']")).to_have_attribute("aria-pressed", "true")
        await expect(page.locator("#zone")).to_have_value("Asia/Tokyo")


async def test_new_figures_appear_by_themselves(browser: Browser, site: str, metrics_database: Database) -> None:
    async with visiting(browser, width=1280) as visitor:
        page = await signed_in(visitor, site, metrics_database, "dashboard?lang=en")
        await expect(page.locator("#nothing")).to_be_visible()
        await expect(page.locator("#state")).to_have_text("Live")

        await history(metrics_database)

        await expect(page.locator("#csat_mean .value")).to_have_text("4.75", timeout=15_000)
        await expect(page.locator("#nothing")).to_be_hidden()


async def test_a_failure_is_told_and_the_last_figures_stay(browser: Browser, site: str, metrics_database: Database) -> None:
    await history(metrics_database)
    async with visiting(browser, width=1280) as visitor:
        page = await signed_in(visitor, site, metrics_database, "dashboard?lang=en")
        await expect(page.locator("#csat_mean .value")).to_have_text("4.75")

        await page.route("**/v1/kpis**", lambda route: route.fulfill(status=503, headers={"X-Request-Id": "abcdef123456"}, json={}))
        await page.click("[data-range='7d']")

        await expect(page.locator("#fault")).to_be_visible()
        await expect(page.locator("#fault-id")).to_contain_text("abcdef123456")
        await expect(page.locator("#csat_mean .value")).to_have_text("4.75")
        await page.unroute("**/v1/kpis**")
        await page.click("#again")
        await expect(page.locator("#fault")).to_be_hidden()


async def test_signing_in_and_out_needs_no_script(browser: Browser, site: str, metrics_database: Database) -> None:
    async with visiting(browser, width=390, scripts=False) as visitor:
        page = await signed_in(visitor, site, metrics_database, "login?lang=en")

        await expect(page.locator("h1")).to_have_text("You are signed in")
        await page.click("text=Sign out")
        await expect(page.locator("[role=status]")).to_have_text("You have signed out.")
        await page.goto(f"{site}/dashboard")
        await expect(page.locator("#key")).to_be_visible()


async def test_targets_for_fingers_are_large_enough(browser: Browser, site: str, metrics_database: Database) -> None:
    async with visiting(browser, width=390) as visitor:
        page = await signed_in(visitor, site, metrics_database, "dashboard?lang=en")
        await expect(page.locator("#period")).not_to_be_empty()

        targets = page.locator("main button:visible, main select:visible, .languages a, .account button, summary:visible")
        for target in await targets.all():
            box = await target.bounding_box()
            assert box is not None
            assert box["height"] >= 44, await target.inner_text()
