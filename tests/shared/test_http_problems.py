"""Problems: one form for every error, a registry that explains them, and no word about what happened inside."""

from __future__ import annotations

import httpx
import pytest

from shared import errors
from shared.http import problems
from tests.shared.sample import Shelf

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ServiceError)]


@pytest.mark.pure
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not errors.ServiceError])
def test_every_kind_of_error_has_a_status_and_a_title(kind: type[errors.ServiceError]) -> None:
    found = problems.problem_type(kind)

    assert 400 <= found.status <= 599
    assert found.title
    assert not found.title.endswith(".")


@pytest.mark.pure
def test_a_kind_without_a_status_is_a_bug_that_shows() -> None:
    with pytest.raises(LookupError, match="no HTTP status"):
        problems.problem_type(errors.ServiceError)


@pytest.mark.pure
def test_each_code_means_one_status() -> None:
    statuses: dict[str, set[int]] = {}
    for kind in problems.all_kinds():
        statuses.setdefault(kind.code, set()).add(problems.problem_type(kind).status)

    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


@pytest.mark.pure
@pytest.mark.parametrize(
    ("loc", "pointer"),
    [
        (("body",), "#"),
        (("body", "customer", "phone"), "/customer/phone"),
        (("body", "requests", 3, "a/b~c"), "/requests/3/a~1b~0c"),
        (("query", "limit"), "?limit"),
        (("path", "number"), "{number}"),
        (("header", "if-match"), "if-match"),
        (("text",), "/text"),
        ((), "#"),
    ],
)
def test_a_place_is_a_pointer(loc: tuple[str | int, ...], pointer: str) -> None:
    assert problems.pointer(loc) == pointer


@pytest.mark.pure
def test_the_tag_of_a_union_is_not_repeated() -> None:
    found = {"type": "union_tag_invalid", "loc": ("body",), "msg": "Input tag 'secret' found", "ctx": {"expected_tags": "'a', 'b'"}}

    [wrong] = problems.invalid([found]).errors

    assert "secret" not in wrong.detail
    assert wrong.detail == "Should be one of 'a', 'b'"


@pytest.mark.postgres
class TestAnswers:
    async def test_a_problem_says_what_where_and_which_request(self, admin: httpx.AsyncClient) -> None:
        answer = await admin.get("/v1/things/missing", headers={"X-Request-Id": "request-0815"})

        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json() == {
            "type": "http://127.0.0.1:8002/problems/not_found",
            "title": "Not there, or not for this caller to know of",
            "status": 404,
            "detail": "There is no such thing.",
            "instance": "/v1/things/missing",
            "code": "not_found",
            "request_id": "request-0815",
        }

    async def test_facts_stand_beside_and_never_over_the_standard_members(self, admin: httpx.AsyncClient) -> None:
        body = (await admin.patch("/v1/things/full", headers={"If-Match": '"3"'})).json()

        assert (body["status"], body["code"], body["allowed_actions"]) == (409, "shelf_full", ["wait"])

    async def test_a_problems_type_leads_to_its_explanation(self, admin: httpx.AsyncClient) -> None:
        problem = (await admin.patch("/v1/things/full", headers={"If-Match": '"3"'})).json()

        page = await admin.get(httpx.URL(problem["type"]).path)

        assert page.json() == {"code": "shelf_full", "title": "The shelf is full", "status": 409}
        assert Shelf.code in {entry["code"] for entry in (await admin.get("/problems")).json()}

    async def test_a_code_that_nobody_uses_is_not_found(self, nobody: httpx.AsyncClient) -> None:
        assert (await nobody.get("/problems/nonsense")).json()["code"] == "problem_unknown"

    async def test_a_bug_is_answered_without_a_word_about_it(self, nobody: httpx.AsyncClient) -> None:
        answer = await nobody.get("/faults/bug")

        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        for inside in ("Zhang", "138", "SELECT", "Traceback", "ValueError", ".py"):
            assert inside not in answer.text

    async def test_a_database_that_is_away_is_our_fault_and_passes(self, nobody: httpx.AsyncClient) -> None:
        answer = await nobody.get("/faults/database")

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert "secret" not in answer.text

    async def test_a_caller_who_is_too_fast_learns_how_long_to_wait(self, nobody: httpx.AsyncClient) -> None:
        answer = await nobody.get("/faults/busy")

        assert (answer.status_code, answer.headers["Retry-After"], answer.json()["retry_after"]) == (429, "7", 7)

    async def test_a_library_that_says_no_in_plain_text_is_turned_into_a_problem(self, nobody: httpx.AsyncClient) -> None:
        answer = await nobody.get("/faults/plain")

        assert answer.status_code == 418
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == 418
        assert int(answer.headers["Content-Length"]) == len(answer.content)
