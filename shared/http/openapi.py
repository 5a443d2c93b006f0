"""What our OpenAPI documents add to FastAPI's: problems, the API key, the scopes; complete enough to generate a client from them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from shared.auth import COOKIE, CSRF_HEADER
from shared.http.problems import MEDIA_TYPE

PROBLEM_SCHEMA: Final[Mapping[str, Any]] = {
    "title": "Problem",
    "description": "RFC 9457 problem details. `code` is the stable word for programs; further members carry the facts of the problem.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "leads to the page that explains the problem"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "path of the request"},
        "code": {"type": "string"},
        "request_id": {"type": ["string", "null"], "description": "names the request in our logs"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "#/... into the body, ?name of the query, {name} of the path, or a header",
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


API_KEY_SCHEME: Final[Mapping[str, Any]] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "ak_<environment>_<id>_<secret>",
    "description": "An API key. The names beside it are the scopes that a route demands.",
}

SESSION_SCHEME: Final[Mapping[str, Any]] = {
    "type": "apiKey",
    "in": "cookie",
    "name": COOKIE,
    "description": f"The cookie that `/login` sets for browsers. A change needs the session's token in `{CSRF_HEADER}` as well.",
}


def problem_response(status: int) -> dict[str, Any]:
    """A response of a route that is a problem."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def complete(app: FastAPI) -> None:
    """Add to the application's document what FastAPI does not know of."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        components.setdefault("securitySchemes", {}).update(apiKey=API_KEY_SCHEME, session=SESSION_SCHEME)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
