"""Wordings of messages to customers: read by staff, changed by managers, kept version by version."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from services.intake.api.callers import Desk
from services.intake.api.previews import preview
from services.intake.carriers import letterhead_of
from services.intake.handlers.rewording import reword
from services.intake.mail import wording_of_release
from services.intake.schemas.templates import TemplateIn, TemplateSeen, TemplateVersion, TemplateView
from services.intake.sending import KINDS
from services.intake.settings import IntakeSettings
from services.intake.store import templates as store
from services.intake.store.templates import Template
from shared import clock, http
from shared.auth import Scope
from shared.errors import NotFound
from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.runtime import Runtime

TEMPLATES: Final = "/v1/notification-templates"
SHEET: Final = TEMPLATES + "/{kind}/{locale}"

Status = Annotated[str | None, Query(pattern="^[a-z_]{1,50}$", description="for `ticket_status`: the status that is told")]
ETAG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"ETag": {"description": "the version, for If-Match", "schema": {"type": "string"}}}}
}


class NoTemplate(NotFound):
    """No message is of this kind."""

    code = "template_not_found"


def create_router(runtime: Runtime[IntakeSettings], _desk: Desk) -> http.Router:
    """The routes of wordings."""
    router = http.Router(tags=["notification templates"])

    @router.get(TEMPLATES, scope=Scope.STAFF_READ, operation_id="listNotificationTemplates", summary="Which wordings there are")
    async def list_templates() -> http.Page[TemplateSeen]:
        """Every kind of message in every language, on one page."""
        async with runtime.database.transaction() as tx:
            changed = await store.newest(tx)
        sheets = [(kind, locale.value) for kind in KINDS for locale in Locale]
        return http.Page(items=[TemplateSeen(**_seen(changed.get(sheet, Template(*sheet, 0, None)))) for sheet in sheets], next_cursor=None)

    @router.get(
        TEMPLATES + "/{kind}",
        scope=Scope.STAFF_READ,
        operation_id="getNotificationTemplate",
        summary="How a message reads",
        responses=ETAG,
    )
    async def get_template(response: Response, kind: http.Code, locale: Locale = DEFAULT_LOCALE, status: Status = None) -> TemplateView:
        """Its wording, and subject, text and HTML as a customer would get them, for an invented ticket."""
        _demand_sheet(kind, locale)
        async with runtime.database.transaction() as tx:
            found = await store.find(tx, kind, locale.value)
        response.headers["ETag"] = http.etag(found.version)
        return _view(runtime, found, status)

    @router.put(
        SHEET,
        scope=Scope.CONFIG_WRITE,
        operation_id="changeNotificationTemplate",
        summary="Say it in the organisation's own words",
        responses=ETAG,
    )
    async def change_template(
        response: Response, kind: http.Code, locale: http.Code, body: TemplateIn, by: http.CurrentPrincipal, seen: http.ExpectedVersion
    ) -> TemplateView:
        """Messages that leave from now on have these words. They can show `{{ number }}`, `{{ text }}` (answers of staff), `{{ link }}`,
        `{{ expires_on }}`, `{{ closes_on }}`, `{{ into }}`, `{{ organisation }}`, `{{ button("...") }}` and `{{ large(number) }}`, and ask
        with `{% if %}` about these, `status`, `reason` and `is_survey`. Who writes and why, and how to decline surveys, is always added."""
        _demand_sheet(kind, locale)
        draft = Template(kind, locale, seen + 1, body.wording)
        async with runtime.database.transaction() as tx:
            changed = await reword(tx, draft, seen=seen, by=by.id, at=clock.now())
        response.headers["ETag"] = http.etag(changed.version)
        return _view(runtime, changed, None)

    @router.get(
        SHEET + "/versions",
        scope=Scope.STAFF_READ,
        operation_id="listNotificationTemplateVersions",
        summary="How a message was worded before",
    )
    async def list_versions(
        kind: http.Code, locale: http.Code, limit: http.Limit = 50, cursor: http.Cursor = None
    ) -> http.Page[TemplateVersion]:
        """The latest first, with who changed it when."""
        named = {"list": SHEET, "kind": kind, "locale": locale}
        before = None if cursor is None else int(runtime.cursors.decode(cursor, named, length=1)[0])
        _demand_sheet(kind, locale)
        async with runtime.database.transaction() as tx:
            found = await store.history(tx, kind, locale, before=before, limit=limit + 1)
        following = runtime.cursors.encode([found[limit - 1].version], named) if len(found) > limit else None
        return http.Page(items=[TemplateVersion.model_validate(t, from_attributes=True) for t in found[:limit]], next_cursor=following)

    return router


def _demand_sheet(kind: str, locale: str) -> None:
    if kind not in KINDS or locale not in set(Locale):
        raise NoTemplate("There is no message of this kind in this language.")


def _seen(template: Template) -> dict[str, Any]:
    return {
        "kind": template.kind,
        "locale": template.locale,
        "version": template.version,
        "is_own": template.wording is not None,
        "changed_at": template.changed_at,
        "changed_by": template.changed_by,
    }


def _view(runtime: Runtime[IntakeSettings], template: Template, status: str | None) -> TemplateView:
    words = preview(template.kind, template.locale, status, letterhead_of(runtime.settings), template.wording, clock.now())
    wording = template.wording or wording_of_release(template.kind, template.locale)
    return TemplateView(**_seen(template), wording=wording, subject=words.subject, text=words.text, html=words.html)
