"""Idempotency-Key: an effect once, the same answer twice, whoever comes first and whatever breaks in between."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI, Request

from shared import idempotency
from shared.database import Database
from shared.http.keys import idempotency_key
from shared.idempotency import (
    Answer,
    Claim,
    First,
    Fresh,
    KeyReused,
    Mismatch,
    Overtaken,
    Replay,
    SameAs,
    delete_old,
    find_many,
    keep_many,
    once,
)
from tests.waiting import eventually, waiting_for_locks

pytestmark = pytest.mark.postgres

ONE, OTHER = b"1" * 16, b"2" * 16


def claim(key: str, fingerprint: bytes = ONE, *, principal: str = "anna", route: str = "POST /v1/things") -> Claim:
    return Claim(principal, route, key, fingerprint)


async def answered(database: Database, key: str, fingerprint: bytes = ONE, body: bytes = b"{}") -> None:
    async with database.transaction() as tx, once(tx, "anna", "POST /v1/things", key, fingerprint) as first:
        assert isinstance(first, First)
        await first.store(201, body, {"Location": "/v1/things/1"})


class TestOneCall:
    """The form for ordinary routes."""

    async def test_a_repeated_call_gets_the_same_answer(self, service_database: Database) -> None:
        await answered(service_database, "k", body=b'{"id": 1}')

        async with service_database.transaction() as tx, once(tx, "anna", "POST /v1/things", "k", ONE) as again:
            assert again == Replay(201, {"Location": "/v1/things/1"}, b'{"id": 1}')

    async def test_the_same_key_with_another_body_is_refused(self, service_database: Database) -> None:
        await answered(service_database, "k")

        with pytest.raises(KeyReused):
            async with service_database.transaction() as tx, once(tx, "anna", "POST /v1/things", "k", OTHER):
                pytest.fail("the call was let through")

    @pytest.mark.parametrize(("principal", "route"), [("berta", "POST /v1/things"), ("anna", "POST /v1/others")])
    async def test_a_key_belongs_to_a_caller_and_a_route(self, service_database: Database, principal: str, route: str) -> None:
        await answered(service_database, "k")

        async with service_database.transaction() as tx, once(tx, principal, route, "k", OTHER) as first:
            assert isinstance(first, First)
            await first.store(200, b"")

    async def test_a_call_without_a_key_is_always_the_first(self, service_database: Database) -> None:
        for _ in range(2):
            async with service_database.transaction() as tx, once(tx, "anna", "POST /v1/things", None, ONE) as first:
                assert isinstance(first, First)

    async def test_a_call_that_failed_left_nothing_and_may_be_repeated(self, service_database: Database) -> None:
        with pytest.raises(ZeroDivisionError):
            async with service_database.transaction() as tx, once(tx, "anna", "POST /v1/things", "k", ONE):
                raise ZeroDivisionError

        await answered(service_database, "k", OTHER)

    async def test_a_call_that_forgets_its_answer_is_a_bug_that_shows(self, service_database: Database) -> None:
        with pytest.raises(RuntimeError, match="store"):
            async with service_database.transaction() as tx, once(tx, "anna", "POST /v1/things", "k", ONE):
                pass

    async def test_a_duplicate_in_flight_waits_and_gets_the_answer_of_the_first(self, service_database: Database) -> None:
        claimed, release = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with service_database.transaction() as tx, once(tx, "anna", "POST /v1/things", "k", ONE) as ours:
                assert isinstance(ours, First)
                claimed.set()
                await release.wait()
                await ours.store(201, b"first")

        async def second() -> First | Replay:
            async with service_database.transaction() as tx, once(tx, "anna", "POST /v1/things", "k", ONE) as ours:
                return ours

        slow = asyncio.create_task(first())
        await claimed.wait()
        duplicate = asyncio.create_task(second())
        await eventually(lambda: waiting_for_locks(service_database), timeout=5)
        assert not duplicate.done()
        release.set()

        await slow
        assert await duplicate == Replay(201, {}, b"first")

    async def test_a_duplicate_in_flight_becomes_the_first_when_the_first_fails(self, service_database: Database) -> None:
        claimed, fail = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with service_database.transaction() as tx, once(tx, "anna", "POST /v1/things", "k", ONE):
                claimed.set()
                await fail.wait()
                raise ZeroDivisionError

        failing = asyncio.create_task(first())
        await claimed.wait()
        duplicate = asyncio.create_task(answered(service_database, "k"))
        await eventually(lambda: waiting_for_locks(service_database), timeout=5)
        fail.set()

        with pytest.raises(ZeroDivisionError):
            await failing
        await duplicate


class TestBatch:
    """The form for intake's shared commits."""

    async def test_outcomes_come_in_the_order_of_the_claims(self, service_database: Database) -> None:
        await answered(service_database, "old", body=b"old")
        async with service_database.transaction() as tx:
            outcomes = await find_many(
                tx, [claim("z"), claim("old"), claim("a"), claim("old", OTHER), claim("z"), claim("z", OTHER), claim("z", principal="b")]
            )

        assert [type(outcome) for outcome in outcomes] == [Fresh, Replay, Fresh, Mismatch, SameAs, Mismatch, Fresh]
        assert outcomes[4] == SameAs(0)

    async def test_no_claims_need_no_statement(self, service_database: Database) -> None:
        async with service_database.transaction() as tx:
            assert await find_many(tx, []) == []
            await keep_many(tx, [])

    async def test_the_answers_of_a_batch_are_replayed_one_by_one(self, service_database: Database) -> None:
        claims = [claim(f"k{n}") for n in range(500)]
        async with service_database.transaction() as tx:
            assert all(isinstance(outcome, Fresh) for outcome in await find_many(tx, claims))
            await keep_many(tx, [Answer(one, 202, one.key.encode()) for one in claims])

        async with service_database.transaction() as tx:
            again = await find_many(tx, claims)

        assert again == [Replay(202, {}, one.key.encode()) for one in claims]

    @pytest.mark.parametrize("ends", ["commits", "rolls back"])
    async def test_who_comes_second_waits_and_is_overtaken_only_by_a_commit(self, service_database: Database, ends: str) -> None:
        answer = Answer(claim("k"), 202, b"first")
        written, end = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with service_database.transaction() as tx:
                await keep_many(tx, [answer])
                written.set()
                await end.wait()
                if ends == "rolls back":
                    raise ZeroDivisionError

        async def second() -> None:
            async with service_database.transaction() as tx:
                assert await find_many(tx, [answer.claim]) == [Fresh(answer.claim)]
                await keep_many(tx, [Answer(claim("k"), 202, b"second")])

        one = asyncio.create_task(first())
        await written.wait()
        other = asyncio.create_task(second())
        await eventually(lambda: waiting_for_locks(service_database), timeout=5)
        end.set()
        await asyncio.wait({one, other})

        assert isinstance(other.exception(), Overtaken) == (ends == "commits")
        assert isinstance(one.exception(), ZeroDivisionError) == (ends == "rolls back")
        async with service_database.transaction() as tx:
            assert await find_many(tx, [answer.claim]) == [Replay(202, {}, b"first" if ends == "commits" else b"second")]

    async def test_batches_that_share_keys_never_lock_each_other_out(self, service_database: Database) -> None:
        keys = [f"k{n}" for n in range(60)]
        winners: list[str] = []

        async def batch(seed: int) -> None:
            ours = random.Random(seed).sample(keys, 40)
            while True:
                with suppress(Overtaken):
                    async with service_database.transaction() as tx:
                        outcomes = await find_many(tx, [claim(key) for key in ours])
                        fresh = [key for key, outcome in zip(ours, outcomes, strict=True) if isinstance(outcome, Fresh)]
                        await keep_many(tx, [Answer(claim(key), 202, b"") for key in fresh])
                    winners.extend(fresh)
                    return

        await asyncio.gather(*(batch(seed) for seed in range(16)))

        assert len(winners) == len(set(winners))
        assert set(winners) <= set(keys)


