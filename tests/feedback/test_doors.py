"""The doors without HTTP: timers, and the README that says what happens behind them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

import services.feedback
from services.feedback.settings import USUAL_DELAY, FeedbackSettings
from services.feedback.survey.invitations import State
from services.feedback.timers import make_spec
from shared import clock
from shared.database import Database
from shared.events.feedback import SurveyInvited
from shared.events.notification import FeedbackNotificationRequested
from shared.runtime import Runtime
from shared.timers import TimerLoop
from tests.feedback.builders import new_number, resolved
from tests.feedback.conftest import Surveys
from tests.feedback.outbox import count_told, told


@pytest.mark.postgres
async def test_planned_surveys_are_sent_when_they_are_due_each_once(feedback_database: Database, settings: FeedbackSettings) -> None:
    patient = settings.model_copy(update={"survey_delay": timedelta(hours=24)})
    runtime = Runtime.for_tests(feedback_database, patient)
    surveys = Surveys.of(runtime)
    yesterday, now = clock.now() - timedelta(hours=25), clock.now()
    await surveys.follow(*(resolved(ticket_number=new_number(), occurred_at=yesterday) for _ in range(3)), at=yesterday)
    await surveys.follow(resolved(ticket_number=new_number(), occurred_at=now), at=now)
    assert await count_told(feedback_database) == 0

    loops = [TimerLoop(feedback_database, make_spec(runtime)) for _ in range(2)]
    fired = [await loop.round() for loop in loops]

    assert fired == [3, 0]
    assert len(await told(feedback_database, SurveyInvited)) == 3
    assert len({mail.link for mail in await told(feedback_database, FeedbackNotificationRequested)}) == 3
    async with feedback_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM timer") == 1


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
