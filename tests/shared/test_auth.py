"""API keys: made once, stored as a digest, refused from the moment that they are revoked or expire."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from unittest.mock import patch

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from shared import auth, clock
from shared.auth import ALL_OF_ROLE, CACHE_TIME, GRANTS, KeyRow, Keys, Kind, NoCredential, Role, Scope, UnknownKey
from shared.database import Database
from tests.shared.callers import caller, new_key


class TestTable:
    """Roles and scopes."""

    pytestmark = pytest.mark.pure

    def test_every_role_has_its_grants(self) -> None:
        assert set(GRANTS) == set(Role)

    def test_every_scope_is_granted_to_somebody_besides_the_administrator(self) -> None:
        granted = set().union(*(scopes for role, scopes in GRANTS.items() if role is not Role.ADMIN))
        assert granted == set(Scope)

    @pytest.mark.parametrize(
        ("role", "may", "may_not"),
        [
            (Role.CUSTOMER, {Scope.REQUEST_CREATE, Scope.REQUEST_READ}, {Scope.TICKET_READ, Scope.TICKET_ACT, Scope.KPI_READ}),
            (Role.BOT, {Scope.REQUEST_CREATE}, {Scope.TICKET_ACT, Scope.CONFIG_WRITE}),
            (Role.AGENT, {Scope.TICKET_READ, Scope.TICKET_ACT}, {Scope.CONFIG_WRITE, Scope.HEALTH_READ}),
            (Role.LEAD, {Scope.TICKET_ACT, Scope.KPI_READ}, {Scope.CONFIG_WRITE}),
            (Role.MANAGER, {Scope.CONFIG_WRITE, Scope.KPI_READ}, {Scope.HEALTH_READ}),
            (Role.FINANCE, {Scope.KPI_READ}, {Scope.TICKET_ACT}),
            (Role.ENGINEER, {Scope.TICKET_READ}, {Scope.REQUEST_READ, Scope.TICKET_ACT}),
            (Role.OPS, {Scope.HEALTH_READ, Scope.CONFIG_WRITE}, {Scope.TICKET_READ, Scope.REQUEST_READ, Scope.INVITATION_READ}),
            (Role.AUDITOR, {Scope.AUDIT_READ}, {Scope.TICKET_READ, Scope.CONFIG_WRITE}),
            (Role.ADMIN, set(Scope), set()),
            (Role.SERVICE, {Scope.REQUEST_CREATE}, {Scope.TICKET_ACT, Scope.CONFIG_WRITE}),
        ],
    )
    def test_a_role_may_what_its_work_needs(self, role: Role, may: set[Scope], may_not: set[Scope]) -> None:
        assert may <= GRANTS[role]
        assert not may_not & GRANTS[role]


class TestMaking:
    """New keys."""

    pytestmark = pytest.mark.pure

    def test_a_key_shows_where_it_belongs_and_keeps_its_secret(self) -> None:
        text, row = auth.new_key(role=Role.AGENT, principal="anna", environment="prod")

        assert text.startswith(f"ak_prod_{row.key_id}_")
        assert len(text.rsplit(f"{row.key_id}_", 1)[1]) == 43
        assert row.key_hash == auth.digest(text)
        assert text not in repr(row)

    def test_no_two_keys_are_alike(self) -> None:
        made = [auth.new_key(role=Role.BOT, principal="b") for _ in range(500)]

        assert len({text for text, _ in made}) == len({row.key_id for _, row in made}) == 500

    @pytest.mark.parametrize("environment", ["", "Prod", "a_b", "x" * 17])
    def test_an_environment_is_one_small_word(self, environment: str) -> None:
        with pytest.raises(ValueError, match="environment"):
            auth.new_key(role=Role.AGENT, principal="anna", environment=environment)

    def test_a_scope_beyond_the_role_is_refused(self) -> None:
        with pytest.raises(ValueError, match="config:write"):
            auth.new_key(role=Role.AGENT, principal="anna", scopes=["config:write"])

    @pytest.mark.parametrize("principal", ["", "x" * 201])
    def test_a_key_names_somebody(self, principal: str) -> None:
        with pytest.raises(ValueError, match="principal"):
            auth.new_key(role=Role.AGENT, principal=principal)

    @given(st.sampled_from(Role), st.data())
    def test_a_key_never_has_more_than_its_role(self, role: Role, data: st.DataObject) -> None:
        scopes = data.draw(st.lists(st.sampled_from(sorted(GRANTS[role]))))

        principal = auth.new_key(role=role, principal="p", scopes=scopes)[1].principal_now()

        assert principal.scopes == set(scopes)
        assert principal.scopes <= GRANTS[role]

    def test_a_scope_that_the_role_lost_is_lost_for_its_keys(self) -> None:
        row = KeyRow("id", b"", "p", Role.AGENT, ("ticket:read", "config:write", "gone:scope"), clock.real_now())

        assert row.principal_now().scopes == {"ticket:read"}

    def test_a_key_for_all_of_a_role_grows_with_it(self) -> None:
        row = auth.new_key(role=Role.MANAGER, principal="m")[1]

        assert row.scopes == (ALL_OF_ROLE,)
        assert row.principal_now().scopes == GRANTS[Role.MANAGER]

    def test_who_acts_is_told_by_the_role(self) -> None:
        kinds = {role: auth.new_key(role=role, principal="p")[1].principal_now().kind for role in Role}

        assert (kinds[Role.CUSTOMER], kinds[Role.BOT], kinds[Role.SERVICE]) == (Kind.CUSTOMER, Kind.BOT, Kind.SYSTEM)
        assert {kinds[role] for role in Role if role not in {Role.CUSTOMER, Role.BOT, Role.SERVICE}} == {Kind.AGENT}


@pytest.mark.postgres
class TestChecking:
    """Keys against the database."""

    async def test_a_stored_key_tells_who_calls(self, service_database: Database) -> None:
        key = await new_key(service_database, Role.LEAD, principal="lena")

        principal = await Keys(service_database).principal(f"Bearer {key}")

        assert (principal.id, principal.role, principal.kind, principal.scopes) == ("lena", Role.LEAD, Kind.AGENT, GRANTS[Role.LEAD])

    async def test_the_database_does_not_hold_the_key(self, service_database: Database) -> None:
        key = await new_key(service_database)

        async with service_database.transaction() as tx:
            row = await tx.fetchrow("SELECT * FROM api_key")

        assert row is not None
        assert key[-43:] not in str(dict(row))

    @pytest.mark.parametrize(
        "damage", [lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"), lambda key: key[:-1], lambda key: key + "A"]
    )
    async def test_a_damaged_key_does_not_hold(self, service_database: Database, damage: object) -> None:
        assert callable(damage)
        key = await new_key(service_database)

        with pytest.raises(UnknownKey):
            await Keys(service_database).principal(f"Bearer {damage(key)}")

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Token abc", "ak_local_x_y"])
    async def test_without_a_key_in_the_right_place_nobody_is_known(self, service_database: Database, header: str | None) -> None:
        with pytest.raises(NoCredential):
            await Keys(service_database).principal(header)

    async def test_the_scheme_may_be_written_in_any_case(self, service_database: Database) -> None:
        key = await new_key(service_database)

        assert await Keys(service_database).principal(f"bEARER  {key} ")

    async def test_a_key_ends_when_its_time_is_over_even_if_it_was_just_used(self, service_database: Database) -> None:
        ends = clock.real_now() + timedelta(minutes=5)
        key = await new_key(service_database, expires_at=ends)
        keys = Keys(service_database)
        assert await keys.principal(f"Bearer {key}")

        with patch("shared.clock.real_now", return_value=ends), pytest.raises(UnknownKey):
            await keys.principal(f"Bearer {key}")

    async def test_a_revoked_key_is_refused_within_ten_seconds(self, service_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 1000.0
        monkeypatch.setattr("shared.clock.monotonic", lambda: now)
        key = await new_key(service_database)
        keys = Keys(service_database)
        await keys.principal(f"Bearer {key}")

        async with service_database.transaction() as tx:
            assert await auth.revoke_key(tx, key.split("_")[2])
        now += CACHE_TIME

        assert CACHE_TIME <= 10
        with pytest.raises(UnknownKey):
            await keys.principal(f"Bearer {key}")

    async def test_a_key_in_use_costs_one_look_in_ten_seconds(self, service_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        key = await new_key(service_database)
        keys = Keys(service_database)
        looks = 0
        transaction = service_database.transaction

        def counted() -> object:
            nonlocal looks
            looks += 1
            return transaction()

        monkeypatch.setattr(service_database, "transaction", counted)

        await asyncio.gather(*(keys.principal(f"Bearer {key}") for _ in range(200)))
        await keys.principal(f"Bearer {key}")

        assert looks == 1

    async def test_a_caller_who_hangs_up_does_not_spoil_the_look_for_others(self, service_database: Database) -> None:
        key = await new_key(service_database)
        keys = Keys(service_database)
        first = asyncio.create_task(keys.principal(f"Bearer {key}"))
        second = asyncio.create_task(keys.principal(f"Bearer {key}"))
        await asyncio.sleep(0)

        first.cancel()

        assert (await second).id == "admin"

    async def test_a_key_is_stored_again_without_harm_and_stays_revoked(self, service_database: Database) -> None:
        _, row = auth.new_key(role=Role.AGENT, principal="anna")
        async with service_database.transaction() as tx:
            await auth.store_key(tx, row)
            await auth.revoke_key(tx, row.key_id)
            await auth.store_key(tx, row)

            [found] = await auth.list_keys(tx)

        assert (found.principal, found.revoked_at is None) == ("anna", False)

    async def test_revoking_twice_keeps_the_first_time_and_an_unknown_key_is_told(self, service_database: Database) -> None:
        _, row = auth.new_key(role=Role.AGENT, principal="anna")
        async with service_database.transaction() as tx:
            await auth.store_key(tx, row)
            await auth.revoke_key(tx, row.key_id)
            [first] = await auth.list_keys(tx)

            assert await auth.revoke_key(tx, row.key_id)
            assert not await auth.revoke_key(tx, "nobody")
            assert await auth.list_keys(tx) == [first]

    async def test_while_the_database_is_away_a_key_gets_503_and_not_401(self, sample: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        def away() -> object:
            raise ConnectionRefusedError

        key, _ = auth.new_key(role=Role.AGENT, principal="anna")
        monkeypatch.setattr(sample.state.runtime.database, "transaction", away)

        async with caller(sample, key) as client:
            answer: httpx.Response = await client.get("/v1/things/1")

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
