"""Versions: who changes a thing names the version that he saw."""

from __future__ import annotations

import httpx
import pytest

pytestmark = pytest.mark.postgres


async def test_a_change_of_the_present_version_is_done(admin: httpx.AsyncClient) -> None:
    answer = await admin.patch("/v1/things/1", headers={"If-Match": '"3"'})

    assert (answer.status_code, answer.headers["ETag"]) == (200, '"4"')


async def test_a_change_without_a_version_is_refused(admin: httpx.AsyncClient) -> None:
    answer = await admin.patch("/v1/things/1")

    assert (answer.status_code, answer.json()["code"]) == (428, "version_required")


async def test_a_change_of_an_older_version_is_refused_and_told_the_present_one(admin: httpx.AsyncClient) -> None:
    answer = await admin.patch("/v1/things/1", headers={"If-Match": '"2"'})

    assert (answer.status_code, answer.json()["code"], answer.json()["current_version"]) == (412, "stale_version", 3)


@pytest.mark.parametrize("header", ["3", "*", '"3", "4"', 'W/"3"', '"three"', '"-3"', '"3', '"' + "9" * 30 + '"', '"\u0663"'])
async def test_what_is_not_one_version_is_refused(admin: httpx.AsyncClient, header: str) -> None:
    answer = await admin.patch("/v1/things/1", headers={"If-Match": header.encode()})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "If-Match")
