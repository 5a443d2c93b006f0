"""Every route of the four services: it demands a scope or says why not, and each role passes exactly where it may."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import iter_route_contexts

from shared.auth import GRANTS, Role
from shared.http import PUBLIC, ScopedRoute
from tests.api.houses import House

pytestmark = [pytest.mark.postgres, pytest.mark.api]

OPERATORS = {
    ("GET", "/livez"): None,
    ("GET", "/readyz"): None,
    ("GET", "/startupz"): None,
    ("GET", "/healthz"): "health:read",
    ("GET", "/metrics"): None,
    ("GET", "/problems"): None,
    ("GET", "/problems/{code}"): None,
    ("GET", "/docs"): None,
    ("GET", "/docs/assets/{release}/{name}"): None,
    ("GET", "/login"): None,
    ("POST", "/login"): None,
    ("POST", "/logout"): None,
    ("GET", "/login/assets/{release}/{name}"): None,
    ("GET", "/v1/session"): None,
}

ROUTES: dict[str, dict[tuple[str, str], str | None]] = {
    "intake": {
        ("POST", "/v1/requests"): "request:create",
        ("GET", "/v1/requests"): "request:read",
        ("POST", "/v1/requests/batch"): "request:create",
        ("GET", "/v1/requests/{reference}"): "request:read",
        ("POST", "/v1/requests/{reference}/details"): "request:create",
        ("POST", "/v1/requests/{reference}/dismiss"): "ticket:act",
        ("GET", "/v1/customers"): "customer:read",
        ("POST", "/v1/customers"): "customer:write",
        ("GET", "/v1/customers/{customer_id}"): "request:read",
        ("PATCH", "/v1/customers/{customer_id}"): "customer:write",
        ("GET", "/v1/customers/{customer_id}/contacts"): "customer:read",
        ("GET", "/v1/customers/{customer_id}/history"): "customer:read",
        ("POST", "/v1/customers/{customer_id}/identities"): "customer:write",
        ("DELETE", "/v1/customers/{customer_id}/identities/{identity_id}"): "customer:write",
        ("POST", "/v1/customers/{customer_id}/identities/{identity_id}/verification"): "customer:write",
        ("POST", "/v1/customers/{customer_id}/merge"): "customer:write",
        ("POST", "/v1/customers/{customer_id}/unmerge"): "customer:write",
        ("GET", "/v1/merge-suggestions"): "customer:read",
        ("POST", "/v1/merge-suggestions/{suggestion_id}/acceptance"): "customer:write",
        ("POST", "/v1/merge-suggestions/{suggestion_id}/dismissal"): "customer:write",
        ("GET", "/v1/notifications"): "customer:read",
        ("GET", "/v1/notifications/{notification_id}"): "customer:read",
        ("POST", "/v1/notifications/{notification_id}/resend"): "customer:write",
        ("GET", "/v1/notification-templates"): "staff:read",
        ("GET", "/v1/notification-templates/{kind}"): "staff:read",
        ("PUT", "/v1/notification-templates/{kind}/{locale}"): "config:write",
        ("GET", "/v1/notification-templates/{kind}/{locale}/versions"): "staff:read",
    },
    "tickets": {
        ("GET", "/v1/tickets"): "ticket:read",
        ("GET", "/v1/tickets/{number}"): "ticket:read",
        ("GET", "/v1/tickets/{number}/history"): "ticket:read",
        ("GET", "/v1/tickets/{number}/messages"): "ticket:read",
        ("GET", "/v1/tickets/{number}/actions"): "ticket:read",
        ("POST", "/v1/tickets/{number}/actions"): "ticket:act",
        ("GET", "/v1/tickets/{number}/assignment"): "ticket:read",
        ("GET", "/v1/queues"): "ticket:read",
        ("GET", "/v1/queues/{team}"): "ticket:read",
        ("GET", "/v1/queues/{team}/tickets"): "ticket:read",
        ("GET", "/v1/agents"): "staff:read",
        ("POST", "/v1/agents"): "staff:write",
        ("GET", "/v1/agents/{agent}"): "staff:read",
        ("PATCH", "/v1/agents/{agent}"): "staff:write",
        ("GET", "/v1/agents/{agent}/history"): "staff:read",
        ("PUT", "/v1/agents/{agent}/presence"): "ticket:act",
        ("GET", "/v1/teams"): "staff:read",
        ("POST", "/v1/teams"): "staff:write",
        ("GET", "/v1/teams/{team}"): "staff:read",
        ("PATCH", "/v1/teams/{team}"): "staff:write",
        ("GET", "/v1/teams/{team}/history"): "staff:read",
        ("GET", "/v1/teams/{team}/skills"): "staff:read",
        ("GET", "/v1/skills"): "staff:read",
        ("POST", "/v1/skills"): "staff:write",
        ("GET", "/v1/skills/{skill}"): "staff:read",
        ("PATCH", "/v1/skills/{skill}"): "staff:write",
        ("GET", "/v1/skills/{skill}/history"): "staff:read",
        ("GET", "/v1/tickets/{number}/links"): "ticket:read",
        ("GET", "/v1/tickets/{number}/sla/explain"): "ticket:read",
        ("GET", "/v1/calendars"): "staff:read",
        ("GET", "/v1/calendars/{id}"): "staff:read",
        ("GET", "/v1/calendars/{id}/versions"): "staff:read",
        ("PUT", "/v1/calendars/{id}"): "config:write",
        ("GET", "/v1/policies"): "staff:read",
        ("GET", "/v1/policies/{id}"): "staff:read",
        ("GET", "/v1/policies/{id}/versions"): "staff:read",
        ("PUT", "/v1/policies/{id}"): "config:write",
        ("GET", "/v1/track/{reference}"): None,
        ("GET", "/track/{reference}"): None,
        ("POST", "/track/{reference}"): None,
        ("GET", "/track/assets/{release}/{name}"): None,
    },
    "feedback": {
        ("GET", "/v1/surveys/{token}"): None,
        ("POST", "/v1/surveys/{token}/answers"): None,
        ("GET", "/v1/invitations"): "invitation:read",
        ("GET", "/v1/invitations/{invitation_id}"): "invitation:read",
        ("GET", "/v1/forms"): "invitation:read",
        ("GET", "/v1/forms/{type}"): "invitation:read",
        ("GET", "/v1/forms/{type}/versions/{version}"): "invitation:read",
        ("POST", "/v1/forms/{type}/versions"): "config:write",
        ("GET", "/v1/survey-rules"): "invitation:read",
        ("PUT", "/v1/survey-rules"): "config:write",
        ("GET", "/v1/survey-preferences/{customer_id}"): "invitation:read",
        ("PUT", "/v1/survey-preferences/{customer_id}"): "staff:write",
        ("GET", "/v1/anonymous-responses"): "invitation:read",
        ("GET", "/s/assets/{name}"): None,
        ("GET", "/s/{token}"): None,
        ("POST", "/s/{token}"): None,
        ("GET", "/s/{token}/thanks"): None,
        ("GET", "/s/{token}/opt-out"): None,
        ("POST", "/s/{token}/opt-out"): None,
    },
    "metrics": {
        ("GET", "/v1/kpis"): "kpi:read",
        ("GET", "/v1/kpis/{kpi}/series"): "kpi:read",
        ("GET", "/v1/targets"): "kpi:read",
        ("GET", "/v1/targets/{kpi}"): "kpi:read",
        ("PUT", "/v1/targets/{kpi}"): "config:write",
        ("GET", "/v1/live"): "kpi:read",
        ("GET", "/dashboard"): "kpi:read",
        ("GET", "/dashboard/assets/{release}/{name}"): None,
    },
}
"""The inventory. A new route is a line here; so is a change of what it demands. None: nobody needs a key."""


async def test_the_inventory_is_complete_and_says_what_each_route_demands(house: House) -> None:
    assert house.scopes() == {**OPERATORS, **ROUTES[house.name]}


async def test_nothing_answers_that_is_not_a_route_with_a_scope(house: House) -> None:
    others = [context.path for context in iter_route_contexts(house.app.routes) if not isinstance(context.original_route, ScopedRoute)]

    # the document that describes them all
    assert others == ["/openapi.json"]


async def test_a_public_route_says_why(house: House) -> None:
    for context in house.routes():
        route = context.original_route
        if isinstance(route, ScopedRoute) and isinstance(route.access, PUBLIC):
            assert len(route.access.reason) > 5, context.path


async def test_without_a_key_only_public_routes_answer(house: House) -> None:
    async with house.caller(None) as nobody:
        for (method, path), scope in house.scopes().items():
            answer = await nobody.request(method, filled(path))
            assert (answer.status_code == 401) == (scope is not None), f"{method} {path}: {answer.status_code}"


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_passes_exactly_where_it_may(house: House, role: Role) -> None:
    async with house.caller(role) as somebody:
        for (method, path), scope in house.scopes().items():
            answer = await somebody.request(method, filled(path), headers={"If-Match": '"1"'})
            refused_for_scope = answer.status_code == 403 and answer.json().get("code") == "scope_missing"
            assert refused_for_scope == (scope is not None and scope not in GRANTS[role]), f"{role} {method} {path}: {answer.text}"
            assert answer.status_code < 500, f"{role} {method} {path}: {answer.text}"


async def test_a_method_that_is_not_there_names_those_that_are(house: House) -> None:
    scopes = house.scopes()
    async with house.caller() as admin:
        for path in {path for _, path in scopes}:
            known = {method for method, other in scopes if other == path}
            elsewhere = {method for method, other in scopes if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", other), path)}
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} - known - elsewhere:
                answer = await admin.request(method, filled(path))
                assert answer.status_code == 405, f"{method} {path}"
                assert set(answer.headers["Allow"].split(", ")) == known, f"{method} {path}"
                assert answer.headers["Content-Type"] == "application/problem+json"


def filled(path: str) -> str:
    for name in ("code", "reference", "number", "token", "name", "kpi", "agent", "team", "skill"):
        path = path.replace(f"{{{name}}}", "csat_mean" if name == "kpi" else "x")
    return path
