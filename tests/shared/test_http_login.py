"""Sessions of browsers: a key becomes a cookie, the cookie admits like the key, and nothing is changed without the session's token."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from unittest.mock import patch

import httpx
import orjson
import pytest
from fastapi import FastAPI

from shared import auth, clock, telemetry
from shared.auth import CACHE_TIME, COOKIE, CSRF_HEADER, LIFETIME, Role, Sessions
from shared.database import Database
from shared.runtime import Runtime
from tests.shared.callers import caller, new_key
from tests.shared.sample import sample_app, settings

pytestmark = [pytest.mark.postgres, pytest.mark.api]

OTHER_SITE = {"Origin": "http://evil.example"}
LANGUAGES = ("zh-CN", "zh-TW", "en")


@pytest.fixture
async def browser(sample: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has not signed in; it keeps cookies."""
    async with caller(sample) as client:
        yield client


async def sign_in(browser: httpx.AsyncClient, key: str, **fields: str) -> httpx.Response:
    return await browser.post("/login", data={"key": key, **fields})


async def token(browser: httpx.AsyncClient) -> str:
    return str((await browser.get("/v1/session")).json()["session"]["csrf_token"])


class TestSigningIn:
    """The page."""

    async def test_a_key_becomes_a_session_of_eight_hours(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        answer = await sign_in(browser, await new_key(service_database, Role.LEAD, principal="lena"))

        assert answer.status_code == 303
        cookie = answer.headers["Set-Cookie"]
        assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
        assert timedelta(hours=8) == LIFETIME
        [seconds] = re.findall(r"Max-Age=(\d+)", cookie)
        assert 0 <= LIFETIME.total_seconds() - int(seconds) <= 5
        session = (await browser.get("/v1/session")).json()["session"]
        assert (session["principal"], session["role"]) == ("lena", "lead")

    async def test_the_cookie_does_not_hold_the_key(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        key = await new_key(service_database)

        answer = await sign_in(browser, key)

        assert key[-43:] not in answer.headers["Set-Cookie"]

    @pytest.mark.parametrize(("url", "is_secure"), [("https://tickets.example.com", True), ("http://127.0.0.1:8002", False)])
    async def test_where_the_service_is_published_by_https_the_cookie_goes_no_other_way(
        self, service_database: Database, url: str, is_secure: bool
    ) -> None:
        app = sample_app(Runtime.for_tests(service_database, settings(tickets_public_url=url)))

        async with caller(app) as browser:
            answer = await sign_in(browser, await new_key(service_database))

        assert ("Secure" in answer.headers["Set-Cookie"].split("; ")) == is_secure

    @pytest.mark.parametrize("key", ["", "   ", "nonsense", "ak_local_abcdef_" + "x" * 43, "x" * 5000])
    async def test_a_key_that_does_not_hold_gets_the_page_again_and_no_cookie(self, browser: httpx.AsyncClient, key: str) -> None:
        answer = await sign_in(browser, key)

        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert "Set-Cookie" not in answer.headers

    async def test_the_page_never_shows_the_key_again(self, browser: httpx.AsyncClient) -> None:
        assert "nonsense" not in (await sign_in(browser, "nonsense")).text

    async def test_while_the_database_is_away_the_page_says_so(
        self, sample: FastAPI, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away() -> object:
            raise ConnectionRefusedError

        key, _ = auth.new_key(role=Role.AGENT, principal="anna")
        monkeypatch.setattr(sample.state.runtime.database, "transaction", away)

        answer = await sign_in(browser, key)

        assert answer.status_code == 503
        assert answer.headers["Content-Type"].startswith("text/html")

    @pytest.mark.parametrize("language", LANGUAGES)
    async def test_the_page_speaks_each_language_and_needs_no_script(self, browser: httpx.AsyncClient, language: str) -> None:
        asked = await browser.get(f"/login?lang={language}")
        preferred = await browser.get("/login", headers={"Accept-Language": language})

        for answer in (asked, preferred):
            assert answer.headers["Content-Language"] == language
            assert f'<html lang="{language}">' in answer.text
            assert "<script" not in answer.text
            assert "script-src" not in answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]

    async def test_who_came_from_a_page_gets_back_to_it(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        answer = await sign_in(browser, await new_key(service_database), next="dashboard?range=7d&lang=en")

        assert answer.headers["Location"] == "dashboard?range=7d&lang=en"

    @pytest.mark.parametrize(
        "astray",
        [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "../x",
            "a/../../x",
            "a\r\nSet-Cookie: x=1",
            "a" * 2000,
            "",
        ],
    )
    async def test_nobody_is_led_to_another_site(self, browser: httpx.AsyncClient, service_database: Database, astray: str) -> None:
        answer = await sign_in(browser, await new_key(service_database), next=astray)

        assert answer.headers["Location"] == "login?lang=zh-CN"

    async def test_a_page_of_another_site_cannot_sign_somebody_in(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        key = await new_key(service_database)

        for said in (OTHER_SITE, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await browser.post("/login", data={"key": key}, headers=said)
            assert (answer.status_code, answer.json()["code"]) == (403, "foreign_form")
            assert "Set-Cookie" not in answer.headers

    @pytest.mark.parametrize("own", ["http://service.test", "http://127.0.0.1:8002"])
    async def test_our_own_page_can(self, browser: httpx.AsyncClient, service_database: Database, own: str) -> None:
        answer = await browser.post("/login", data={"key": await new_key(service_database)}, headers={"Origin": own})

        assert answer.status_code == 303

    async def test_a_form_is_read_as_browsers_send_it_or_not_at_all(self, browser: httpx.AsyncClient) -> None:
        json = await browser.post("/login", json={"key": "x"})
        twice = await browser.post(
            "/login", content=b"key=a&key=b", headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        )
        broken = await browser.post("/login", content=b"key=%ff", headers={"Content-Type": "application/x-www-form-urlencoded"})
        nul = await browser.post("/login", data={"key": "\0"})

        nothing = await browser.post("/login")

        statuses = [answer.status_code for answer in (json, twice, broken, nul, nothing)]
        assert statuses == [415, 422, 400, 422, 422]

    async def test_who_signs_in_and_who_fails_to_is_logged_without_the_key(
        self, browser: httpx.AsyncClient, service_database: Database
    ) -> None:
        key = await new_key(service_database, Role.LEAD)
        stream = io.StringIO()
        with telemetry.lines_to(stream):
            await sign_in(browser, key)
            await sign_in(browser, key[:-1] + ("A" if key[-1] != "A" else "B"))

        lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
        events = {line["event"]: line for line in lines}
        assert events["signed_in"]["key_id"] == key.split("_")[2]
        assert "sign_in_refused" in events
        assert key[-43:-1] not in stream.getvalue()


class TestBeingSignedIn:
    """The cookie at the other routes."""

    async def test_the_cookie_admits_exactly_where_the_key_would(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        await sign_in(browser, await new_key(service_database, Role.ENGINEER))

        assert (await browser.get("/v1/things/1")).status_code == 200
        refused = await browser.post("/v1/things", json={"text": "x"}, headers={CSRF_HEADER: await token(browser)})
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    @pytest.mark.parametrize(("role", "is_offered"), [(Role.LEAD, True), (Role.AGENT, False)])
    async def test_the_dashboard_is_offered_to_those_who_may_see_it(
        self, browser: httpx.AsyncClient, service_database: Database, role: Role, is_offered: bool
    ) -> None:
        await sign_in(browser, await new_key(service_database, role))

        assert ("/dashboard" in (await browser.get("/login")).text) == is_offered

    async def test_a_change_by_cookie_needs_the_token(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        await sign_in(browser, await new_key(service_database))
        other = await token(browser)
        browser.cookies.clear()
        await sign_in(browser, await new_key(service_database))

        for headers in ({}, {CSRF_HEADER: ""}, {CSRF_HEADER: "x"}, {CSRF_HEADER: other}, {CSRF_HEADER: "x" * 9000}):
            for path in ("/v1/things", "/v1/hot"):
                answer = await browser.post(path, json={"text": "x"}, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (403, "csrf_token_wrong")
        assert (await browser.post("/v1/things", json={"text": "x"}, headers={CSRF_HEADER: await token(browser)})).status_code == 201

    async def test_a_key_counts_before_a_cookie_and_needs_no_token(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        await sign_in(browser, await new_key(service_database, Role.ENGINEER))
        admin = {"Authorization": f"Bearer {await new_key(service_database, Role.ADMIN)}"}

        assert (await browser.post("/v1/things", json={"text": "x"}, headers=admin)).status_code == 201
        assert (await browser.get("/v1/things/1", headers={"Authorization": "Bearer nonsense"})).status_code == 401

    async def test_another_service_with_the_same_signing_key_honours_the_session(
        self, browser: httpx.AsyncClient, service_database: Database
    ) -> None:
        await sign_in(browser, await new_key(service_database))
        same, other = (
            sample_app(Runtime.for_tests(service_database, settings(**values)))
            for values in ({}, {"signing_key": "another signing key of the tests, long enough"})
        )

        for app, status in ((same, 200), (other, 401)):
            async with caller(app) as elsewhere:
                elsewhere.cookies = browser.cookies
                assert (await elsewhere.get("/v1/things/1")).status_code == status

    async def test_a_session_ends_when_its_key_is_revoked(
        self, browser: httpx.AsyncClient, service_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = clock.monotonic()
        monkeypatch.setattr("shared.clock.monotonic", lambda: now)
        key = await new_key(service_database)
        await sign_in(browser, key)
        assert (await browser.get("/v1/things/1")).status_code == 200

        async with service_database.transaction() as tx:
            await auth.revoke_key(tx, key.split("_")[2])
        now += CACHE_TIME

        answer = await browser.get("/v1/things/1")
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")

    async def test_a_session_ends_after_eight_hours(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        await sign_in(browser, await new_key(service_database))

        with patch("shared.clock.real_now", return_value=clock.real_now() + LIFETIME):
            assert (await browser.get("/v1/things/1")).status_code == 401

    async def test_a_session_ends_no_later_than_its_key(self, sample: FastAPI, service_database: Database) -> None:
        ends = clock.real_now() + timedelta(minutes=5)
        sessions: Sessions = sample.state.runtime.sessions

        _, session = await sessions.open(await new_key(service_database, expires_at=ends))

        assert session.ends_at <= ends

    async def test_a_scope_that_the_key_lost_is_lost_for_the_session_and_none_is_won(
        self, sample: FastAPI, service_database: Database
    ) -> None:
        sessions: Sessions = sample.state.runtime.sessions
        key = await new_key(service_database, Role.AGENT, principal="anna", scopes=["ticket:read", "ticket:act"])
        cookie, _ = await sessions.open(key)

        text, row = auth.with_text(key, role=Role.AGENT, principal="anna", scopes=["ticket:read", "staff:read"])
        async with service_database.transaction() as tx:
            await auth.store_key(tx, row)
        sample.state.runtime.keys.forget()

        assert text == key
        assert (await sessions.read(cookie)).principal.scopes == {"ticket:read"}

    async def test_a_key_that_means_somebody_else_by_now_ends_the_session(self, sample: FastAPI, service_database: Database) -> None:
        sessions: Sessions = sample.state.runtime.sessions
        key = await new_key(service_database, Role.AGENT, principal="anna")
        cookie, _ = await sessions.open(key)

        async with service_database.transaction() as tx:
            await auth.store_key(tx, auth.with_text(key, role=Role.AGENT, principal="bert")[1])
        sample.state.runtime.keys.forget()

        with pytest.raises(auth.SessionEnded):
            await sessions.read(cookie)

    async def test_a_cookie_that_was_altered_is_refused(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        await sign_in(browser, await new_key(service_database))
        cookie = browser.cookies[COOKIE]
        head, body, mac = cookie.split(".")
        none = "eyJhbGciOiJub25lIiwidHlwIjoiYWZ0ZXJjYXJlLXNlc3Npb24rand0In0"
        altered = [
            f"{head}.{body}.",
            f"{none}.{body}.",
            f"{none}.{body}.{mac}",
            f"{head}.{body[:-2]}AA.{mac}",
            cookie[:-4],
            "x",
            "..",
            "x" * 5000,
        ]

        browser.cookies.clear()
        for value in altered:
            answer = await browser.get("/v1/things/1", headers={"Cookie": f"{COOKIE}={value}"})
            assert answer.status_code == 401, value

    async def test_cookies_of_other_programs_on_the_same_host_do_not_get_in_the_way(
        self, browser: httpx.AsyncClient, service_database: Database
    ) -> None:
        await sign_in(browser, await new_key(service_database))
        ours = f"{COOKIE}={browser.cookies[COOKIE]}"

        browser.cookies.clear()
        for others in ('a={"b": [1, 2]}; %s', "%s; x=y=z", "; ;=; %s ; é", 'a="; %s'):
            answer = await browser.get("/v1/things/1", headers={"Cookie": (others % ours).encode("latin-1")})
            assert answer.status_code == 200, others

    async def test_a_public_route_does_not_mind_a_cookie_that_does_not_hold(self, browser: httpx.AsyncClient) -> None:
        headers = {"Cookie": f'{COOKIE}=nonsense; other="'}

        assert (await browser.get("/login", headers=headers)).status_code == 200
        assert (await browser.get("/v1/session", headers=headers)).json() == {"session": None}
        assert (await browser.get("/livez", headers=headers)).status_code == 200

    async def test_a_page_of_another_of_our_services_may_call_with_the_cookie(
        self, browser: httpx.AsyncClient, service_database: Database
    ) -> None:
        await sign_in(browser, await new_key(service_database))
        ours = {"Origin": "http://127.0.0.1:8004", CSRF_HEADER: await token(browser)}

        for path, status in (("/v1/things", 201), ("/v1/hot", 202)):
            answer = await browser.post(path, json={"text": "x"}, headers=ours)
            assert answer.status_code == status
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
            assert answer.headers["Access-Control-Allow-Origin"] == ours["Origin"]
        foreign = await browser.get("/v1/things/1", headers=OTHER_SITE)
        assert "Access-Control-Allow-Origin" not in foreign.headers


class TestSigningOut:
    """The button."""

    async def test_signing_out_takes_the_cookie_back(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        await sign_in(browser, await new_key(service_database))

        answer = await browser.post("/logout", data={"csrf_token": await token(browser)})

        assert (answer.status_code, answer.headers["Location"]) == (303, "login?lang=zh-CN&why=out")
        assert COOKIE not in browser.cookies
        assert (await browser.get("/v1/things/1")).status_code == 401

    async def test_another_page_cannot_sign_somebody_out(self, browser: httpx.AsyncClient, service_database: Database) -> None:
        await sign_in(browser, await new_key(service_database))

        assert (await browser.post("/logout", data={"csrf_token": ""})).status_code == 403
        assert (await browser.post("/logout", data={"csrf_token": await token(browser)}, headers=OTHER_SITE)).status_code == 403
        assert COOKIE in browser.cookies

    async def test_who_is_not_signed_in_may_sign_out(self, browser: httpx.AsyncClient) -> None:
        assert (await browser.post("/logout", data={"csrf_token": ""})).status_code == 303
