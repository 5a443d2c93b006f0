"""Plain HTML forms: reading what a browser sent, and refusing what a page of somebody else made it send."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, cast
from urllib.parse import parse_qsl

from starlette.requests import Request

from shared import errors
from shared.http.body import BoundedRequest
from shared.http.problems import Malformed, WrongMediaType
from shared.runtime import AnyRuntime
from shared.settings import origin

FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 100


class ForeignForm(errors.Forbidden):
    """The form was sent by a page that is not ours."""

    code = "foreign_form"

    def __init__(self) -> None:
        super().__init__("Send this form from our own page.")


async def read_form(request: Request, known: Collection[str]) -> dict[str, str]:
    """The fields of a sent form, which has these and no others.

    Raises:
        Invalid: a field that the form does not have or that is there twice, or the character U+0000, which nobody types.
        WrongMediaType: not the encoding of a plain HTML form.
        Malformed: not UTF-8, or very many fields.
    """
    if await cast("BoundedRequest", request).body() == b"" and "content-type" not in request.headers:
        return {}  # a form without fields, as some clients send it
    pairs = await read_pairs(request)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise errors.Invalid("A field was sent twice.")
    if any("\0" in text for pair in pairs for text in pair):
        raise errors.Invalid("The form holds the character U+0000.")
    if unknown := sorted(set(fields) - set(known)):
        wrong = [errors.FieldError(f"/{name}", "extra_forbidden", "The form does not have this field.") for name in unknown]
        raise errors.Invalid("The form has fields that are not known here.", errors=wrong)
    return fields


async def read_pairs(request: Request) -> list[tuple[str, str]]:
    """Names and values of a sent form, in order, also those that are there twice.

    Raises:
        WrongMediaType: not the encoding of a plain HTML form.
        Malformed: not UTF-8, or very many fields.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise WrongMediaType(f"Send {FORM}.")
    try:
        body = (await cast("BoundedRequest", request).body()).decode("ascii")
        return parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Malformed("The form is not encoded as browsers do.") from None


def demand_own_page(request: Request) -> None:
    """Go on only if the browser says that one of our pages sends the form, or nothing (then it is a program, which holds no cookie).

    Raises:
        ForeignForm: another page does.
    """
    sender = request.headers.get("origin")
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise ForeignForm
    if sender is None:
        return
    runtime: AnyRuntime = request.app.state.runtime
    own = {origin(runtime.settings.public_url), *(f"{scheme}://{request.headers.get('host')}" for scheme in ("http", "https"))}
    if sender not in own:
        raise ForeignForm
