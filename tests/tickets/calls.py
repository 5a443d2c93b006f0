"""Calls at the REST door, as tests make them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from shared import clock
from tests.tickets.builders import request_received
from tests.tickets.conftest import Door
from tests.tickets.observation import take_in


async def opened(door: Door, **changes: Any) -> str:
    """Number of a ticket that was opened a moment ago."""
    request = request_received(**({"occurred_at": clock.now() - timedelta(minutes=1)} | changes))
    await take_in(door.database, request)
    return request.reference


async def act(
    caller: httpx.AsyncClient, number: str, action: str, *, version: int | None = None, key: str | None = None, **params: Any
) -> httpx.Response:
    """Ask for an action on the version that the caller reads just before, or on a given one."""
    if version is None:
        version = (await caller.get(f"/v1/tickets/{number}")).json()["version"]
    headers = {"If-Match": f'"{version}"'} | ({"Idempotency-Key": key} if key else {})
    return await caller.post(f"/v1/tickets/{number}/actions", json={"action": action, "params": params}, headers=headers)


async def must(caller: httpx.AsyncClient, number: str, *actions: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Carry out actions that are all allowed; the ticket afterwards."""
    answer = None
    for action, params in actions:
        answer = await act(caller, number, action, **params)
        assert answer.status_code == 200, answer.text
    assert answer is not None
    body: dict[str, Any] = answer.json()
    return body


RESOLVE = [("take", {}), ("start", {}), ("resolve", {"resolution_code": "repaired"})]


def pointers(answer: httpx.Response) -> list[str]:
    return [error["pointer"] for error in answer.json()["errors"]]
