"""Routes. Each declares the scope that it demands, or why it is public; one that does not cannot be registered.

The order at a route: who is calling, may he, is the query known, is the body small, timely and sound JSON; only then FastAPI looks at the
fields. So nobody without a key learns what is wrong with his body, and no handler sees one that was not checked.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, cast

from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from shared import errors
from shared.auth import Principal, Scope
from shared.http import admission
from shared.http.body import BODY_LIMIT, BoundedRequest
from shared.http.keys import IdempotencyKey
from shared.http.openapi import problem_response

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_ACCESS: Final = "x-access"
_LIMIT: Final = "x-body-limit"
_PAGE: Final = "x-page"


@dataclass(frozen=True, slots=True)
class PUBLIC:
    """Nobody needs a key here, for this reason."""

    reason: str


class UnprotectedRoute(Exception):
    """A route without a scope, or with one that no role grants: the process must not start."""


class ScopedRoute(APIRoute):
    """A route that admits only those who hold its scope."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        extra = options.get("openapi_extra") or {}
        if _ACCESS not in extra:
            raise UnprotectedRoute(f"{path} declares no scope. Use http.Router and give scope=, or scope=http.PUBLIC('why').")
        self.access: str | PUBLIC = extra[_ACCESS]
        self.body_limit: int = extra.get(_LIMIT, BODY_LIMIT)
        self.is_page: bool = extra.get(_PAGE, False)
        options["openapi_extra"] = {name: value for name, value in extra.items() if name not in {_ACCESS, _LIMIT, _PAGE}}
        options["openapi_extra"]["security"] = [] if isinstance(self.access, PUBLIC) else _credentials(str(self.access))
        super().__init__(path, endpoint, **options)
        documented = problems_of_route(self)
        self.responses = {**{status: problem_response(status) for status in sorted(documented)}, **self.responses}

    def get_route_handler(self) -> Handler:
        """FastAPI's handler behind our checks."""
        answer = self.endpoint_handler()
        reads_json = self.body_field is not None and not isinstance(self.body_field.field_info, Form)
        known = frozenset(_query_names(self.dependant))
        demanded = None if isinstance(self.access, PUBLIC) else str(self.access)
        is_page = self.is_page
        refuses_unknown = demanded is not None or self.path.startswith("/v1/")

        async def handler(request: Request) -> Response:
            if demanded is not None:
                try:
                    await admission.admit(request, demanded)
                except (errors.Unauthorized, errors.Forbidden) as refusal:
                    if is_page and admission.wants_page(request):
                        return admission.to_login(request, refusal)
                    raise
            if request.scope["query_string"] and refuses_unknown:
                _refuse_unknown_query(request, known)
            _refuse_nul(request)
            bounded = BoundedRequest(request.scope, request.receive, limit=self.body_limit)
            if reads_json:
                await bounded.read_json()
            elif self.body_field is not None:
                await bounded.body()
            return await answer(bounded)

        return handler

    def endpoint_handler(self) -> Handler:
        """What answers once the request was admitted."""
        return super().get_route_handler()


class HotRoute(ScopedRoute):
    """A route whose endpoint takes the request itself: FastAPI's dependencies are documented and not run."""

    def endpoint_handler(self) -> Handler:
        """The endpoint."""
        return cast(Handler, self.endpoint.__wrapped__)  # type: ignore[attr-defined]


def _credentials(scope: str) -> list[dict[str, list[str]]]:
    """Either of them is enough."""
    return [{"apiKey": [scope]}, {"session": [scope]}]


def _refuse_unknown_query(request: Request, known: frozenset[str]) -> None:
    if unknown := [name for name in request.query_params if name not in known]:
        wrong = [errors.FieldError(f"?{name}", "extra_forbidden", "This query parameter is not known here.") for name in unknown]
        raise errors.Invalid("The query has parameters that are not known here.", errors=wrong)


def _refuse_nul(request: Request) -> None:
    """PostgreSQL cannot hold U+0000, so nothing is named so and no filter can ask for it."""
    if "\0" in request.scope["path"]:
        raise errors.NotFound("There is nothing of that name.")
    if b"%00" in request.scope["query_string"]:
        wrong = [name for name, value in request.query_params.multi_items() if "\0" in value or "\0" in name]
        raise errors.Invalid(
            "The query holds the character U+0000.",
            errors=[errors.FieldError(f"?{name}", "nul_character", "Must not contain the character U+0000") for name in wrong],
        )


def _query_names(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        annotation = parameter.field_info.annotation
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            yield from (field.alias or name for name, field in annotation.model_fields.items())
        else:
            yield parameter.alias
    for dependency in dependant.dependencies:
        yield from _query_names(dependency)


def _header_names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias.lower() for parameter in dependant.header_params)
    for dependency in dependant.dependencies:
        yield from _header_names(dependency)


