"""The four OpenAPI documents: complete enough that a client can be generated from them, and equal to what answers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api.houses import SERVICES, House

pytestmark = [pytest.mark.postgres, pytest.mark.api]

VERBS = ("act", "answer", "change", "create", "delete", "get", "list", "show", "submit", "track")
PROBLEM = {"$ref": "#/components/schemas/Problem"}


async def test_every_operation_has_a_name_a_summary_and_a_place(house: House) -> None:
    for operation in house.operations():
        described = operation.described
        assert re.fullmatch(rf"({'|'.join(VERBS)})[A-Z][A-Za-z]+", described["operationId"]), operation
        assert described["summary"], operation
        assert described["tags"], operation


async def test_names_of_operations_are_unique_over_all_services(houses: dict[str, House]) -> None:
    names = [
        operation.described["operationId"]
        for house in houses.values()
        for operation in house.operations(lambda operation: not {"operators", "sign-in"}.intersection(operation.described["tags"]))
    ]

    assert len(names) == len(set(names))


async def test_the_document_describes_exactly_the_routes(house: House) -> None:
    described = {(operation.method, operation.path) for operation in house.operations()}

    assert described == set(house.scopes()) - {("GET", "/docs"), ("GET", "/docs/assets/{release}/{name}")}


async def test_each_operation_names_the_scope_that_it_demands(house: House) -> None:
    scopes = house.scopes()
    for operation in house.operations():
        scope = scopes[operation.method, operation.path]
        assert operation.described["security"] == ([] if scope is None else [{"apiKey": [scope]}, {"session": [scope]}]), operation
    assert house.app.openapi()["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"


async def test_every_error_is_described_as_a_problem(house: House) -> None:
    for operation in house.operations(lambda operation: not operation.path.startswith("/s/")):
        responses = operation.described["responses"]
        for status, response in responses.items():
            if int(status) >= 400 and "application/health+json" not in response["content"]:
                assert response["content"]["application/problem+json"]["schema"] == PROBLEM, f"{operation} {status}"
        assert {"500", "503"} <= set(responses), operation
        if operation.described["security"]:
            assert {"401", "403"} <= set(responses), operation
        if operation.media_types:
            assert {"400", "413", "415", "422"} <= set(responses), operation


async def test_every_answer_has_a_schema(house: House) -> None:
    for operation in house.operations():
        for status, response in operation.described["responses"].items():
            if status.startswith("2"):
                assert all(content.get("schema") for content in response["content"].values()), f"{operation} {status}"
                assert response["content"], f"{operation} {status}"


async def test_every_reference_leads_somewhere(house: House) -> None:
    document = house.app.openapi()

    for reference in references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in found, reference
            found = found[step]


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(child) for child in node.values()))
    return set().union(*(references(child) for child in node)) if isinstance(node, list) else set()


@pytest.mark.parametrize("name", sorted(SERVICES))
async def test_the_document_is_served_as_it_is_made(houses: dict[str, House], name: str) -> None:
    async with houses[name].caller(None) as nobody:
        answer = await nobody.get("/openapi.json")

    assert answer.json() == houses[name].app.openapi()
    assert answer.json()["openapi"].startswith("3.1")
