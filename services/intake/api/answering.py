"""How routes that change customer files answer: once per Idempotency-Key, with the file and its version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.responses import Response

from services.intake.schemas.customers import CustomerFile
from services.intake.settings import IntakeSettings
from shared import http, idempotency
from shared.auth import Principal
from shared.database import Transaction
from shared.http.fields import RequestModel
from shared.idempotency import Replay
from shared.runtime import Runtime

ETAG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"ETag": {"description": "the version, for If-Match", "schema": {"type": "string"}}}}
}
CREATED: Final[dict[int | str, dict[str, Any]]] = {201: ETAG[200]}

Work = Callable[[Transaction], Awaitable[dict[str, Any]]]
"""What is done in the transaction of a change; the file afterwards, as it is shown."""


async def changed(
    runtime: Runtime[IntakeSettings],
    work: Work,
    *,
    by: Principal,
    route: str,
    key: str | None,
    body: RequestModel | None = None,
    status: int = 200,
) -> Response:
    """Do the work once for the key, and answer with the file."""
    fingerprint = idempotency.fingerprint(None if body is None else body.model_dump(mode="json"))
    async with runtime.database.transaction() as tx, idempotency.once(tx, by.id, route, key, fingerprint) as first:
        if isinstance(first, Replay):
            return http.replay(first)
        shown = await work(tx)
        answer = CustomerFile.model_validate(shown).model_dump_json().encode()
        headers = {"ETag": http.etag(shown["version"]), "Content-Type": "application/json"}
        await first.store(status, answer, headers)
    runtime.wakeup()
    return Response(answer, status_code=status, headers=headers)
