"""The doors without HTTP: the bus, timers, and the README that says what happens behind them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

import services.feedback
from services.feedback.consumer import READS, make_handler
from services.feedback.settings import USUAL_DELAY, FeedbackSettings
from services.feedback.survey.invitations import State
from services.feedback.timers import make_spec
from shared import clock
from shared.consumer import Received
from shared.database import Database
from shared.events import REGISTRY
from shared.events.envelope import Event
from shared.events.examples import example_of
from shared.events.feedback import SurveyInvited
from shared.events.intake import CustomerRegistered
from shared.events.notification import FeedbackNotificationRequested
from shared.events.tickets import SlaMet
from shared.events.topics import consumed_by
from shared.runtime import Runtime
from shared.timers import TimerLoop
from tests.feedback.builders import new_number, resolved, target
from tests.feedback.conftest import Surveys
from tests.feedback.outbox import count_told, told


@pytest.mark.postgres
async def test_planned_surveys_are_sent_when_they_are_due_each_once(feedback_database: Database, settings: FeedbackSettings) -> None:
    patient = settings.model_copy(update={"survey_delay": timedelta(hours=24)})
    runtime = Runtime.for_tests(feedback_database, patient)
    surveys = Surveys.of(runtime)
    yesterday, now = clock.now() - timedelta(hours=25), clock.now()
    await surveys.follow(
        *(resolved(ticket_number=new_number(), customer_id=uuid4(), occurred_at=yesterday) for _ in range(3)), at=yesterday
    )
    await surveys.follow(resolved(ticket_number=new_number(), occurred_at=now), at=now)
    assert await count_told(feedback_database) == 0

    loops = [TimerLoop(feedback_database, make_spec(runtime)) for _ in range(2)]
    fired = [await loop.round() for loop in loops]

    assert fired == [3, 0]
    assert len(await told(feedback_database, SurveyInvited)) == 3
    assert len({mail.link for mail in await told(feedback_database, FeedbackNotificationRequested)}) == 3
    async with feedback_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM timer WHERE kind = 'survey_invitation'") == 1


@pytest.mark.postgres
async def test_a_process_whose_clock_is_behind_sends_what_is_due_all_the_same(
    feedback_database: Database, settings: FeedbackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Runtime.for_tests(feedback_database, settings.model_copy(update={"survey_delay": timedelta(hours=24)}))
    due_at = clock.now() - timedelta(minutes=1)
    resolved_at = due_at - timedelta(hours=24)
    await Surveys.of(runtime).follow(resolved(ticket_number=new_number(), occurred_at=resolved_at), at=resolved_at)
    monkeypatch.setattr(clock, "now", lambda: due_at - timedelta(minutes=3))

    assert await TimerLoop(feedback_database, make_spec(runtime)).round() == 1

    (invited,) = await told(feedback_database, SurveyInvited)
    assert invited.occurred_at >= due_at


@pytest.mark.postgres
async def test_a_batch_from_both_topics_is_followed_and_types_of_no_interest_are_left(
    feedback_database: Database, settings: FeedbackSettings
) -> None:
    handle = make_handler(Runtime.for_tests(feedback_database, settings))
    number, customer, now = new_number(), uuid4(), clock.now()
    batch = [
        CustomerRegistered(occurred_at=now, customer_id=customer, name="Ann", locale="en"),
        SlaMet(**resolved(ticket_number=number).model_dump(include=set(SlaMet.model_fields)), target="resolution", clock=target(now)),
        resolved(ticket_number=number, customer_id=customer, occurred_at=now, locale="fr"),
    ]

    async with feedback_database.transaction() as tx:
        await handle(tx, [received(event, seq) for seq, event in enumerate(batch, 1)])

    (mail,) = await told(feedback_database, FeedbackNotificationRequested)
    assert (mail.ticket_number, mail.customer_id, mail.locale) == (number, customer, "en")
    assert await count_told(feedback_database) == 2


@pytest.mark.postgres
async def test_what_feedback_does_not_read_would_leave_no_trace(feedback_database: Database, settings: FeedbackSettings) -> None:
    handle = make_handler(Runtime.for_tests(feedback_database, settings))
    topics = {topic.name for topic in consumed_by("feedback")}
    unread = [contract for (topic, _), contract in REGISTRY.items() if topic in topics and contract not in READS]
    before = await everything(feedback_database)

    async with feedback_database.transaction() as tx:
        await handle(tx, [received(example_of(contract), seq) for seq, contract in enumerate(unread, 1)])

    assert len(unread) > 10
    assert await everything(feedback_database) == before


async def everything(database: Database) -> dict[str, list[str]]:
    async with database.transaction() as tx:
        tables = [row[0] for row in await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]
        return {table: [row[0] for row in await tx.fetch(f'SELECT t::text FROM "{table}" t ORDER BY 1')] for table in tables}


def received(event: Event, seq: int) -> Received:
    return Received(event.TOPIC.name, 0, seq, uuid4(), event.TYPE, event.key, event.occurred_at, event, seq)


@pytest.mark.pure
def test_by_default_a_local_platform_asks_at_once_and_others_after_a_day(settings: FeedbackSettings) -> None:
    assert settings.delay == timedelta(0)
    assert settings.model_copy(update={"local": False}).delay == USUAL_DELAY
    assert settings.model_copy(update={"local": False, "survey_delay": timedelta(hours=2)}).delay == timedelta(hours=2)


@pytest.mark.pure
def test_the_diagram_in_the_readme_has_every_state() -> None:
    readme = (Path(services.feedback.__file__).parent / "README.md").read_text()
    diagram = readme.partition("```mermaid")[2].partition("```")[0]

    named = set(re.findall(r"\b([a-z]+) --> |--> ([a-z]+):", diagram))
    assert {name for pair in named for name in pair if name} == {state.value for state in State}
