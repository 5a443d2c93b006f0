"""Versions of things that change: the answer carries `ETag: "<version>"`, a change must name it in `If-Match`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import Depends, Header
from starlette.requests import Request

from shared import errors

_SCHEMA: Final[dict[str, Any]] = {"pattern": r'^"[0-9]{1,18}"$', "examples": ['"7"']}
_VERSION: Final = re.compile(r'"(\d{1,18})"', re.ASCII)


class VersionRequired(errors.MissingVersion):
    """The change must name the version that it is based on, in If-Match."""

    code = "version_required"

    def __init__(self) -> None:
        super().__init__('Read the thing first and send its ETag as If-Match: "<version>".')


class VersionStale(errors.Stale):
    """The thing was changed since the caller read it."""

    code = "stale_version"

    def __init__(self, current: int) -> None:
        super().__init__("It was changed since you read it. Read it again, then decide.", facts={"current_version": current})


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def expected_version(request: Request) -> int:
    """The version that the caller saw last, from If-Match.

    Raises:
        VersionRequired: no If-Match.
        Invalid: it is not exactly one strong ETag of ours.
    """
    return _parse(request.headers.get("if-match"))


def demand_version(expected: int, current: int) -> None:
    """Go on only if the caller saw the present version.

    Raises:
        VersionStale: he did not.
    """
    if expected != current:
        raise VersionStale(current)


def _parse(header: str | None) -> int:
    if header is None or not header.strip():
        raise VersionRequired
    match = _VERSION.fullmatch(header.strip())
    if match is None:
        raise errors.Invalid.field("If-Match", "etag_format", 'Should be one version in quotes, such as "7".')
    return int(match[1])


async def _from_header(
    if_match: Annotated[
        str | None, Header(alias="If-Match", description='The version that you read: `"7"`. 428 without it.', json_schema_extra=_SCHEMA)
    ] = None,
) -> int:
    return _parse(if_match)


ExpectedVersion = Annotated[int, Depends(_from_header)]
"""Parameter of a changing route: the version that the caller saw. Documents the header."""
