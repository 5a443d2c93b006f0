"""schemathesis over the four OpenAPI documents: no 500, no status, media type or body that is not described, no unsound input accepted.

`AFTERCARE_FUZZ_SECONDS` (per service) and `AFTERCARE_FUZZ_SEED` make it longer and different.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import pytest
from httpx import AsyncClient
from starlette.responses import Response

from shared import http
from shared.auth import Role
from shared.database import Database
from shared.runtime import Runtime
from tests import databases
from tests.api.bus import carry
from tests.api.fuzzing import fuzz
from tests.api.houses import SERVICES, SIGNING_KEY, House, opened
from tests.feedback.conftest import Surveys
from tests.servers import Servers
from tests.shared.callers import new_key

pytestmark = [pytest.mark.schemathesis, pytest.mark.postgres]

SECONDS: Final = int(os.environ.get("AFTERCARE_FUZZ_SECONDS", "9"))
SEED: Final = int(os.environ.get("AFTERCARE_FUZZ_SEED", "20261125"))


@pytest.mark.parametrize("name", sorted(SERVICES))
async def test_a_service_keeps_to_its_document_whatever_it_is_sent(
    name: str, servers: Servers, worker: str, tmp_path: Path, houses: dict[str, House]
) -> None:
    url = await databases.clone(servers.postgres(), name, f"{worker}_fuzz")
    service = SERVICES[name]
    ours = Database(url, pool_size=5, application_name="tests")
    async with opened(service, ours, str(tmp_path)) as house:
        parameters = await things_that_exist(house, houses)
        key = await new_key(ours, Role.ADMIN, principal="fuzzer")
    await ours.close()

    # the fuzzer has an event loop of its own, in which the service makes its connections
    theirs = Database(url, pool_size=5, application_name="tests")
    settings = service.settings(database_url=url, signing_key=SIGNING_KEY, local=True, home=tmp_path, stream_seconds=0)
    app = closing_its_pool(service.app(Runtime.for_tests(theirs, settings)), theirs)
    operations = {f"{operation.method} {operation.path}" for operation in house.operations()}
    found = await asyncio.to_thread(fuzz, app, key=key, seconds=SECONDS, seed=SEED, parameters=parameters, operations=operations)

    assert not str(found)
    assert found.operations == operations
    assert found.requests > 200
    assert not [status for status in found.statuses if status >= 500]
    assert found.statuses[200] > 20


def test_the_fuzzer_finds_what_is_wrong() -> None:
    service = SERVICES["metrics"]
    settings = service.settings(database_url="postgresql://nobody@127.0.0.1:1/nothing", signing_key=SIGNING_KEY)
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=2, application_name="tests")
    app = http.create_app(Runtime.for_tests(nowhere, settings), title="Faults", description="Planted.")
    router = http.Router()

    @router.get("/v1/share", scope=http.PUBLIC("a planted fault"))
    async def share(by: int) -> dict[str, float]:
        return {"share": 100 / by}

    @router.get("/v1/tea", scope=http.PUBLIC("a planted fault"))
    async def tea(response: Response) -> dict[str, str]:
        response.status_code = 418
        return {}

    app.include_router(router)

    found = fuzz(app, key="none", seconds=4, seed=SEED, parameters={})

    checks = {(check, operation) for check, operation, _ in found.failures}
    assert ("not_a_server_error", "GET /v1/share") in checks
    assert ("status_code_conformance", "GET /v1/tea") in checks


async def things_that_exist(house: House, houses: dict[str, House]) -> dict[str, Any]:
    """Values of path parameters behind which there is something."""
    match house.name:
        case "intake":
            async with house.caller(Role.SERVICE) as shop:
                reference = await _request(shop)
            async with house.caller() as admin:
                file = (await admin.post("/v1/customers", json={"name": "Li", "phone": "13800138000"})).json()
            (identity,) = file["identities"]
            return {"reference": reference, "customer_id": file["customer_id"], "identity_id": identity["identity_id"]}
        case "tickets":
            async with houses["intake"].caller(Role.SERVICE) as shop:
                reference = await _request(shop)
            await carry(houses["intake"], house)
            async with house.caller() as admin:
                for things, id in (("teams", "desk"), ("skills", "solder"), ("agents", "ann")):
                    await admin.post(f"/v1/{things}", json={"id": id, "name": id.title()})
            return {"number": reference, "reference": reference, "team": "desk", "skill": "solder", "agent": "ann"}
        case "feedback":
            return {"token": await Surveys.of(house.runtime).open()}
        case _:
            return {}


async def _request(shop: AsyncClient) -> str:
    body = {"channel": "web", "customer": {"email": "li@example.com"}, "text": "It hums, then stops."}
    answer = await shop.post("/v1/requests", json=body)
    return str(answer.json()["reference"])


def closing_its_pool(app: Any, database: Database) -> Any:
    """The application; at its end its connections are closed in the loop that made them."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        if scope["type"] == "lifespan":
            await database.close()

    return wrapped
