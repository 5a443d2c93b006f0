"""Bad input that no route may fall over, sent to every route of the four services: a clear answer, and nothing done."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from services.feedback.schemas.forms import FormBody
from services.feedback.schemas.rules import RulesBody
from shared.http import BATCH_LIMIT, BODY_LIMIT
from tests.api.houses import House, Operation
from tests.feedback.builders import AT_ONCE, T1_2
from tests.feedback.conftest import Surveys

pytestmark = [pytest.mark.postgres, pytest.mark.api]

JSON = {"Content-Type": "application/json", "If-Match": '"1"'}

UNSOUND = {
    "cut off": (b'{"text": "a', 400),
    "not JSON": (b"text=a", 400),
    "a comma too many": (b'{"text": "a",}', 400),
    "NaN": (b'{"text": NaN}', 400),
    "a number without end": (b'{"n": 1e999}', 400),
    "invalid UTF-8": (b'{"text": "\xff\xfe"}', 400),
    "another encoding": ('{"text": "投诉"}'.encode("gbk"), 400),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), 400),
    "half a surrogate pair": (b'{"text": "\\ud83d"}', 400),
    "encoded half of a surrogate pair": (b'{"text": "\xed\xa0\xbd"}', 400),
    "50,000 open arrays": (b"[" * 50_000, 400),
    "50,000 levels of arrays": (b"[" * 50_000 + b"]" * 50_000, 400),
    "20,000 levels of objects": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400),
    "500 levels": (b'{"metadata": ' + b"[" * 500 + b"]" * 500 + b"}", 400),
    "a NUL character": (b'{"text": "a\\u0000b"}', 422),
    "a NUL character in a name": (b'{"a\\u0000b": 1}', 422),
    "nothing": (b"", 422),
    "null": (b"null", 422),
    "an array": (b"[]", 422),
    "a text": (b'"text"', 422),
    "a number": (b"17", 422),
    "an empty object": (b"{}", 422),
    "a field that nobody knows": (b'{"nobody_knows": 1}', 422),
}


def takes_json(operation: Operation) -> bool:
    return "application/json" in operation.media_types


def takes_form(operation: Operation) -> bool:
    return "application/x-www-form-urlencoded" in operation.media_types


def is_problem(answer: httpx.Response) -> bool:
    return answer.headers["Content-Type"] == "application/problem+json" and answer.json()["status"] == answer.status_code


async def test_every_unsound_body_gets_a_clear_answer_and_nothing_is_done(house: House) -> None:
    async with house.caller() as admin:
        before = await house.rows()
        for operation in house.operations(takes_json):
            for name, (content, status) in UNSOUND.items():
                answer = await admin.request(operation.method, operation.url(), content=content, headers=JSON)
                assert answer.status_code == status, f"{operation}, {name}: {answer.text}"
                assert is_problem(answer), f"{operation}, {name}: {answer.text}"

        assert await house.rows() == before


async def test_an_unknown_field_is_named(house: House) -> None:
    async with house.caller() as admin:
        for operation in house.operations(takes_json):
            sound = _SOUND[operation.described["operationId"]]
            content = orjson.dumps({**sound, "nobody_knows": 1})
            answer = await admin.request(operation.method, operation.url(), content=content, headers=JSON)
            errors = {(error["pointer"], error["code"]) for error in answer.json()["errors"]}
            assert ("#/nobody_knows", "extra_forbidden") in errors, f"{operation}: {answer.text}"


async def test_every_route_has_a_limit_for_its_body(house: House) -> None:
    async with house.caller() as admin:
        before = await house.rows()
        for operation in house.operations(takes_json):
            limit = BATCH_LIMIT if "batch" in operation.path else BODY_LIMIT
            answer = await admin.request(operation.method, operation.url(), content=b" " * (limit + 1), headers=JSON)
            assert (answer.status_code, answer.json()["limit"]) == (413, limit), f"{operation}: {answer.text}"
            assert is_problem(answer)

        assert await house.rows() == before


async def test_the_form_of_an_open_survey_has_the_same_limit(houses: dict[str, House]) -> None:
    feedback = houses["feedback"]
    token = await Surveys.of(feedback.runtime).open()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    async with feedback.caller(None) as nobody:
        announced = await nobody.post(f"/s/{token}", content=b"Q0=" + b"5" * BODY_LIMIT, headers=headers)
        unannounced = await nobody.post(f"/s/{token}", content=_pieces(b"5" * BODY_LIMIT), headers=headers)
        still_open = await nobody.get(f"/v1/surveys/{token}")

    assert (announced.status_code, unannounced.status_code, still_open.status_code) == (413, 413, 200)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield b"Q0="
    yield content


async def test_every_route_takes_its_own_media_type_alone(house: House) -> None:
    async with house.caller() as admin:
        for operation in house.operations(takes_json):
            for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; charset=gbk"):
                headers = {**JSON, "Content-Type": content_type}
                answer = await admin.request(operation.method, operation.url(), content=b'{"text": "a"}', headers=headers)
                assert answer.status_code == 415, f"{operation}, {content_type}: {answer.text}"
                assert is_problem(answer)


async def test_a_form_that_is_none_is_refused(house: House) -> None:
    async with house.caller(None) as nobody:
        before = await house.rows()
        for operation in house.operations(takes_form):
            for content in (b"\xff\xfe=1", b"a=%00", b"a" * 100_000, b"&" * 5_000, b"a=1&" * 2_000, b"%ed%a0%80=%ed%a0%80"):
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                answer = await nobody.request(operation.method, operation.url(), content=content, headers=headers)
                assert 400 <= answer.status_code < 500, f"{operation}, {content[:20]!r}: {answer.status_code}"

        assert await house.rows() == before


HOSTILE = {
    "NUL": "%00",
    "invalid UTF-8": "%ff%fe",
    "half a surrogate pair": "%ed%a0%80",
    "a way out": "..%2f..%2fetc%2fpasswd",
    "a quote": "'%20OR%201=1--",
    "very long": "x" * 5_000,
    "control characters": "%01%1b%7f",
    "Chinese": "%E6%8A%95%E8%AF%89",
    "a format": "%25s%25n{0}",
    "a line break": "a%0d%0aSet-Cookie:%20a=b",
}


async def test_no_value_in_a_path_is_too_much(house: House) -> None:
    async with house.caller() as admin:
        for operation in house.operations(lambda operation: bool(operation.parameters("path"))):
            for name, value in HOSTILE.items():
                answer = await admin.request(operation.method, operation.url(value), headers={"If-Match": '"1"'})
                assert answer.status_code in {400, 404, 405, 415, 422}, f"{operation}, {name}: {answer.status_code} {answer.text[:200]}"
                assert "Set-Cookie" not in answer.headers


async def test_no_value_in_a_query_is_too_much(house: House) -> None:
    async with house.caller() as admin:
        for operation in house.operations(lambda operation: bool(operation.parameters("query"))):
            for parameter in operation.parameters("query"):
                for name, value in HOSTILE.items():
                    answer = await admin.request(operation.method, f"{operation.url()}?{parameter}={value}")
                    assert answer.status_code < 500, f"{operation} ?{parameter}, {name}: {answer.text[:200]}"
                    assert name != "NUL" or answer.status_code in {404, 422}, f"{operation} ?{parameter}"


async def test_a_misspelt_query_parameter_is_not_lost_in_silence(house: House) -> None:
    async with house.caller() as admin:
        for operation in house.operations(lambda operation: operation.path.startswith("/v1/")):
            answer = await admin.request(operation.method, f"{operation.url()}?limti=5", headers={"If-Match": '"1"'})
            assert answer.status_code == 422, f"{operation}: {answer.text}"
            assert answer.json()["errors"][0]["pointer"] == "?limti", f"{operation}: {answer.text}"


async def test_a_tampered_cursor_names_the_cursor(house: House) -> None:
    made = house.runtime.cursors.encode(["2026-11-25T10:00:00+00:00", "x"], {"other": "filter"})
    async with house.caller() as admin:
        for operation in house.operations(lambda operation: "cursor" in operation.parameters("query")):
            for cursor in ("nonsense", made, made[:-2] + "AA", "", "%00", "x" * 2_000):
                answer = await admin.request(operation.method, f"{operation.url()}?cursor={cursor}")
                if answer.status_code != 404:
                    assert answer.status_code == 422, f"{operation} {cursor[:10]}: {answer.text}"
                    assert answer.json()["errors"][0]["pointer"] == "?cursor", f"{operation}: {answer.text}"


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1e9", "ten", "", "99999999999999999999"])
async def test_a_page_has_its_limits(house: House, limit: str) -> None:
    async with house.caller() as admin:
        for operation in house.operations(lambda operation: "limit" in operation.parameters("query")):
            answer = await admin.request(operation.method, f"{operation.url()}?limit={limit}")
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "?limit"), f"{operation}: {answer.text}"


async def test_a_key_for_a_repeated_call_that_is_none_is_named(house: House) -> None:
    async with house.caller() as admin:
        for operation in house.operations(lambda operation: "Idempotency-Key" in operation.parameters("header")):
            for key in ("", "two words", "x" * 256, '"open'):
                content = orjson.dumps(_SOUND[operation.described["operationId"]])
                headers = {**JSON, "Idempotency-Key": key}
                answer = await admin.request(operation.method, operation.url(), content=content, headers=headers)
                assert answer.status_code == 422, f"{operation} {key[:10]!r}: {answer.text}"
                assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key", f"{operation}: {answer.text}"


_SOUND: dict[str, dict[str, object]] = {
    "createRequest": {"channel": "web", "text": "It hums.", "customer": {"email": "li@example.com"}},
    "createRequests": {"requests": [{"channel": "web", "text": "It hums.", "customer": {"email": "li@example.com"}}]},
    "createRequestDetails": {"product": {"model": "WM-900"}},
    "submitRequestDismissal": {"reason_code": "spam"},
    "createCustomer": {"name": "Li"},
    "changeCustomer": {"name": "Li"},
    "createCustomerIdentity": {"scheme": "phone", "value": "13800138000"},
    "submitIdentityVerification": {"method": "call_back"},
    "submitCustomerMerge": {"into": "00000000-0000-0000-0000-000000000001", "reason": "same_person"},
    "submitCustomerUnmerge": {"reason": "two_persons"},
    "submitSuggestionAcceptance": {"reason": "same_person"},
    "submitSuggestionDismissal": {"reason": "two_persons"},
    "createResend": {},
    "changeNotificationTemplate": {"wording": None},
    "actOnTicket": {"action": "take"},
    "createAgent": {"id": "anna", "name": "Anna"},
    "changeAgent": {"name": "Anna"},
    "changePresence": {"presence": "away"},
    "createTeam": {"id": "repairs", "name": "Repairs"},
    "changeTeam": {"name": "Repairs"},
    "createSkill": {"id": "kettles", "name": "Kettles"},
    "changeSkill": {"name": "Kettles"},
    "changeCalendar": {"zone": "UTC", "week": {"monday": [{"from": "09:00", "to": "17:00"}]}},
    "changePolicy": {"calendar": "always", "first_response_seconds": 3600, "resolution_seconds": 7200, "type": "repair"},
    "answerSurvey": {"answers": {"Q0": 5}},
    "createFormVersion": FormBody.of(T1_2).model_dump(mode="json", by_alias=True),
    "changeSurveyRules": RulesBody.of(AT_ONCE).model_dump(mode="json"),
    "changeSurveyPreference": {"opted_out": True},
    "changeTarget": {"value": 0.9},
}


async def test_no_answer_tells_what_happened_inside(house: House) -> None:
    async with house.caller() as admin:
        for operation in house.operations(takes_json):
            for content, _ in UNSOUND.values():
                text = (await admin.request(operation.method, operation.url(), content=content, headers=JSON)).text
                for inside in ("Traceback", 'File "', "pydantic", "asyncpg", "SELECT ", "site-packages"):
                    assert inside not in text, f"{operation}: {text}"
