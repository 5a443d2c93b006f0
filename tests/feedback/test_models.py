"""The migrations make exactly the tables that the code declares, and carry along what the first release left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from alembic import command

from services.feedback.handlers import answering
from services.feedback.store import invitations as store
from services.feedback.store.invitations import Filters
from shared import migrations
from shared.database import Database
from shared.events.feedback import SurveyAnswered
from tests.databases import with_database
from tests.feedback.builders import MOMENT, dimensions
from tests.feedback.outbox import told
from tests.servers import Servers

pytestmark = pytest.mark.postgres

TOKEN = "firstReleaseTokenOf32Characters_"


async def test_the_migrations_make_the_tables_that_the_code_declares(feedback_database: Database) -> None:
    url = feedback_database.url

    assert await asyncio.to_thread(migrations.check, "feedback", url) == []


async def test_a_survey_that_the_first_release_sent_is_answered_after_the_upgrade(servers: Servers) -> None:
    admin = await asyncpg.connect(servers.postgres())
    name = f"feedback_{uuid4().hex}"
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = with_database(servers.postgres(), name)
    await asyncio.to_thread(command.upgrade, migrations._config("feedback", url, None), "0001")
    low, still_open = uuid4(), uuid4()
    await _left_by_the_first_release(url, low, still_open)

    await asyncio.to_thread(migrations.upgrade, "feedback", url)

    database = Database(url, pool_size=2, application_name="tests")
    async with database.transaction() as tx:
        survey = await answering.find(tx, TOKEN)
        await answering.answer(tx, TOKEN, {"Q0": 5, "N1": 9}, locale=None, door="rest", zone=ZoneInfo("Asia/Shanghai"), at=MOMENT)
        (flagged,) = await store.page(tx, Filters(flag="not_solved"), at=MOMENT, after=None, limit=10)
    (event,) = await told(database, SurveyAnswered)
    await database.close()
    await admin.execute(f'DROP DATABASE "{name}"')
    await admin.close()
    assert [question.id for question in survey.questionnaire.questions] == ["Q0", "Y1", "N1", "O1"]
    assert (event.form, event.overall, event.recommend) == ("T1.1", 5, 9)
    assert flagged.invitation.id == low


async def _left_by_the_first_release(url: str, low: UUID, still_open: UUID) -> None:
    connection = await asyncpg.connect(url)
    for place, (id_, token) in enumerate([(low, "another"), (still_open, TOKEN)]):
        await connection.execute(
            """INSERT INTO invitation (id, ticket_number, episode, customer_id, form, locale, dimensions, resolved_at, send_at, token_hash,
                                       invited_at, expires_at, answered_at)
               VALUES ($1, $2, 1, $3, 'T1.1', 'en', $4, $5, $5, $6, $5, $7, $8)""",
            id_,
            f"AS-{place}",
            uuid4(),
            dimensions().model_dump_json(),
            MOMENT - timedelta(days=1),
            store.token_hash(token),
            MOMENT + timedelta(days=13),
            MOMENT if id_ == low else None,
        )
    await connection.execute(
        """INSERT INTO answer (invitation_id, overall, solved, given, locale, door)
           VALUES ($1, 4, 'no', '{"Q0": 4, "Y1": "no"}', 'en', 'rest')""",
        low,
    )
    await connection.close()
