"""Surveys over REST, with everything that a caller can get wrong."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.feedback.survey.forms import Half
from shared import clock
from shared.auth import Role
from shared.database import Database
from shared.events.codes import MAX_TEXT
from shared.events.feedback import SurveyAnswered
from tests.feedback.builders import new_number, resolved
from tests.feedback.conftest import Surveys, headers_of
from tests.feedback.outbox import count_told, told

pytestmark = [pytest.mark.postgres, pytest.mark.api]

FORGED = "Zm9yZ2VkLXRva2VuLW9mLTMyLWNoYXJh"


async def post(client: httpx.AsyncClient, token: str, body: Any, **headers: str) -> httpx.Response:
    return await client.post(f"/v1/surveys/{token}/answers", json=body, headers=headers)


def codes(answer: httpx.Response) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


async def table_counts(database: Database) -> dict[str, int]:
    async with database.transaction() as tx:
        return {
            table: await tx.fetchval(f"SELECT count(*) FROM {table}") for table in ("answer", "comment", "outbox", "idempotency", "opt_out")
        } | {"answered": await tx.fetchval("SELECT count(*) FROM invitation WHERE answered_at IS NOT NULL")}


async def test_the_questions_come_in_the_language_of_the_invitation(client: httpx.AsyncClient, surveys: Surveys) -> None:
    number = new_number()
    token = await surveys.open(number, locale="zh-TW")

    answer = await client.get(f"/v1/surveys/{token}")

    assert answer.status_code == 200
    assert answer.headers["content-language"] == "zh-TW"
    survey = answer.json()
    assert (survey["form"], survey["ticket_number"], survey["locale"]) == ("T1.2", number, "zh-TW")
    questions = {question["id"]: question for question in survey["questions"]}
    assert set(questions) == {"Q0", "Q1", "Q2", "Q3", "Q4", "Q6", "Y1", "N1", "O1"}
    overall, solved, recommend, comment = (questions[id_] for id_ in ("Q0", "Y1", "N1", "O1"))
    assert survey["questions"][0] == overall
    assert overall["text"] == "您對本次服務整體滿意嗎？"
    assert (overall["type"], overall["required"], overall["not_applicable"], overall["lead"]) == ("rating", True, False, None)
    assert [option["value"] for option in overall["options"]] == [1, 2, 3, 4, 5]
    assert [option["value"] for option in solved["options"]] == ["yes", "partly", "no"]
    assert (recommend["low_label"], recommend["high_label"]) == ("完全不可能", "非常可能")
    assert (comment["type"], comment["options"], comment["max_length"]) == ("text", [], MAX_TEXT)
    assert (questions["Q3"]["lead"], questions["Q3"]["not_applicable"]) == ("您對以下各方面滿意嗎？", True)


async def test_the_half_that_is_not_asked_n1_is_asked_q5_and_gets_a_clear_refusal(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open(new_number(Half.SECOND))
    asked = {question["id"] for question in (await client.get(f"/v1/surveys/{token}")).json()["questions"]}

    refused = await post(client, token, {"answers": {"Q0": 5, "N1": 9}})
    taken = await post(client, token, {"answers": {"Q0": 5, "Q5": "not_applicable"}})

    assert asked & {"N1", "Q5"} == {"Q5"}
    assert (refused.status_code, codes(refused)) == (422, {"#/answers/N1": "not_asked"})
    assert "read its questions" in refused.json()["errors"][0]["detail"]
    assert taken.status_code == 201


async def test_the_questions_and_their_order_are_the_same_whenever_one_looks(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open()

    looks = [(await client.get(f"/v1/surveys/{token}?lang=en")).json() for _ in range(3)]

    assert looks[0] == looks[1] == looks[2]


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [("?lang=en", "zh-TW", "en"), ("", "en-GB,zh;q=0.5", "en"), ("", "fr", "zh-CN"), ("", None, "zh-CN")],
)
async def test_a_caller_may_ask_for_another_language(
    client: httpx.AsyncClient, surveys: Surveys, query: str, header: str | None, language: str
) -> None:
    token = await surveys.open()

    answer = await client.get(f"/v1/surveys/{token}{query}", headers={"Accept-Language": header} if header else {})

    assert answer.json()["locale"] == language


async def test_looking_records_nothing(client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database) -> None:
    token = await surveys.open()
    before = await table_counts(feedback_database)

    for _ in range(3):
        await client.get(f"/v1/surveys/{token}?lang=en")
        await client.get(f"/s/{token}")
        await client.get(f"/s/{token}", params={"Q0": "1", "Y1": "no"})
        await client.get(f"/s/{token}/thanks")
        await client.get(f"/s/{token}/opt-out")
        await client.head(f"/s/{token}")

    assert await table_counts(feedback_database) == before


async def test_an_answer_is_taken(client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database) -> None:
    number = new_number()
    token = await surveys.open(number)

    answer = await post(client, token, {"answers": {"Q0": 2, "Y1": "partly", "N1": 0}, "comment": "太慢了"})

    assert answer.status_code == 201
    assert answer.json() | {"answered_at": None} == {
        "ticket_number": number,
        "form": "T1.2",
        "answered_at": None,
        "will_follow_up": True,
    }
    (event,) = await told(feedback_database, SurveyAnswered)
    assert (event.overall, event.solved, event.recommend, event.has_comment) == (2, "partly", 0, True)


async def test_a_used_token_is_refused_and_the_first_answer_stays(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database
) -> None:
    token = await surveys.open()
    await post(client, token, {"answers": {"Q0": 5}})

    second = await post(client, token, {"answers": {"Q0": 1}})
    looked = await client.get(f"/v1/surveys/{token}")

    assert (second.status_code, second.json()["code"]) == (409, "survey_answered")
    assert (looked.status_code, looked.json()["code"]) == (409, "survey_answered")
    assert [event.overall for event in await told(feedback_database, SurveyAnswered)] == [5]


@pytest.mark.parametrize("state", ["expired", "cancelled"])
async def test_a_survey_that_has_ended_says_why_and_what_can_be_done(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database, state: str
) -> None:
    token = await (surveys.expired() if state == "expired" else surveys.cancelled())
    before = await table_counts(feedback_database)

    for answer in (await post(client, token, {"answers": {"Q0": 5}}), await client.get(f"/v1/surveys/{token}")):
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["reason"]) == (410, "survey_ended", state)
        assert problem["ticket_number"].startswith("AS-")
        assert problem["contact_url"] == "https://shop.example/contact"
    assert await table_counts(feedback_database) == before


@pytest.mark.parametrize("token", [FORGED, "x", "%2e%2e%2fetc%2fpasswd", "a" * 300, "%ED%A0%80" * 8, "好" * 32, "%00" * 32])
async def test_a_forged_token_looks_like_nothing(client: httpx.AsyncClient, surveys: Surveys, token: str) -> None:
    await surveys.open()

    assert (await post(client, token, {"answers": {"Q0": 5}})).status_code == 404
    assert (await client.get(f"/v1/surveys/{token}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"answers": {"Q0": 6}}, {"#/answers/Q0": "out_of_range"}),
        ({"answers": {"Q0": 0}}, {"#/answers/Q0": "out_of_range"}),
        ({"answers": {"Q0": 5, "N1": 11}}, {"#/answers/N1": "out_of_range"}),
        ({"answers": {"Q0": "5"}}, {"#/answers/Q0": "wrong_type"}),
        ({"answers": {"Q0": 4.5}}, {"#/answers/Q0": "wrong_type"}),
        ({"answers": {"Q0": True}}, {"#/answers/Q0": "wrong_type"}),
        ({"answers": {"Q0": [5]}}, {"#/answers/Q0": "wrong_type"}),
        ({"answers": {"Q0": 5, "Y1": "maybe"}}, {"#/answers/Y1": "unknown_option"}),
        ({"answers": {"Q0": 5, "Q9": 5}}, {"#/answers/Q9": "unknown_question"}),
        ({"answers": {"Q0": 5, "Q5": 5}}, {"#/answers/Q5": "not_asked"}),
        ({"answers": {"Q0": "not_applicable"}}, {"#/answers/Q0": "wrong_type"}),
        ({"answers": {"Q0": 5, "N1": "not_applicable"}}, {"#/answers/N1": "wrong_type"}),
        ({"answers": {"Q0": 5, "a/b~": 5}}, {"#/answers": "unknown_question"}),
        ({"answers": {}}, {"#/answers/Q0": "required"}),
        ({"answers": {"Q0": 5, "O1": "a"}, "comment": "b"}, {"#/comment": "duplicate"}),
        ({"answers": {"Q0": 5}, "comment": 7}, {"#/comment": "string_type"}),
        ({"answers": {"Q0": 5}, "comment": "x" * (MAX_TEXT + 1)}, {"#/comment": "string_too_long"}),
        ({"answers": {"Q0": 5, "O1": "x" * (MAX_TEXT + 1)}}, {"#/answers/O1": "too_long"}),
        ({"answers": {"Q0": 5}, "comments": "typo"}, {"#/comments": "extra_forbidden"}),
        ({"answers": [5]}, {"#/answers": "object_type"}),
        ({"comment": "no answers"}, {"#/answers": "missing"}),
        ({"answers": {f"Q{place}": 5 for place in range(101)}}, {"#/answers": "too_long"}),
        ({"answers": {"Q0": 5}, "comment": "a\0b"}, {"#/comment": "nul_character"}),
        ({"answers": {"Q0": 5, "\0": 1}}, {"#/answers": "nul_character"}),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_place_and_nothing_is_recorded(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database, body: Any, wrong: dict[str, str]
) -> None:
    token = await surveys.open()
    before = await table_counts(feedback_database)

    answer = await post(client, token, body, **{"Idempotency-Key": "k-1"})

    assert answer.status_code == 422
    assert codes(answer) == wrong
    assert await table_counts(feedback_database) == before
    assert (await post(client, token, {"answers": {"Q0": 5}})).status_code == 201


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (b"5", 422),
        (b'{"answers": {"Q0": 5}, "comment": "\xff"}', 400),
        (b'{"answers": {"Q0": 5}, "comment": "\\ud800"}', 400),
        (b'{"answers": {"Q0": NaN}}', 400),
        (b'{"answers": {"Q0": 1e999}}', 400),
        (b'{"answers": {"Q0": 123456789012345678901234567890}}', 422),
        (b'{"answers": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
        (b'{"answers": {"Q0": 5}, "comment": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
async def test_a_body_that_is_no_sound_json_is_refused(client: httpx.AsyncClient, surveys: Surveys, content: bytes, status: int) -> None:
    token = await surveys.open()

    answer = await client.post(f"/v1/surveys/{token}/answers", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_another_media_type_is_refused(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open()

    answer = await client.post(f"/v1/surveys/{token}/answers", content=b"Q0=5", headers={"Content-Type": "text/plain"})

    assert answer.status_code == 415


async def test_the_longest_legal_comment_is_kept_whole(client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]) -> None:
    number = new_number()
    token = await surveys.open(number)

    answer = await post(client, token, {"answers": {"Q0": 5}, "comment": "😀" * MAX_TEXT})

    assert answer.status_code == 201
    listed = await client.get("/v1/invitations", params={"ticket": number}, headers=staff)
    assert listed.json()["items"][0]["answer"]["comment"] == "😀" * MAX_TEXT


async def test_the_same_call_twice_gets_the_same_answer(client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database) -> None:
    token = await surveys.open()
    body = {"answers": {"Q0": 4}, "comment": "ok"}

    first = await post(client, token, body, **{"Idempotency-Key": "answer-1"})
    second = await post(client, token, body, **{"Idempotency-Key": "answer-1"})

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(await told(feedback_database, SurveyAnswered)) == 1


async def test_the_same_key_with_another_body_is_refused(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open()
    await post(client, token, {"answers": {"Q0": 4}}, **{"Idempotency-Key": "answer-1"})

    answer = await post(client, token, {"answers": {"Q0": 5}}, **{"Idempotency-Key": "answer-1"})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_two_surveys_may_use_the_same_key(client: httpx.AsyncClient, surveys: Surveys) -> None:
    for _ in range(2):
        token = await surveys.open()
        assert (await post(client, token, {"answers": {"Q0": 4}}, **{"Idempotency-Key": "answer-1"})).status_code == 201


async def test_of_fifty_posts_at_once_one_is_taken(client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database) -> None:
    token = await surveys.open()

    answers = await asyncio.gather(*(post(client, token, {"answers": {"Q0": 1 + place % 5}}) for place in range(50)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49
    assert len(await told(feedback_database, SurveyAnswered)) == 1


async def test_fifty_equal_posts_with_one_key_are_one_answer(
    client: httpx.AsyncClient, surveys: Surveys, feedback_database: Database
) -> None:
    token = await surveys.open()

    answers = await asyncio.gather(*(post(client, token, {"answers": {"Q0": 3}}, **{"Idempotency-Key": "one"}) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await told(feedback_database, SurveyAnswered)) == 1


async def test_an_unknown_language_is_refused(client: httpx.AsyncClient, surveys: Surveys) -> None:
    token = await surveys.open()

    assert (await client.get(f"/v1/surveys/{token}?lang=tlh")).status_code == 422


async def test_staff_see_invitations_with_their_answers(client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]) -> None:
    number = new_number()
    token = await surveys.open(number, episode=2)
    await post(client, token, {"answers": {"Q0": 5, "Y1": "no"}, "comment": "坏了"})

    (invitation,) = (await client.get("/v1/invitations", params={"ticket": number}, headers=staff)).json()["items"]

    assert (invitation["ticket_number"], invitation["episode"], invitation["state"]) == (number, 2, "answered")
    assert invitation["answer"] == {
        "overall": 5,
        "recommend": None,
        "solved": "no",
        "answers": {"Q0": 5, "Y1": "no"},
        "comment": "坏了",
        "is_low": True,
        "flags": ["low", "not_solved", "complaint"],
        "complaint_words": ["坏了"],
    }
    assert token not in str(invitation)


async def test_states_are_those_of_the_moment(client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]) -> None:
    await surveys.expired()
    await surveys.cancelled()
    await surveys.open(ago=timedelta(days=13))

    items = (await client.get("/v1/invitations", headers=staff)).json()["items"]

    assert sorted(item["state"] for item in items) == ["cancelled", "expired", "open"]


async def numbers(client: httpx.AsyncClient, staff: dict[str, str], **params: str) -> set[str]:
    answer = await client.get("/v1/invitations", params=params, headers=staff)
    assert answer.status_code == 200, answer.text
    return {item["ticket_number"] for item in answer.json()["items"]}


async def test_staff_list_invitations_by_where_they_stand_and_what_they_ask_for(
    client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]
) -> None:
    customer = uuid4()
    spared, answered, angry, still_open = (new_number() for _ in range(4))
    await surveys.open(still_open, customer_id=customer)
    await surveys.follow(resolved(ticket_number=spared, customer_id=customer, occurred_at=clock.now()), at=clock.now())
    await post(client, await surveys.open(answered), {"answers": {"Q0": 5}})
    await post(client, await surveys.open(angry), {"answers": {"Q0": 5}, "comment": "再不处理我要投诉"})
    await surveys.expired()
    await surveys.cancelled()

    assert await numbers(client, staff, state="open") == {still_open}
    assert await numbers(client, staff, state="answered") == {answered, angry}
    assert await numbers(client, staff, state="throttled") == {spared}
    assert len(await numbers(client, staff, state="expired")) == len(await numbers(client, staff, state="cancelled")) == 1
    assert await numbers(client, staff, state="scheduled") == set()
    assert await numbers(client, staff, flag="complaint") == {angry}
    assert await numbers(client, staff, flag="complaint", state="open") == set()
    (item,) = (await client.get("/v1/invitations", params={"ticket": spared}, headers=staff)).json()["items"]
    assert (item["state"], item["reason"], item["invited_at"], item["answer"]) == ("throttled", "frequency", None, None)


async def test_a_list_may_be_limited_to_a_span_of_resolutions(client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]) -> None:
    old, new = new_number(), new_number()
    await surveys.open(old, ago=timedelta(days=5))
    await surveys.open(new)
    middle = (clock.now() - timedelta(days=1)).isoformat()

    assert await numbers(client, staff, to=middle) == {old}
    assert await numbers(client, staff, **{"from": middle}) == {new}


async def test_one_invitation_is_read_by_its_id(client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]) -> None:
    await surveys.open()
    (listed,) = (await client.get("/v1/invitations", headers=staff)).json()["items"]

    found = await client.get(f"/v1/invitations/{listed['id']}", headers=staff)

    assert (found.status_code, found.json()) == (200, listed)
    assert (await client.get(f"/v1/invitations/{uuid4()}", headers=staff)).status_code == 404
    assert (await client.get("/v1/invitations/x", headers=staff)).status_code == 422
    assert (await client.get(f"/v1/invitations/{listed['id']}")).status_code == 401


async def test_pages_show_each_invitation_once(client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]) -> None:
    wanted = {new_number() for _ in range(5)}
    for number in wanted:
        await surveys.open(number)

    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/invitations", params=params, headers=staff)).json()
        seen += [item["ticket_number"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert len(seen) == 5
    assert set(seen) == wanted


async def test_a_tampered_cursor_is_refused(client: httpx.AsyncClient, surveys: Surveys, staff: dict[str, str]) -> None:
    for _ in range(2):
        await surveys.open()
    cursor = (await client.get("/v1/invitations?limit=1", headers=staff)).json()["next_cursor"]

    for wrong in (cursor[:-2], cursor.swapcase(), "x"):
        answer = await client.get("/v1/invitations", params={"limit": 1, "cursor": wrong}, headers=staff)
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")
    other = await client.get("/v1/invitations", params={"ticket": "AS-1", "cursor": cursor}, headers=staff)
    assert other.status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "tickets=AS-1",
        "ticket=%00",
        "ticket=",
        "ticket=a%20b",
        "state=gone",
        "state=",
        "flag=angry",
        "from=yesterday",
        "from=2026-11-25",
        "from=2026-11-25T00:00:00",
        "to=1700000000",
        "from=2026-11-25T00:00:00Z&to=2026-11-25T00:00:00Z",
        "from=9999-12-31T23:59:59Z",
    ],
)
async def test_a_wrong_query_is_refused(client: httpx.AsyncClient, staff: dict[str, str], query: str) -> None:
    assert (await client.get(f"/v1/invitations?{query}", headers=staff)).status_code == 422


async def test_invitations_are_for_staff(client: httpx.AsyncClient, feedback_database: Database) -> None:
    customer = await headers_of(feedback_database, Role.CUSTOMER)

    assert (await client.get("/v1/invitations")).status_code == 401
    assert (await client.get("/v1/invitations", headers={"Authorization": "Bearer nonsense"})).status_code == 401
    assert (await client.get("/v1/invitations", headers=customer)).status_code == 403


async def test_an_unknown_ticket_has_no_invitations(client: httpx.AsyncClient, staff: dict[str, str]) -> None:
    page = (await client.get("/v1/invitations", params={"ticket": f"AS-{uuid4().hex}"}, headers=staff)).json()

    assert page == {"items": [], "next_cursor": None}


async def test_logs_do_not_hold_the_token(
    client: httpx.AsyncClient, surveys: Surveys, capsys: pytest.CaptureFixture[str], feedback_database: Database
) -> None:
    token = await surveys.open()
    capsys.readouterr()

    await client.get(f"/v1/surveys/{token}")
    await client.get(f"/s/{token}")
    await post(client, token, {"answers": {"Q0": 9}, "comment": "geheim"})
    await post(client, token, {"answers": {"Q0": 5}, "comment": "geheim"})

    written = "".join(capsys.readouterr())
    assert "request_handled" in written
    assert token not in written
    assert "geheim" not in written
    assert await count_told(feedback_database) == 3
