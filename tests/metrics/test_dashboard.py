"""The dashboard's page: for managers who signed in, in three languages, with nothing from elsewhere and no script or style in the page."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.metrics.pages.rendering import ASSETS, HEADLINE, RANGES, TRENDS, WEB, WORDS
from services.metrics.pages.routes import POLICY
from shared.auth import GRANTS, Role
from shared.database import Database
from shared.events.codes import Channel, Locale
from shared.settings import ServiceSettings
from tests.metrics.conftest import Door
from tests.shared.callers import caller, new_key

pytestmark = [pytest.mark.postgres, pytest.mark.api]

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def app(door: Door) -> FastAPI:
    """The service."""
    return door.app


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has not signed in."""
    async with caller(app) as client:
        client.headers.update(HTML)
        yield client


@pytest.fixture
async def manager(browser: httpx.AsyncClient, metrics_database: Database) -> httpx.AsyncClient:
    """A manager who signed in."""
    await browser.post("/login", data={"key": await new_key(metrics_database, Role.MANAGER, principal="mei")})
    return browser


def data(page: str) -> Any:
    found = re.search(r'<script id="page" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


async def test_who_is_not_signed_in_is_led_to_the_sign_in_page_and_back(browser: httpx.AsyncClient, metrics_database: Database) -> None:
    sent_away = await browser.get("/dashboard?range=7d&zone=Asia/Taipei&lang=en")
    signing_in = await browser.get(f"/{sent_away.headers['Location']}")
    [back] = re.findall('name="next" value="([^"]+)"', signing_in.text)
    signed_in = await browser.post("/login", data={"key": await new_key(metrics_database, Role.LEAD), "next": back.replace("&amp;", "&")})
    arrived = await browser.get(f"/{signed_in.headers['Location']}")

    assert (sent_away.status_code, signed_in.status_code, arrived.status_code) == (303, 303, 200)
    assert signed_in.headers["Location"] == "dashboard?range=7d&zone=Asia/Taipei&lang=en"
    assert 'data-range="7d" aria-pressed="true"' in arrived.text
    assert '<option value="Asia/Taipei" selected>' in arrived.text


@pytest.mark.parametrize("role", list(Role))
async def test_only_who_may_read_key_figures_sees_the_page(browser: httpx.AsyncClient, metrics_database: Database, role: Role) -> None:
    await browser.post("/login", data={"key": await new_key(metrics_database, role)})

    answer = await browser.get("/dashboard")

    if "kpi:read" in GRANTS[role]:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.headers["Location"]) == (303, "login?next=dashboard&why=scope")
        assert 'role="alert"' in (await browser.get(f"/{answer.headers['Location']}")).text


async def test_a_program_without_a_key_gets_a_problem_and_no_page(app: FastAPI) -> None:
    async with caller(app) as nobody:
        answer = await nobody.get("/dashboard")

    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")


@pytest.mark.parametrize("locale", list(Locale))
async def test_the_page_speaks_each_language(manager: httpx.AsyncClient, locale: Locale) -> None:
    answer = await manager.get(f"/dashboard?lang={locale.value}")

    assert answer.headers["Content-Language"] == locale.value
    assert f'<html lang="{locale.value}">' in answer.text
    assert WORDS[locale]["kpi"]["csat_mean"] in answer.text
    assert data(answer.text)["words"] == WORDS[locale]


async def test_nothing_in_the_page_needs_a_looser_policy_and_nothing_comes_from_elsewhere(manager: httpx.AsyncClient) -> None:
    answer = await manager.get("/dashboard")

    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert not re.search(r"\son[a-z]+=|style=|javascript:|(?:src|href)=\"(?:https?:)?//", answer.text)
    inline = re.findall(r"<script([^>]*)>(?!</script>)", answer.text)
    assert inline == [' id="page" type="application/json"']


async def test_all_files_of_the_page_are_served_and_may_be_kept(manager: httpx.AsyncClient) -> None:
    page = (await manager.get("/dashboard")).text

    files = re.findall(r'(?:src|href)="((?:dashboard|login)/assets/[^"]+)"', page)
    assert len(set(files)) == 5
    for file in files:
        answer = await manager.get(f"/{file}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]


async def test_modules_import_only_modules_that_are_there(manager: httpx.AsyncClient) -> None:
    for script in (WEB / "static").glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', script.read_text()):
            assert (await manager.get(f"/dashboard/assets/{ASSETS.url(name)}")).status_code == 200, f"{script.name} imports {name}"


async def test_who_is_signed_in_can_sign_out_here(manager: httpx.AsyncClient) -> None:
    page = (await manager.get("/dashboard")).text
    [token] = re.findall('name="csrf_token" value="([^"]+)"', page)

    answer = await manager.post("/logout", data={"csrf_token": token})

    assert "mei" in page
    assert (await manager.get("/dashboard")).status_code == answer.status_code == 303


@pytest.mark.parametrize("query", ["range=year", "zone=Mars/Base", "zone=../etc", "clock=moon", "trend=requests", "unknown=1"])
async def test_an_address_that_means_nothing_is_refused(manager: httpx.AsyncClient, query: str) -> None:
    assert (await manager.get(f"/dashboard?{query}")).status_code == 422


async def test_days_are_those_of_the_organisation_unless_another_zone_is_asked_for(app: FastAPI, manager: httpx.AsyncClient) -> None:
    settings: ServiceSettings = app.state.runtime.settings
    usual = (await manager.get("/dashboard")).text
    other = (await manager.get("/dashboard?zone=Pacific/Chatham")).text

    assert f'<option value="{settings.zone}" selected>' in usual
    assert '<option value="Pacific/Chatham" selected>' in other


def leaves(words: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in words.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


@pytest.mark.parametrize("locale", list(Locale))
def test_every_language_has_every_word(locale: Locale) -> None:
    words = dict(leaves(WORDS[locale]))

    assert set(words) == set(dict(leaves(WORDS[Locale.EN])))
    assert all(text.strip() for text in words.values())
    assert set(WORDS[locale]["channel"]) == {channel.value for channel in Channel}
    assert {*HEADLINE, *TRENDS} <= set(WORDS[locale]["kpi"])
    assert set(RANGES) == set(WORDS[locale]["range"])


def test_traditional_characters_are_not_simplified_ones() -> None:
    simplified = set("时间范围据务响应问题满户区实连")

    assert not simplified.intersection("".join(text for _, text in leaves(WORDS[Locale.ZH_TW])))
