"""Every error that a caller can meet, as RFC 9457 problem details. This is the only place that turns kinds of errors into statuses.

    {"type": "<service>/problems/stale_version", "title": ..., "status": 412, "detail": ..., "instance": "/v1/tickets/AS-...",
     "code": "stale_version", "request_id": ..., "errors": [{"pointer": "#/text", "code": "missing", "detail": ...}], ...facts}

`code` is the stable word for programs; `type` leads to the page of the registry that explains it (`GET /problems/{code}`). A pointer is
``#/...`` into the body (RFC 6901), ``?name`` of the query, ``{name}`` of the path, or the name of a header. What the caller sent is never
repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from shared import errors

MEDIA_TYPE: Final = "application/problem+json"
MAX_ERRORS: Final = 100
"""Wrong fields that one answer names."""
MAX_POINTER: Final = 200
"""Characters of a pointer: names of unknown fields are the caller's own."""


class BadRequest(errors.ServiceError):
    """The request breaks HTTP's own rules, or those of the browser that sends it."""

    code = "bad_request"


class Malformed(BadRequest):
    """The body is not what its media type says."""

    code = "malformed_body"


class WrongMediaType(errors.ServiceError):
    """The body is of a media type that this route does not read."""

    code = "unsupported_media_type"


class TooSlow(errors.ServiceError):
    """The body did not arrive in time."""

    code = "request_timeout"


class WrongMethod(errors.ServiceError):
    """The path exists, but not for this method."""

    code = "method_not_allowed"


class Internal(errors.ServiceError):
    """A fault of ours; the request id finds it in the logs."""

    code = "internal_error"


STATUSES: Final[Mapping[type[errors.ServiceError], HTTPStatus]] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    WrongMethod: HTTPStatus.METHOD_NOT_ALLOWED,
    TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Gone: HTTPStatus.GONE,
    errors.Stale: HTTPStatus.PRECONDITION_FAILED,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    WrongMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.MissingVersion: HTTPStatus.PRECONDITION_REQUIRED,
    errors.Overloaded: HTTPStatus.TOO_MANY_REQUESTS,
    Internal: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Kind of error to status. A subclass has the status of its kind."""

_BY_STATUS: Final[Mapping[int, type[errors.ServiceError]]] = {int(status): kind for kind, status in STATUSES.items()}


@dataclass(frozen=True, slots=True)
class ProblemType:
    """An entry of the registry."""

    code: str
    title: str
    status: int


def problem_type(kind: type[errors.ServiceError]) -> ProblemType:
    """The entry of a class of errors. Its title is the first sentence of the class's docstring.

    Raises:
        LookupError: neither the class nor an ancestor has a status.
    """
    for ancestor in kind.__mro__:
        if ancestor in STATUSES:
            first_line = (kind.__doc__ or ancestor.__doc__ or "").strip().split("\n")[0]
            title = first_line.partition("; ")[0].partition(". ")[0].rstrip(".")
            return ProblemType(kind.code, title, int(STATUSES[ancestor]))
    raise LookupError(f"{kind.__qualname__} has no HTTP status: derive it from one of the kinds in shared/errors.py")


def registry() -> dict[str, ProblemType]:
    """All problem types that the code of this process can raise, by code."""
    types: dict[str, ProblemType] = {}
    for kind in all_kinds():
        types.setdefault(kind.code, problem_type(kind))
    return dict(sorted(types.items()))


def all_kinds(root: type[errors.ServiceError] = errors.ServiceError) -> Iterator[type[errors.ServiceError]]:
    """Every class of errors that was imported, from the kinds down to those of the services."""
    for kind in root.__subclasses__():
        yield kind
        yield from all_kinds(kind)


def kind_of_status(status: int) -> type[errors.ServiceError]:
    """The kind that has this status; for errors that a library raised as a bare status."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return BadRequest if status < 500 else Internal


def document(request: Request, error: errors.ServiceError, *, status: int | None) -> dict[str, Any]:
    """The problem as JSON."""
    kind = problem_type(type(error))
    body: dict[str, Any] = {
        "type": f"{request.app.state.runtime.settings.public_url}/problems/{kind.code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": error.detail,
        "instance": request.url.path,
        "code": kind.code,
        "request_id": request.scope.get("state", {}).get("request_id"),
    }
    if error.errors:
        body["errors"] = [_field(wrong) for wrong in error.errors[:MAX_ERRORS]]
    return body | {name: value for name, value in error.facts.items() if name not in body}


def _field(wrong: errors.FieldError) -> dict[str, str]:
    pointer = f"#{wrong.pointer}" if wrong.pointer.startswith("/") else wrong.pointer
    return {"pointer": pointer[:MAX_POINTER], "code": wrong.code, "detail": wrong.detail}


def response(
    request: Request, error: errors.ServiceError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a request that met this error; `status` where a library chose one that no kind has."""
    body = document(request, error, status=status)
    given = dict(headers or {})
    if body["status"] == HTTPStatus.UNAUTHORIZED:
        # https://www.rfc-editor.org/rfc/rfc6750#section-3: no error code when no credential was sent
        hint = "" if error.code == "credential_missing" else ', error="invalid_token"'
        given.setdefault("WWW-Authenticate", f'Bearer realm="aftercare"{hint}')
    if isinstance(error, errors.Overloaded | errors.Unavailable):
        given.setdefault("Retry-After", str(error.retry_after))
    return Response(orjson.dumps(body, default=str), status_code=body["status"], media_type=MEDIA_TYPE, headers=given)


# --- errors of pydantic -----------------------------------------------------------------------------------------------------------------


def invalid(found: Iterable[Mapping[str, Any]]) -> errors.Invalid:
    """Pydantic's findings as one error that names each field, without the values."""
    wrong = [errors.FieldError(pointer(error["loc"]), *_words(error)) for error in found]
    fields = "a field" if len(wrong) == 1 else f"{len(wrong)} fields"
    return errors.Invalid(f"The request has {fields} that cannot be accepted.", errors=wrong)


def pointer(loc: Sequence[int | str]) -> str:
    """Where a finding of pydantic is, in the words of the registry."""
    if not loc:
        return "#"
    place, *rest = loc
    name = ".".join(map(str, rest))
    match place:
        case "query":
            return f"?{name}"
        case "path":
            return f"{{{name}}}"
        case "header" | "cookie":
            return name
        case "body":
            return "".join(f"/{_escaped(step)}" for step in rest) or "#"
        case _:
            return "".join(f"/{_escaped(step)}" for step in loc)


def _escaped(step: int | str) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


_SHAPES: Final = {
    "model_type": ("object_type", "Should be an object"),
    "model_attributes_type": ("object_type", "Should be an object"),
    "dict_type": ("object_type", "Should be an object"),
    "list_type": ("array_type", "Should be an array"),
}
"""Pydantic speaks of classes and dictionaries where a caller sees objects."""


def _words(error: Mapping[str, Any]) -> tuple[str, str]:
    """Code and sentence of a finding: pydantic's, where they cannot hold what was sent."""
    kind = error["type"]
    if kind == "union_tag_invalid":
        return kind, f"Should be one of {error['ctx']['expected_tags']}"
    return _SHAPES.get(kind) or (kind, str(error["msg"]).removeprefix("Value error, "))
