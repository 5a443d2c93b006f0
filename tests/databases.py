"""Databases of the tests: migrated once per service and run, cloned for each worker, emptied after each test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from shared import migrations
from shared.database import Database

_LOCK = 0x74656D70
"""Advisory lock of the worker that migrates a template."""

# What the migrations wrote is kept aside; after a test every table holds exactly that again. The function is written out table by table, so
# that a connection plans it once: it runs after each of thousands of tests.
_KEEP_ASIDE = """
CREATE SCHEMA seed;
DO $$
DECLARE name text; sequence record; is_called bool; filled bool; columns text; steps text := '';
BEGIN
  FOR name IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                 AND NOT c.relispartition AND c.relname <> 'alembic_version' LOOP
    steps := steps || format('IF EXISTS (SELECT 1 FROM public.%1$I) THEN DELETE FROM public.%1$I; END IF;', name);
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM public.%I)', name) INTO filled;
    IF filled THEN
      EXECUTE format('CREATE TABLE seed.%1$I AS TABLE public.%1$I', name);
      SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
       WHERE attrelid = format('public.%I', name)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
      steps := steps
        || format('INSERT INTO public.%1$I (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM seed.%1$I;', name, columns);
    END IF;
  END LOOP;
  FOR sequence IN SELECT format('%I.%I', schemaname, sequencename) AS name, last_value FROM pg_sequences WHERE schemaname = 'public' LOOP
    is_called := sequence.last_value IS NOT NULL;
    steps := steps || format('PERFORM setval(%L, %s, %L);', sequence.name, coalesce(sequence.last_value, 1), is_called);
  END LOOP;
  EXECUTE format(
    'CREATE FUNCTION seed.reset() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS %L', 'BEGIN ' || steps || ' END'
  );
END $$;
"""


async def clone(admin_url: str, service: str, worker: str, *, location: Path | None = None) -> str:
    """URL of this worker's own database of the service, as its migrations leave it."""
    template = f"template_{service}_shared" if location else f"template_{service}"
    name = template.replace("template", worker)
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute("SET lock_timeout = 0; SET statement_timeout = 0")
        await admin.execute(f"SELECT pg_advisory_lock({_LOCK})")
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", template):
            await _make_template(admin, admin_url, service, template, location)
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await admin.close()
    return with_database(admin_url, name)


async def _make_template(
    admin: asyncpg.Connection[asyncpg.Record], admin_url: str, service: str, template: str, location: Path | None
) -> None:
    unfinished = f"{template}_unfinished"
    await admin.execute(f'DROP DATABASE IF EXISTS "{unfinished}"')
    await admin.execute(f'CREATE DATABASE "{unfinished}"')
    url = with_database(admin_url, unfinished)
    await asyncio.to_thread(migrations.upgrade, service, url, location=location)
    await _with_connection(url, lambda connection: connection.execute(_KEEP_ASIDE))
    await admin.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{template}"')


async def reset(database: Database) -> None:
    """Bring every table and sequence back to what the migrations left."""
    async with database.transaction() as tx:
        await tx.execute("SELECT seed.reset()")


async def _with_connection(url: str, work: Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[object]]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await work(connection)
    finally:
        await connection.close()


def with_database(url: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