class TestForgetting:
    """A week later."""

    async def test_keys_older_than_a_week_are_deleted_in_small_transactions(
        self, service_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(idempotency, "DELETED_AT_ONCE", 10)
        async with service_database.transaction() as tx:
            await keep_many(tx, [Answer(claim(f"k{n:02}"), 202, b"") for n in range(30)])
            await tx.execute("UPDATE idempotency SET created_at = now() - $1::interval WHERE key < 'k25'", timedelta(days=7, minutes=1))

        assert await delete_old(service_database) == 25

        async with service_database.transaction() as tx:
            assert await tx.fetchval("SELECT count(*) FROM idempotency") == 5


class TestDoor:
    """Through HTTP."""

    async def test_a_repeated_post_has_its_effect_once(self, sample: FastAPI, admin: httpx.AsyncClient) -> None:
        key = "8e03978e-40d5-43dd-bc93-6894a57f9324"

        first = await admin.post("/v1/things", json={"text": "a", "count": 2}, headers={"Idempotency-Key": key})
        again = await admin.post("/v1/things", json={"count": 2, "text": "a"}, headers={"Idempotency-Key": f'"{key}"'})

        assert (first.status_code, first.headers.get("Idempotent-Replayed")) == (201, None)
        assert (again.status_code, again.headers["Idempotent-Replayed"], again.content) == (201, "true", first.content)
        assert again.headers["Content-Type"] == "application/json"
        assert sample.state.made == ["a"]

    async def test_fifty_identical_posts_at_once_have_their_effect_once(self, sample: FastAPI, admin: httpx.AsyncClient) -> None:
        answers = await asyncio.gather(
            *(admin.post("/v1/things", json={"text": "a"}, headers={"Idempotency-Key": "same"}) for _ in range(50))
        )

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 49
        assert sample.state.made == ["a"]

    async def test_another_body_under_a_used_key_is_refused(self, sample: FastAPI, admin: httpx.AsyncClient) -> None:
        await admin.post("/v1/things", json={"text": "a"}, headers={"Idempotency-Key": "k"})

        answer = await admin.post("/v1/things", json={"text": "b"}, headers={"Idempotency-Key": "k"})

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key"
        assert sample.state.made == ["a"]

    @pytest.mark.parametrize("header", ["", '""', "two words", '"open', "x" * 256, "ä", "a\\b\tc", '"a"b"'])
    async def test_a_key_that_is_none_is_refused(self, sample: FastAPI, admin: httpx.AsyncClient, header: str) -> None:
        answer = await admin.post("/v1/things", json={"text": "a"}, headers={"Idempotency-Key": header.encode()})

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "Idempotency-Key")
        assert sample.state.made == []

    @pytest.mark.parametrize(("header", "key"), [('"a b"', "a b"), ("a-b", "a-b"), (" x ", "x"), ("x" * 255, "x" * 255)])
    def test_quotes_are_no_part_of_a_key(self, header: str, key: str) -> None:
        request = Request({"type": "http", "headers": [(b"idempotency-key", header.encode())]})

        assert idempotency_key(request) == key
