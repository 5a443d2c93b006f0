"""Bodies: how large, how slow, how deep and how sound they may be, and that a bad one leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from shared.http import BATCH_LIMIT, BODY_LIMIT, body
from shared.http.body import MAX_DEPTH, NestedTooDeep, is_json, parse

pytestmark = pytest.mark.postgres

JSON = {"Content-Type": "application/json"}


def nested(levels: int) -> bytes:
    """An object with so many levels in all."""
    return b'{"text": "x", "metadata": ' + b'{"a":' * (levels - 1) + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "malformed_body"),
        (b'{"text": "a",}', 400, "malformed_body"),
        (b'{"text": NaN}', 400, "malformed_body"),
        (b'{"count": 1e400}', 400, "malformed_body"),
        (b'{"text": "\xff"}', 400, "malformed_body"),
        ('{"text": "grüß"}'.encode("latin-1"), 400, "malformed_body"),
        ('{"text": "a"}'.encode("utf-16"), 400, "malformed_body"),
        (b'{"text": "\\ud800"}', 400, "malformed_body"),
        (b'{"text": "\xed\xa0\x80"}', 400, "malformed_body"),
        (b"[" * 50_000, 400, "nested_too_deep"),
        (b"[" * 50_000 + b"]" * 50_000, 400, "nested_too_deep"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400, "nested_too_deep"),
        (nested(MAX_DEPTH + 1), 400, "nested_too_deep"),
        (b'{"text": "a\\u0000b"}', 422, "invalid"),
        (b"", 422, "invalid"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b'"text"', 422, "invalid"),
        (b"{}", 422, "invalid"),
        (b'{"text": 5}', 422, "invalid"),
        (b'{"text": "   "}', 422, "invalid"),
        (b'{"text": "x", "count": "5"}', 422, "invalid"),
        (b'{"text": "x", "count": 1e300}', 422, "invalid"),
        (b'{"text": "x", "urgent": "yes"}', 422, "invalid"),
        (b'{"text": "x", "unknown": 1}', 422, "invalid"),
        (b'{"text": "' + b"x" * 20_001 + b'"}', 422, "invalid"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/things", "/v1/hot"])
async def test_an_unsound_body_is_refused_and_nothing_is_done(
    sample: FastAPI, admin: httpx.AsyncClient, path: str, content: bytes, status: int, code: str
) -> None:
    answer = await admin.post(path, content=content, headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sample.state.made == []


async def test_a_body_as_deep_as_allowed_is_taken(admin: httpx.AsyncClient) -> None:
    assert (await admin.post("/v1/things", content=nested(MAX_DEPTH), headers=JSON)).status_code == 201


async def test_wide_is_not_deep(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/v1/many", json=[{"text": "x", "parts": [{}] * 10}] * 500)

    assert answer.json() == {"count": 500}


async def test_the_largest_legal_text_is_taken_whole(admin: httpx.AsyncClient) -> None:
    text = "界" * 20_000

    answer = await admin.post("/v1/things", json={"text": text})

    assert (answer.status_code, answer.json()["text"]) == (201, text)


@pytest.mark.parametrize(("path", "limit"), [("/v1/things", BODY_LIMIT), ("/v1/many", BATCH_LIMIT)])
async def test_a_body_announced_as_too_large_is_not_read(admin: httpx.AsyncClient, path: str, limit: int) -> None:
    answer = await admin.post(path, content=b"x" * (limit + 1), headers=JSON)

    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["limit"] == limit


async def test_a_body_that_was_not_announced_is_counted_as_it_arrives(admin: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 65_536

    answer = await admin.post("/v1/things", content=endless(), headers=JSON)

    assert answer.status_code == 413
    assert read == BODY_LIMIT // 65_536 + 1


async def test_a_body_that_lies_about_its_length_is_counted(sample: FastAPI, admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/v1/things", content=b"x" * (BODY_LIMIT + 1), headers={**JSON, "Content-Length": "10"})

    assert answer.status_code == 413


async def test_a_body_just_within_the_limit_is_read(admin: httpx.AsyncClient) -> None:
    padding = BODY_LIMIT - len(b'{"text": "x"}')

    answer = await admin.post("/v1/things", content=b'{"text": "x"' + b" " * padding + b"}", headers=JSON)

    assert answer.status_code == 201


async def test_a_body_that_does_not_arrive_is_given_up(sample: FastAPI, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_TIMEOUT", 0.05)
    sent: list[dict[str, object]] = []

    async def silent() -> dict[str, object]:
        if sent:
            return {"type": "http.disconnect"}
        return await _never()

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = [(b"authorization", admin.headers["Authorization"].encode()), (b"content-type", b"application/json")]
    await sample({**_SCOPE, "headers": headers}, silent, send)

    assert sent[0]["status"] == 408


async def test_a_form_has_the_same_limit(nobody: httpx.AsyncClient) -> None:
    good = await nobody.post("/form", data={"comment": "fine"})
    large = await nobody.post("/form", data={"comment": "x" * (BODY_LIMIT + 1)})
    long = await nobody.post("/form", data={"comment": "x" * 101})

    assert (good.status_code, large.status_code, long.status_code) == (200, 413, 422)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk", "json", "", "*"],
)
async def test_another_media_type_is_refused(admin: httpx.AsyncClient, content_type: str) -> None:
    answer = await admin.post("/v1/things", content=b'{"text": "x"}', headers={"Content-Type": content_type})

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"])
def test_json_is_known_by_its_names(content_type: str) -> None:
    assert is_json(content_type)


async def test_what_was_sent_is_never_repeated(admin: httpx.AsyncClient) -> None:
    secret = "zhangsan@example.com 13800138000"

    for field in ({"text": [secret]}, {"text": "x", "count": secret}, {"text": "x", "parts": [{"at": secret}]}):
        answer = await admin.post("/v1/things", json=field)
        assert answer.status_code == 422
        assert "zhangsan" not in answer.text
        assert "138" not in answer.text.replace(answer.json()["request_id"], "")  # which is random and may hold any digits


async def test_each_wrong_field_is_named_by_a_pointer(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/v1/things", json={"text": "", "parts": [{"name": "a\nb", "a/b~": 1}, 5], "urgent": 1})

    assert answer.json()["title"]
    assert {(error["pointer"], error["code"]) for error in answer.json()["errors"]} == {
        ("#/text", "string_too_short"),
        ("#/parts/0/name", "control_character"),
        ("#/parts/0/a~1b~0", "extra_forbidden"),
        ("#/parts/1", "object_type"),
        ("#/urgent", "bool_type"),
    }


async def test_a_flood_of_wrong_fields_is_answered_in_part(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/v1/things", json={"text": "x", **{f"field{n}" * 50: 1 for n in range(500)}})

    assert len(answer.json()["errors"]) == 100
    assert max(len(error["pointer"]) for error in answer.json()["errors"]) <= 200


def test_a_nul_character_is_found_wherever_it_hides() -> None:
    assert parse(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}
    for hidden in (b'{"a": [1, {"b": "x\\u0000"}]}', b'{"a\\u0000": 1}', b'["\\u0000"]', b'"\\u0000"'):
        with pytest.raises(Exception, match="U\\+0000"):
            parse(hidden)


def test_depth_is_refused_on_both_sides_of_the_parsers_own_limit() -> None:
    for levels in (MAX_DEPTH + 1, 500, 1_023, 1_024, 1_025, 100_000):
        with pytest.raises(NestedTooDeep):
            parse(b"[" * levels + b"]" * levels)
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/v1/things",
    "raw_path": b"/v1/things",
    "query_string": b"",
    "root_path": "",
    "server": ("service.test", 80),
    "client": ("127.0.0.1", 1),
}


async def _never() -> dict[str, object]:
    await asyncio.Event().wait()
    raise AssertionError
