"""How often one principal may call: told with every answer, refused beyond, and filled up again with time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from shared.auth import Role
from shared.database import Database
from shared.http.quotas import MOST_BUCKETS, WINDOW, Quota, Quotas, QuotaUsedUp
from shared.runtime import Runtime
from tests.shared.callers import caller, new_key
from tests.shared.sample import sample_app, settings


@pytest.fixture
def app(service_database: Database) -> FastAPI:
    return sample_app(Runtime.for_tests(service_database, settings(rate_limit=6)))


@pytest.fixture
async def anna(app: FastAPI, service_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(app, await new_key(service_database, Role.AGENT, principal="anna")) as client:
        yield client


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass."""
    now = [1000.0]
    monkeypatch.setattr("shared.clock.monotonic", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


@pytest.mark.postgres
@pytest.mark.api
@pytest.mark.usefixtures("later")
class TestAtTheDoor:
    """What callers see."""

    async def test_every_answer_tells_what_is_left(self, anna: httpx.AsyncClient) -> None:
        first, second = await anna.get("/v1/things/1"), await anna.get("/v1/things/missing")

        assert first.headers["RateLimit-Policy"] == '"default";q=6;w=60'
        assert (first.headers["RateLimit"], second.headers["RateLimit"]) == ('"default";r=5;t=10', '"default";r=4;t=20')

    async def test_beyond_the_quota_a_call_is_refused_until_there_is_room_again(
        self, anna: httpx.AsyncClient, later: Callable[[float], None]
    ) -> None:
        for _ in range(6):
            assert (await anna.get("/v1/things/1")).status_code == 200

        refused = await anna.get("/v1/things/1")
        assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (429, "quota_used_up", "10")
        assert refused.headers["RateLimit"] == '"default";r=0;t=60'
        later(9)
        assert (await anna.get("/v1/things/1")).status_code == 429
        later(1)
        assert (await anna.get("/v1/things/1")).status_code == 200

    async def test_calls_without_the_scope_and_hot_ones_count_as_well(self, anna: httpx.AsyncClient) -> None:
        for _ in range(3):
            await anna.get("/healthz")
            await anna.post("/v1/hot", json={"text": "x"})

        assert (await anna.get("/v1/things/1")).status_code == 429

    async def test_two_keys_of_one_principal_share_and_another_principal_does_not(
        self, app: FastAPI, anna: httpx.AsyncClient, service_database: Database
    ) -> None:
        for _ in range(6):
            await anna.get("/v1/things/1")

        async with (
            caller(app, await new_key(service_database, Role.AGENT, principal="anna")) as again,
            caller(app, await new_key(service_database, Role.AGENT, principal="bert")) as bert,
        ):
            assert (await again.get("/v1/things/1")).status_code == 429
            assert (await bert.get("/v1/things/1")).status_code == 200

    async def test_probes_are_never_refused(self, anna: httpx.AsyncClient) -> None:
        for _ in range(20):
            answer = await anna.get("/livez")
            assert answer.status_code == 200
            assert "RateLimit" not in answer.headers

    async def test_who_wants_no_limit_has_none(self, service_database: Database) -> None:
        app = sample_app(Runtime.for_tests(service_database, settings(rate_limit=0)))

        async with caller(app, await new_key(service_database)) as client:
            answers = [await client.get("/v1/things/1") for _ in range(20)]

        assert {answer.status_code for answer in answers} == {200}
        assert "RateLimit" not in answers[0].headers


@pytest.mark.pure
class TestLaws:
    """The bucket."""

    @given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=200))
    def test_nobody_is_let_through_more_often_than_a_full_bucket_and_what_flows_in(self, limit: int, waits: list[float]) -> None:
        quota, now, admitted = Quota(limit, 0.0), 0.0, 0
        for wait in waits:
            now += wait
            try:
                quota.take(now)
            except QuotaUsedUp:
                continue
            admitted += 1

        assert admitted <= limit + now * limit / WINDOW + 1e-6

    @given(st.integers(1, 50), st.integers(1, 100))
    def test_who_waits_as_long_as_he_is_told_is_let_through(self, limit: int, calls: int) -> None:
        quota, now = Quota(limit, 0.0), 0.0
        for _ in range(calls):
            try:
                quota.take(now)
            except QuotaUsedUp as refused:
                now += refused.retry_after
                quota.take(now)

    def test_memory_is_bounded_and_nobody_wins_by_being_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0
        monkeypatch.setattr("shared.clock.monotonic", lambda: now)
        quotas = Quotas(2)
        for number in range(MOST_BUCKETS):
            quota = quotas.of(f"p{number}")
            assert quota
            if number == 0:
                quota.take(now)

        assert quotas.of("one more")

        assert len(quotas._quotas) == 2
        assert quotas.of("p0") is not quotas.of("p1")
