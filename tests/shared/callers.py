"""Callers of a service in process: HTTP clients with a key of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from shared import auth
from shared.auth import Role
from shared.database import Database


async def new_key(database: Database, role: Role = Role.ADMIN, *, principal: str = "", **options: Any) -> str:
    """The text of a key that was just stored."""
    text, row = auth.new_key(role=role, principal=principal or role.value, **options)
    async with database.transaction() as tx:
        await auth.store_key(tx, row)
    return text


@asynccontextmanager
async def caller(app: FastAPI, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sends the key."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test", headers=headers) as client:
        yield client
