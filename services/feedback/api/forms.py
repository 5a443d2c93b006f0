"""Forms: read by staff, published by managers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response
from starlette.requests import Request

from services.feedback.api.surveys import runtime
from services.feedback.handlers import publishing
from services.feedback.handlers.publishing import UnknownForm
from services.feedback.schemas.forms import FormBody, FormOut
from services.feedback.store import forms as store
from services.feedback.store.forms import Published
from services.feedback.survey.forms import FormType
from shared import clock, http, idempotency
from shared.auth import Scope
from shared.idempotency import Replay

router = http.Router(tags=["forms"])

_VERSIONS = "/v1/forms/{type}/versions"
Type = Annotated[FormType, Path(alias="type", description="T1 after a resolution, T2 relationship, T3 pulse, S1 the one question")]


@router.get("/v1/forms", scope=Scope.INVITATION_READ, operation_id="listForms", summary="All versions of all forms")
async def list_forms(
    request: Request, type_: Annotated[FormType | None, Query(alias="type", description="only this type")] = None
) -> http.Page[FormOut]:
    """The newest version of each type first. There are few, so they come in one page."""
    async with runtime(request).database.transaction() as tx:
        found = await store.all_versions(tx, [type_] if type_ else list(FormType))
    return http.Page(items=[_out(published) for published in found], next_cursor=None)


@router.get("/v1/forms/{type}", scope=Scope.INVITATION_READ, operation_id="getForm", summary="The form that new invitations ask")
async def get_form(request: Request, response: Response, type_: Type) -> FormOut:
    """Its ETag is what publishing the next version must name."""
    async with runtime(request).database.transaction() as tx:
        found = await store.active(tx, type_)
    if found is None:
        raise UnknownForm
    response.headers["ETag"] = http.etag(found.form.version)
    return _out(found)


@router.get(f"{_VERSIONS}/{{version}}", scope=Scope.INVITATION_READ, operation_id="getFormVersion", summary="One version of a form")
async def get_form_version(request: Request, type_: Type, version: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> FormOut:
    """What invitations of that version asked; it never changes."""
    async with runtime(request).database.transaction() as tx:
        found = await store.version_of(tx, type_, version)
    if found is None:
        raise UnknownForm
    return _out(found)


@router.post(
    _VERSIONS,
    scope=Scope.CONFIG_WRITE,
    operation_id="createFormVersion",
    summary="Publish a new version of a form",
    status_code=201,
    response_model=FormOut,
)
async def create_form_version(
    request: Request, type_: Type, body: FormBody, seen: http.ExpectedVersion, by: http.CurrentPrincipal, key: http.IdempotencyKey
) -> Response:
    """New invitations ask it from now on; those that were planned or sent keep theirs. `If-Match` names the version that it follows, `"0"`
    for the first of its type. What is published is never edited."""
    served = runtime(request)
    draft = body.form(type_, seen + 1)
    fingerprint = idempotency.fingerprint([type_.value, seen, body.model_dump(mode="json")])
    async with (
        served.database.transaction() as tx,
        idempotency.once(tx, by.id, _VERSIONS, key, fingerprint) as first,
    ):
        if isinstance(first, Replay):
            return http.replay(first)
        published = await publishing.publish(tx, draft, expected=seen, by=by.id, at=clock.now())
        content, headers = _out(published).model_dump_json().encode(), {"ETag": http.etag(draft.version)}
        await first.store(201, content, headers)
    return Response(content, status_code=201, media_type="application/json", headers=headers)


def _out(published: Published) -> FormOut:
    return FormOut.of(
        published.form, is_active=published.is_active, published_at=published.published_at, published_by=published.published_by
    )
