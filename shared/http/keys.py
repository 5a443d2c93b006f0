"""The Idempotency-Key header: the caller's name for one creating call, so that a repeated one is recognised."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from shared import errors
from shared.http.body import header
from shared.idempotency import MAX_KEY, Replay

REPLAYED: Final = "Idempotent-Replayed"
"""Header of an answer that was given before."""

# a structured-field string ("8e03978e", RFC 8941) or the bare characters
_KEY: Final = re.compile(rf'"(?P<quoted>[ !#-\[\]-~]{{1,{MAX_KEY}}})"|(?P<bare>[!#-~]{{1,{MAX_KEY}}})', re.ASCII)


_SCHEMA: Final[dict[str, Any]] = {"pattern": rf"^[!#-~]{{1,{MAX_KEY}}}$", "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"]}
"""What clients should send; quotes around it are understood too."""
_ABOUT: Final = "Your name for this call, such as a UUID. Sent twice, the call has its effect once and gets the same answer."


def idempotency_key(request: Request) -> str | None:
    """The key of the call; None when it has none.

    Raises:
        Invalid: it is not one to 255 printable ASCII characters, with or without quotes.
    """
    return _parse(header(request, b"idempotency-key"))


def _parse(header: str | None) -> str | None:
    if header is None:
        return None
    match = _KEY.fullmatch(header.strip())
    if match is None:
        raise errors.Invalid.field("Idempotency-Key", "key_format", f"Should be 1 to {MAX_KEY} printable ASCII characters, such as a UUID.")
    return match["quoted"] or match["bare"]


async def _from_header(
    idempotency_key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description=_ABOUT, json_schema_extra=_SCHEMA),
    ] = None,
) -> str | None:
    return _parse(idempotency_key)


IdempotencyKey = Annotated[str | None, Depends(_from_header)]
"""Parameter of a creating route: the caller's key, or None. Documents the header."""


def replay(answer: Replay) -> Response:
    """The stored answer once more, marked as such."""
    headers = {**answer.headers, REPLAYED: "true"}
    media_type = None if "content-type" in {name.lower() for name in headers} else "application/json"
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=media_type)
