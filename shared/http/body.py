"""Reading a request's body: counted while it arrives, and as JSON that PostgreSQL and our own recursion can take.

FastAPI's own limit answers outside the exception handlers, and its JSON reader takes half surrogates, NaN and a thousand levels; so routes
hand FastAPI a body that was read and checked here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from shared import errors
from shared.http import problems

BODY_LIMIT: Final = 256 * 1024
BATCH_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a body, and of one that holds many requests."""
BODY_TIMEOUT: Final = 20.0
"""Seconds in which a body must arrive."""
MAX_DEPTH: Final = 32
"""Levels of nesting in a body; our own schemas need far fewer."""

M = TypeVar("M", bound=BaseModel)


class BodyTooLarge(errors.TooLarge):
    """The body is longer than this route reads."""

    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have {limit} bytes at most.", facts={"limit": limit})


class NestedTooDeep(problems.Malformed):
    """The JSON has too many levels."""

    code = "nested_too_deep"

    def __init__(self) -> None:
        super().__init__(f"The body may have {MAX_DEPTH} levels of nesting at most.")


class BoundedRequest(Request):
    """A request whose body is bounded in size, in time and in depth."""

    def __init__(self, scope: Scope, receive: Receive, *, limit: int) -> None:
        super().__init__(scope, receive)
        self._limit = limit
        self._parsed: Any = None
        self._is_parsed = False

    def arrived(self, body: bytes) -> None:
        """All of it is there already.

        Raises:
            BodyTooLarge: it has more than the limit.
        """
        if len(body) > self._limit:
            raise BodyTooLarge(self._limit)
        self._body = body

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: announced or sent more than the limit.
            TooSlow: it did not arrive in time.
        """
        if not hasattr(self, "_body"):
            try:
                async with asyncio.timeout(BODY_TIMEOUT):
                    self._body = await self._receive_all()
            except TimeoutError as error:
                raise problems.TooSlow(f"The body must arrive within {BODY_TIMEOUT:.0f} seconds.") from error
        return self._body

    async def _receive_all(self) -> bytes:
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            raise BodyTooLarge(self._limit)
        chunks: list[bytes] = []
        received = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunks.append(message.get("body", b""))
            received += len(chunks[-1])
            if received > self._limit:
                raise BodyTooLarge(self._limit)
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body for readers of forms; bounded as well, so it is read first."""
        yield await self.body()
        yield b""

    async def read_json(self) -> None:
        """Read the body and parse it, if there is one.

        Raises:
            WrongMediaType: it is not declared as JSON.
            Malformed: it is not JSON, not UTF-8, holds half a surrogate pair, or is nested too deep.
            Invalid: it holds a character that cannot be stored.
        """
        content = await self.body()
        if not content:
            return
        if not is_json(header(self, b"content-type") or ""):
            raise problems.WrongMediaType("Send JSON: Content-Type: application/json.")
        self._parsed = parse(content)
        self._is_parsed = True

    async def json(self) -> Any:
        """The parsed body; null when there was none."""
        if not self._is_parsed:
            await self.read_json()
        return self._parsed


async def read_model(request: Request, model: type[M]) -> M:
    """The body as a request model; for hot routes, which do without FastAPI's dependencies.

    Raises:
        Invalid: with one pointer per wrong field.
    """
    try:
        return model.model_validate(await request.json())
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=True, include_input=False)
        raise problems.invalid([{**wrong, "loc": ("body", *wrong["loc"])} for wrong in found]) from None


def header(request: Request, name: bytes) -> str | None:
    """The first header of that name, small letters; without making an object of all headers, as hot routes look for one or two."""
    for given, value in request.scope["headers"]:
        if given == name:
            return cast(bytes, value).decode("latin-1")
    return None


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """Whether a Content-Type promises JSON in UTF-8, the only encoding that JSON has."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    kind, _, subtype = media_type.partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        return False
    charsets = [parameter.partition("=")[2].strip("\"'") for parameter in parameters if parameter.startswith("charset=")]
    return all(charset in {"utf-8", "utf8", "us-ascii"} for charset in charsets)


def parse(body: bytes) -> Any:
    """A body's JSON value. Raises as `BoundedRequest.read_json`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth" in error.msg or "recursion" in error.msg:
            raise NestedTooDeep from None
        raise problems.Malformed(f"The body is not valid JSON in UTF-8 (line {error.lineno}, column {error.colno}).") from None
    # counting brackets costs nothing; few bodies have enough of them to be walked through
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth_exceeds(value, MAX_DEPTH):
        raise NestedTooDeep
    if b"\\u0000" in body and (place := next(_nul_characters(value), None)) is not None:
        raise errors.Invalid.field(problems.pointer(("body", *place)), "nul_character", "Must not contain the character U+0000")
    return value


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _nul_characters(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where texts and names hold U+0000; the value is known to be shallow."""
    match value:
        case str() if "\0" in value:
            yield at
        case dict():
            for name, child in value.items():
                yield from [at] if "\0" in name else _nul_characters(child, (*at, name))
        case list():
            for index, child in enumerate(value):
                yield from _nul_characters(child, (*at, index))
