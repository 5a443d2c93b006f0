"""`aftercare keys`: API keys, written as the same hashed row into all four databases."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from deploy.commands.output import AsJson, say, show
from deploy.commands.places import SERVICES, transaction_of
from shared import auth, clock

app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)

LOCAL_PRINCIPALS: Final = {auth.Role.CUSTOMER: "00000000-0000-4000-8000-000000000001"}
"""A customer's key names his customer id; other roles are named after themselves locally."""


@app.command()
def create(
    role: Annotated[auth.Role, typer.Option(help="What the principal is.")],
    principal: Annotated[str, typer.Option(help="Who: a staff id, a bot's name; for a customer, the customer id.")],
    days: Annotated[int | None, typer.Option(help="Ends after so many days; by default never.", min=1, max=3650)] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Only these scopes of the role; by default all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and show it, this once."""
    expires_at = clock.real_now() + timedelta(days=days) if days else None
    environment = os.environ.get("AFTERCARE_ENVIRONMENT", "local")
    try:
        text, row = auth.new_key(role=role, principal=principal, environment=environment, scopes=scope, expires_at=expires_at)
    except ValueError as refused:
        raise typer.BadParameter(str(refused)) from refused
    asyncio.run(store([row]))
    say(f"{text}\nKey {row.key_id} of {principal} ({role}); it is not shown again.", as_json=as_json, key=text, key_id=row.key_id)


@app.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """All keys, and in which databases each of them is."""
    rows = asyncio.run(_list())
    columns = ("key_id", "principal", "role", "scopes", "created_at", "expires_at", "revoked_at", "databases")
    show(rows, as_json=as_json, columns=columns, empty="no keys")


@app.command()
def revoke(key_id: str, as_json: AsJson = False) -> None:
    """End a key in all four databases; services notice within 10 s."""
    found = asyncio.run(_revoke(key_id))
    if not found:
        say(f"no key {key_id}", as_json=as_json, revoked=[])
        raise typer.Exit(1)
    say(f"Key {key_id} revoked in {', '.join(found)}.", as_json=as_json, revoked=found)


@app.command(name="ensure-local", hidden=True)
def ensure_local() -> None:
    """One key per role for the local platform, kept in $AFTERCARE_HOME/keys.json; the same keys after a restart."""
    if os.environ.get(clock.LOCAL_VARIABLE) != "1":
        raise typer.BadParameter("only for the local platform")
    wanted = {role.value: (role, LOCAL_PRINCIPALS.get(role, role.value)) for role in auth.Role}
    _, rows = kept(Path(os.environ["AFTERCARE_HOME"]) / "keys.json", wanted)
    asyncio.run(store(rows))


def kept(path: Path, wanted: Mapping[str, tuple[auth.Role, str]]) -> tuple[dict[str, str], list[auth.KeyRow]]:
    """Keys by name, each of a role and a principal, and their rows; the file keeps them, so that they are the same the next time."""
    texts: dict[str, str] = orjson.loads(path.read_bytes()) if path.exists() else {}
    rows = []
    for name, (role, principal) in wanted.items():
        made = (
            auth.with_text(texts[name], role=role, principal=principal) if name in texts else auth.new_key(role=role, principal=principal)
        )
        texts[name] = made[0]
        rows.append(made[1])
    _write_private(path, orjson.dumps(texts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return texts, rows


def _write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by the owner alone from the first moment."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)


async def store(rows: list[auth.KeyRow]) -> None:
    """Write them into all four databases; repeatable."""
    for service in SERVICES:
        async with transaction_of(service) as tx:
            for row in rows:
                await auth.store_key(tx, row)


async def _list() -> list[dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for service in SERVICES:
        async with transaction_of(service) as tx:
            for row in await auth.list_keys(tx):
                entry = found.setdefault(
                    row.key_id,
                    {
                        "key_id": row.key_id,
                        "principal": row.principal,
                        "role": row.role.value,
                        "scopes": " ".join(row.scopes),
                        "created_at": f"{row.created_at:%Y-%m-%d %H:%M}",
                        "expires_at": row.expires_at and f"{row.expires_at:%Y-%m-%d %H:%M}",
                        "revoked_at": row.revoked_at and f"{row.revoked_at:%Y-%m-%d %H:%M}",
                        "databases": "",
                    },
                )
                entry["databases"] = f"{entry['databases']} {service}".strip()
    return list(found.values())


async def _revoke(key_id: str) -> list[str]:
    found = []
    for service in SERVICES:
        async with transaction_of(service) as tx:
            if await auth.revoke_key(tx, key_id):
                found.append(service)
    return found
