"""Anonymous surveys: the answer is kept where nothing leads back to it, and is read only as a sum."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.feedback.handlers import answering
from services.feedback.pages.wording import WORDS
from services.feedback.schemas.forms import FormBody
from services.feedback.settings import FeedbackSettings
from services.feedback.store import answers as answers_store
from services.feedback.survey.anonymity import AnonymousResponse
from services.feedback.survey.answers import Answers
from shared import clock
from shared.auth import Role
from shared.database import Database
from shared.events.codes import Locale
from shared.events.feedback import SurveyAnswered, SurveyAnsweredAnonymously, SurveyInvited
from tests.feedback.builders import T1_2, dimensions, new_number
from tests.feedback.conftest import Surveys, headers_of
from tests.feedback.outbox import told

pytestmark = [pytest.mark.postgres, pytest.mark.api]

LAST_YEAR = "2025-03"


@pytest.fixture(autouse=True)
async def anonymous_form(client: httpx.AsyncClient, feedback_database: Database) -> None:
    """T1.3, which asks what T1.2 asks, without names."""
    manager = await headers_of(feedback_database, Role.MANAGER)
    body = FormBody.of(T1_2).model_dump(mode="json", by_alias=True) | {"anonymous": True}
    answer = await client.post("/v1/forms/T1/versions", json=body, headers={**manager, "If-Match": '"2"'})
    assert (answer.status_code, answer.json()["form"]) == (201, "T1.3")


async def rows(database: Database, table: str) -> list[dict[str, Any]]:
    async with database.transaction() as tx:
        return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table}")]


async def post(client: httpx.AsyncClient, token: str, body: Mapping[str, object], **headers: str) -> httpx.Response:
    return await client.post(f"/v1/surveys/{token}/answers", json=body, headers=headers)


async def test_nothing_leads_from_an_anonymous_answer_to_its_invitation(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database, settings: FeedbackSettings
) -> None:
    token = await surveys.open(dimensions=dimensions(tier="gold"))
    taken = await post(client, token, {"answers": {"Q0": 2, "Y1": "no"}, "comment": "太慢"}, **{"Idempotency-Key": "one"})

    assert taken.status_code == 201
    (invitation,), (response,) = await rows(feedback_database, "invitation"), await rows(feedback_database, "anonymous_response")
    shared = {repr(value) for value in invitation.values()} & {repr(value) for value in response.values()}
    assert shared <= {repr(value) for value in ("T1.3", "zh-CN", None)}
    assert (response["channel"], response["type"], response["tier"]) == ("email", "repair", "gold")
    assert response["answered_on"] == clock.now().astimezone(settings.timezone).date()
    assert invitation["answered_at"].astimezone(settings.timezone).time() == datetime.min.time()
    assert (await rows(feedback_database, "answer"), await rows(feedback_database, "comment")) == ([], [])


async def test_an_idempotency_key_keeps_no_trace_of_the_answers(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database
) -> None:
    tokens = [await surveys.open() for _ in range(2)]
    for token, score in zip(tokens, (1, 5), strict=True):
        body = {"answers": {"Q0": score}}
        first = await post(client, token, body, **{"Idempotency-Key": "one"})
        again = await post(client, token, body, **{"Idempotency-Key": "one"})
        assert (first.status_code, again.content) == (201, first.content)

    assert len({row["fingerprint"] for row in await rows(feedback_database, "idempotency")}) == 1


async def test_it_is_told_without_ticket_customer_and_moment_and_nobody_is_followed_up(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database, settings: FeedbackSettings
) -> None:
    number, customer = new_number(), uuid4()
    token = await surveys.open(number, customer_id=customer)
    taken = await post(client, token, {"answers": {"Q0": 1, "Y1": "no"}, "comment": "bad"})

    (event,) = await told(feedback_database, SurveyAnsweredAnonymously)
    (invited,) = await told(feedback_database, SurveyInvited)
    assert await told(feedback_database, SurveyAnswered) == []
    assert (event.overall, event.solved, event.has_comment, event.form) == (1, "no", True, "T1.3")
    assert event.occurred_at.astimezone(settings.timezone).time() == datetime.min.time()
    text = event.model_dump_json()
    assert not [known for known in (number, str(customer), str(invited.invitation_id), "bad") if known in text]
    assert taken.json()["will_follow_up"] is False


async def test_the_first_answer_is_final_here_too(client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database) -> None:
    token = await surveys.open()

    answers = await asyncio.gather(*(post(client, token, {"answers": {"Q0": 1 + place % 5}}) for place in range(20)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert len(await rows(feedback_database, "anonymous_response")) == 1


async def test_an_answer_that_fails_to_be_kept_leaves_the_token_unused(
    surveys: Surveys, feedback_database: Database, settings: FeedbackSettings
) -> None:
    class Crash(Exception):
        pass

    token = await surveys.open()

    async def crash() -> None:
        async with feedback_database.transaction() as tx:
            await answering.answer(tx, token, {"Q0": 5}, locale=None, door="rest", zone=settings.timezone, at=clock.now())
            raise Crash

    with pytest.raises(Crash):
        await crash()
    assert await rows(feedback_database, "anonymous_response") == []
    assert [row["answered_at"] for row in await rows(feedback_database, "invitation")] == [None]


async def test_the_page_says_that_it_is_anonymous_and_what_follows(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open(locale="en")
    words = WORDS[Locale.EN]

    page = await client.get(f"/s/{token}")
    sent = await client.post(f"/s/{token}", data={"Q0": "1"})
    thanks = await client.get(str(httpx.URL(f"https://feedback.example/s/{token}").join(sent.headers["location"])))

    assert words.anonymous in page.text
    assert words.anonymous_privacy in page.text
    assert words.privacy not in page.text
    assert "we cannot follow it up" in thanks.text
    assert "https://shop.example/contact" in thanks.text


async def test_staff_see_that_it_was_answered_and_not_what(client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]) -> None:
    token = await surveys.open()
    await post(client, token, {"answers": {"Q0": 1}, "comment": "bad"})

    (item,) = (await client.get("/v1/invitations?state=answered", headers=staff)).json()["items"]

    assert (item["state"], item["is_anonymous"], item["answer"]) == ("answered", True, None)
    assert (await client.get("/v1/invitations?flag=low", headers=staff)).json()["items"] == []


async def keep(database: Database, count: int, *, day: date = date(2025, 3, 10), comment: str | None = None, **segments: str) -> None:
    """So many responses of a month that has ended."""
    async with database.transaction() as tx:
        for place in range(count):
            answers = Answers({"Q0": 1 + place % 5, "Y1": "yes"}, comment)
            response = AnonymousResponse.of(answers, form="T1.3", dimensions=dimensions(**segments), locale=Locale.EN, day=day, id_=uuid4())
            await answers_store.add_anonymous(tx, response)


async def read(client: httpx.AsyncClient, staff: dict[str, str], **params: str) -> Any:
    answer = await client.get("/v1/anonymous-responses", params={"month": LAST_YEAR, "form": "T1.3", **params}, headers=staff)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_sums_of_five_and_more_are_shown_and_smaller_ones_hidden(
    client: httpx.AsyncClient, staff: dict[str, str], feedback_database: Database
) -> None:
    await keep(feedback_database, 10, channel="email")
    await keep(feedback_database, 6, channel="web")
    await keep(feedback_database, 3, channel="chat")

    cells = {cell["segment"]: cell for cell in (await read(client, staff, group_by="channel"))["items"]}

    assert cells["email"]["n"] == 10
    assert cells["email"]["answers"] == {"Q0": {"1": 2, "2": 2, "3": 2, "4": 2, "5": 2}, "Y1": {"yes": 10}}
    # the three of the chat, and beside them the smallest other cell: total minus the rest must not be three
    for channel in ("chat", "web"):
        assert (cells[channel]["is_hidden"], cells[channel]["n"], cells[channel]["answers"]) == (True, None, None)
    (total,) = (await read(client, staff))["items"]
    assert total["n"] == 19


async def test_fewer_than_five_in_all_are_hidden_with_their_comments(
    client: httpx.AsyncClient, staff: dict[str, str], feedback_database: Database
) -> None:
    await keep(feedback_database, 4, comment="quick")
    hidden = await read(client, staff)
    await keep(feedback_database, 1, comment="slow")
    shown = await read(client, staff)

    assert (hidden["items"][0]["n"], hidden["comments"]) == (None, [])
    assert (shown["items"][0]["n"], sorted(shown["comments"])) == (5, ["quick"] * 4 + ["slow"])


async def test_only_the_month_that_was_asked_for_counts(
    client: httpx.AsyncClient, staff: dict[str, str], feedback_database: Database
) -> None:
    await keep(feedback_database, 5, day=date(2025, 3, 31))
    await keep(feedback_database, 7, day=date(2025, 4, 1))

    assert (await read(client, staff))["items"][0]["n"] == 5
    assert (await read(client, staff, month="2025-04"))["items"][0]["n"] == 7
    assert (await read(client, staff, month="2025-05"))["items"] == []


async def test_a_month_that_still_runs_is_not_shown(client: httpx.AsyncClient, staff: dict[str, str], settings: FeedbackSettings) -> None:
    today = clock.now().astimezone(settings.timezone)

    for moment in (today, today + timedelta(days=40)):
        params = {"month": moment.strftime("%Y-%m"), "form": "T1.3"}
        answer = await client.get("/v1/anonymous-responses", params=params, headers=staff)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "month_open")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "month=2025-03",
        "form=T1.3",
        "month=2025-13&form=T1.3",
        "month=2025-3&form=T1.3",
        "month=2025-03&form=x",
        "month=2025-03&form=T1.3&group_by=agent",
    ],
)
async def test_a_wrong_query_is_refused(client: httpx.AsyncClient, staff: dict[str, str], query: str) -> None:
    assert (await client.get(f"/v1/anonymous-responses?{query}", headers=staff)).status_code == 422
