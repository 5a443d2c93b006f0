"""Chromium for tests that look at pages. It is the machine's own; where there is none, they are skipped, under CI=true they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """A browser without a window."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing = "needs Chromium (Debian and Ubuntu: apt install chromium)"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    async with async_playwright() as playwright:
        # its sandbox does not work for root, nor in most containers; it opens our own pages alone
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visitor:
    """Somebody in front of a page, and what the browser complained about."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@asynccontextmanager
async def visiting(browser: Browser, *, width: int, language: str = "en", scripts: bool = True) -> AsyncIterator[Visitor]:
    """A fresh browser, without cookies."""
    context = await browser.new_context(viewport={"width": width, "height": 900}, locale=language, java_script_enabled=scripts)
    visitor = Visitor(context, await context.new_page())

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            visitor.complaints.append(message.text)

    visitor.page.on("console", heard)
    visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    try:
        yield visitor
    finally:
        await context.close()