def problems_of_route(route: ScopedRoute) -> set[int]:
    """The statuses of problems that any route of this form can answer; what else it can, it declares itself."""
    statuses = {500, 503}
    if not isinstance(route.access, PUBLIC):
        statuses |= {401, 403, 429}
    if "{" in route.path:
        statuses |= {404, 422}
    if route.body_field is not None:
        statuses |= {400, 408, 413, 415, 422}
    if any(_query_names(route.dependant)) or not isinstance(route.access, PUBLIC) or route.path.startswith("/v1/"):
        statuses |= {422}
    if "if-match" in _header_names(route.dependant):
        statuses |= {412, 422, 428}
    return statuses


class Router(APIRouter):
    """An APIRouter whose routes demand a scope.

    Further arguments of the verbs: `problems`, the statuses of problems that this route alone can answer (409, 410 ...), `body_limit` in
    bytes, and `page`, for HTML that people look at: who is not admitted is led to the sign-in page. All others are FastAPI's.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=ScopedRoute, redirect_slashes=False, **options)

    def get(self, path: str, *, scope: str | PUBLIC, **options: Any) -> Callable[[Endpoint], Endpoint]:  # type: ignore[override]
        """Register a reading route."""
        return self._register("GET", path, scope, options)

    def post(self, path: str, *, scope: str | PUBLIC, **options: Any) -> Callable[[Endpoint], Endpoint]:  # type: ignore[override]
        """Register a creating or acting route."""
        return self._register("POST", path, scope, options)

    def put(self, path: str, *, scope: str | PUBLIC, **options: Any) -> Callable[[Endpoint], Endpoint]:  # type: ignore[override]
        """Register a replacing route."""
        return self._register("PUT", path, scope, options)

    def patch(self, path: str, *, scope: str | PUBLIC, **options: Any) -> Callable[[Endpoint], Endpoint]:  # type: ignore[override]
        """Register a changing route."""
        return self._register("PATCH", path, scope, options)

    def delete(self, path: str, *, scope: str | PUBLIC, **options: Any) -> Callable[[Endpoint], Endpoint]:  # type: ignore[override]
        """Register a deleting route."""
        return self._register("DELETE", path, scope, options)

    def hot_post(
        self, path: str, *, scope: str | PUBLIC, body: type[BaseModel], **options: Any
    ) -> Callable[[Callable[[Request], Awaitable[Response]]], Callable[[Request], Awaitable[Response]]]:
        """Register a creating route that is called thousands of times a second.

        The endpoint gets the request alone and returns a Response. It reads `await read_model(request, body)`, `principal(request)` and
        `idempotency_key(request)` itself; `body` and the header are documented.
        """
        register = self._register("POST", path, scope, {**options, "route_class_override": HotRoute})

        def decorate(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
            register(_documented(endpoint, body))
            return endpoint

        return decorate

    def _register(self, method: str, path: str, scope: str | PUBLIC, options: dict[str, Any]) -> Callable[[Endpoint], Endpoint]:
        if not isinstance(scope, PUBLIC) and scope not in set(Scope):
            raise UnprotectedRoute(f"{path} demands {scope!r}, which is not a scope of shared/auth.py.")
        extra = {
            **options.pop("openapi_extra", {}),
            _ACCESS: scope,
            _LIMIT: options.pop("body_limit", BODY_LIMIT),
            _PAGE: options.pop("page", False),
        }
        declared: Iterable[int] = options.pop("problems", ())
        responses: Mapping[int | str, Any] = options.pop("responses", {})

        def decorate(endpoint: Endpoint) -> Endpoint:
            self.add_api_route(
                path,
                endpoint,
                methods=[method],
                openapi_extra=extra,
                responses={**{status: problem_response(status) for status in declared}, **responses},
                **options,
            )
            return endpoint

        return decorate


def _documented(endpoint: Callable[[Request], Awaitable[Response]], body: type[BaseModel]) -> Callable[..., Any]:
    """A stand-in with the parameters that FastAPI shall document."""

    async def stand_in(*_args: Any, **_named: Any) -> None:
        raise NotImplementedError("a hot route answers by its own endpoint")

    stand_in.__wrapped__ = endpoint  # type: ignore[attr-defined]
    stand_in.__name__ = endpoint.__name__
    stand_in.__doc__ = endpoint.__doc__
    kind = inspect.Parameter.KEYWORD_ONLY
    stand_in.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("body", kind, annotation=body),
            inspect.Parameter("idempotency_key", kind, annotation=IdempotencyKey),
        ]
    )
    return stand_in


def principal(request: Request) -> Principal:
    """Who is calling; only on routes that demand a scope."""
    return cast(Principal, request.scope["state"]["principal"])


async def _current(request: Request) -> Principal:
    return principal(request)


CurrentPrincipal = Annotated[Principal, Depends(_current)]
"""Parameter of a route: who is calling."""
