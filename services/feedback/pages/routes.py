"""The door for customers: `/s/{token}`, the address in their mail. The same handlers as REST behind it, HTML in front.

Every answer is a page in the customer's language, also a refusal. A taken answer redirects to a page of thanks, so that reloading sends
nothing again. Links inside the pages are relative: the service may be published below a path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, cast

from fastapi import Query, Response
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.feedback.handlers import answering, preferences
from services.feedback.handlers.answering import Survey
from services.feedback.pages import rendering
from services.feedback.pages.rendering import ASSETS, Entered, House
from services.feedback.settings import FeedbackSettings
from services.feedback.store import answers as answers_store
from services.feedback.survey.answers import from_fields
from services.feedback.survey.invitations import require_open
from shared import clock, http
from shared.database import is_transient
from shared.errors import Invalid, NotFound, ServiceError, Unavailable
from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.http.body import BoundedRequest
from shared.http.forms import FORM, read_pairs
from shared.http.problems import problem_type
from shared.languages import closest, preferred
from shared.runtime import Runtime

router = http.Router(tags=["pages"])

POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
LANGUAGE: Final = "lang"
SWITCH: Final = "switch"
"""The field of the buttons that change the language and keep what was entered."""

_BY_LINK: Final = http.PUBLIC("customers have no key: the token in the link, 192 random bits, is the credential")
_SECONDS_OF_A_YEAR: Final = 365 * 24 * 3600
_MEDIA: Final = {"survey.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
_DOCUMENTED_MEDIA: Final = [media.partition(";")[0] for media in _MEDIA.values()]

Lang = Annotated[str | None, Query(max_length=35, description="language of the page; by default the invitation's")]


def _pages(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documents that these statuses are pages; a few checks of every route still answer with a problem."""
    content = {"text/html": {"schema": {"type": "string"}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {
            "description": "a page" if status < 400 else "a page that says why",
            "content": content | (problem if status >= 400 else {}),
        }
        for status in statuses
    }


_FORM_BODY: Final = {
    "requestBody": {
        "content": {FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}},
        "description": "one field per question, and `lang`",
    }
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One customer at the door."""

    runtime: Runtime[FeedbackSettings]
    request: BoundedRequest
    token: str
    at: datetime
    asked_for: Locale | None
    accepts: Locale | None

    @classmethod
    def of(cls, request: Request, token: str, lang: str | None) -> Visit:
        """Who comes with which link, and which language he asked for."""
        return cls(
            runtime=cast("Runtime[FeedbackSettings]", request.app.state.runtime),
            request=cast("BoundedRequest", request),
            token=token,
            at=clock.now(),
            asked_for=closest(lang),
            accepts=preferred(request.headers.get("accept-language")),
        )

    @property
    def house(self) -> House:
        """What the pages show of the organisation."""
        settings = self.runtime.settings
        return House(settings.organisation, settings.timezone, settings.contact_url)

    def locale(self, survey: Survey | None) -> Locale:
        """What was asked for, else the language of the mail, else what the browser likes."""
        return self.asked_for or (survey.invitation.locale if survey else None) or self.accepts or DEFAULT_LOCALE

    async def find(self) -> Survey:
        """The survey of the link."""
        async with self.runtime.database.transaction() as tx:
            return await answering.find(tx, self.token)


Work = Callable[[Visit, Survey], Awaitable[Response]]


@router.get(
    "/s/assets/{name}",
    scope=http.PUBLIC("style and icon of the pages"),
    operation_id="getPageAsset",
    summary="A static file of the pages",
    response_class=Response,
    responses={200: {"description": "the file", "content": {media: {"schema": {"type": "string"}} for media in _DOCUMENTED_MEDIA}}},
)
async def get_asset(name: str) -> Response:
    """A static file of the pages."""
    if name not in ASSETS:
        raise NotFound("There is no such file.")
    # its address holds a digest of its content
    headers = {"Cache-Control": f"public, max-age={_SECONDS_OF_A_YEAR}, immutable", "Content-Type": _MEDIA[name]}
    return Response(ASSETS[name], headers=headers)


@router.get(
    "/s/{token}", scope=_BY_LINK, operation_id="showSurvey", response_class=HTMLResponse, responses=_pages(200, 404, 409, 410, 500, 503)
)
async def show_survey(request: Request, token: str, lang: Lang = None) -> Response:
    """The page of a survey. Never records anything."""
    return await _welcome(Visit.of(request, token, lang), _show)


@router.post(
    "/s/{token}",
    scope=_BY_LINK,
    operation_id="submitSurvey",
    response_class=Response,
    status_code=303,
    responses={303: {"description": "recorded; leads to the page of thanks"}, **_pages(400, 404, 408, 409, 410, 413, 415, 422, 500, 503)},
    openapi_extra=_FORM_BODY,
)
async def submit_survey(request: Request, token: str, lang: Lang = None) -> Response:
    """The form of the page, sent. Same rules as `POST /v1/surveys/{token}/answers`."""
    return await _welcome(Visit.of(request, token, lang), _submit)


@router.get(
    "/s/{token}/thanks",
    scope=_BY_LINK,
    operation_id="showThanks",
    response_class=HTMLResponse,
    responses={303: {"description": "not answered yet; leads to the survey"}, **_pages(200, 404, 500, 503)},
)
async def show_thanks(request: Request, token: str, lang: Lang = None) -> Response:
    """The page after an answer."""
    return await _welcome(Visit.of(request, token, lang), _thank)


@router.get(
    "/s/{token}/opt-out",
    scope=_BY_LINK,
    operation_id="showOptOut",
    response_class=HTMLResponse,
    responses=_pages(200, 404, 500, 503),
)
async def show_opt_out(request: Request, token: str, lang: Lang = None) -> Response:
    """Asks whether the customer wants no more surveys, or says that he gets none. Never records anything."""
    return await _welcome(Visit.of(request, token, lang), _show_opt_out)


@router.post(
    "/s/{token}/opt-out",
    scope=_BY_LINK,
    operation_id="submitOptOut",
    response_class=Response,
    status_code=303,
    responses={303: {"description": "recorded; leads to the page that says so"}, **_pages(404, 500, 503)},
)
async def submit_opt_out(request: Request, token: str, lang: Lang = None) -> Response:
    """No more surveys for the person behind this link, whatever became of this one. The body is not read, so that the one click of a mail
    program (RFC 8058) does it too."""
    return await _welcome(Visit.of(request, token, lang), _opt_out)


async def _welcome(visit: Visit, work: Work) -> Response:
    """Do the work for the survey of the link; every refusal becomes a page."""
    survey: Survey | None = None
    try:
        survey = await visit.find()
        return await work(visit, survey)
    except ServiceError as error:
        refusal = error
    except Exception as error:
        if not is_transient(error):
            raise
        refusal = Unavailable("the database is away")
    locale = visit.locale(survey)
    return _html(rendering.refusal_page(visit.house, locale, refusal), locale, status=problem_type(type(refusal)).status)


async def _show(visit: Visit, survey: Survey) -> Response:
    require_open(survey.invitation, at=visit.at)
    locale = visit.locale(survey)
    return _html(rendering.survey_page(visit.house, locale, survey, visit.token), locale)


async def _submit(visit: Visit, survey: Survey) -> Response:
    require_open(survey.invitation, at=visit.at)
    fields = await _fields(visit.request)
    locale = closest(fields.pop(LANGUAGE, None)) or visit.locale(survey)
    if (wanted := closest(fields.pop(SWITCH, None))) is not None:
        return _html(rendering.survey_page(visit.house, wanted, survey, visit.token, Entered(fields)), wanted)
    try:
        await _answer(visit, survey, fields, locale)
    except Invalid as refused:
        page = rendering.survey_page(visit.house, locale, survey, visit.token, Entered(fields, refused.errors))
        return _html(page, locale, status=422)
    visit.runtime.wakeup()
    return Response(status_code=303, headers={"Location": f"{visit.token}/thanks?{LANGUAGE}={locale.value}"})


async def _answer(visit: Visit, survey: Survey, fields: Mapping[str, str], locale: Locale) -> None:
    given = from_fields(survey.questionnaire, fields)
    zone = visit.runtime.settings.timezone
    async with visit.runtime.database.transaction() as tx:
        await answering.answer(tx, visit.token, given, locale=locale, door="page", zone=zone, at=visit.at)


async def _thank(visit: Visit, survey: Survey) -> Response:
    async with visit.runtime.database.transaction() as tx:
        answers = await answers_store.to(tx, survey.invitation.id)
    locale = visit.locale(survey)
    if survey.invitation.answered_at is None:
        return Response(status_code=303, headers={"Location": f"../{visit.token}?{LANGUAGE}={locale.value}"})
    return _html(rendering.thanks_page(visit.house, locale, survey, is_low=answers is not None and answers.is_low), locale)


async def _show_opt_out(visit: Visit, survey: Survey) -> Response:
    async with visit.runtime.database.transaction() as tx:
        held = await preferences.of_customer(tx, survey.invitation.customer_id)
    locale = visit.locale(survey)
    page = rendering.opted_out_page if held.standing.opted_out else rendering.opt_out_page
    return _html(page(visit.house, locale), locale)


async def _opt_out(visit: Visit, survey: Survey) -> Response:
    async with visit.runtime.database.transaction() as tx:
        await preferences.opt_out_by_link(tx, visit.token, at=visit.at)
    visit.runtime.wakeup()
    return Response(status_code=303, headers={"Location": f"opt-out?{LANGUAGE}={visit.locale(survey).value}"})


async def _fields(request: BoundedRequest) -> dict[str, str]:
    """The fields of a sent form.

    Raises:
        WrongMediaType: not the encoding of a plain HTML form.
        Malformed: not UTF-8, or very many fields.
        Invalid: a field sent twice.
    """
    pairs = await read_pairs(request)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Invalid("A field was sent twice.")
    return fields


def _html(page: str, locale: Locale, *, status: int = 200) -> Response:
    headers = {"Content-Security-Policy": POLICY, "Content-Language": locale.value, "X-Robots-Tag": "noindex, nofollow"}
    return HTMLResponse(page.encode(errors="replace"), status_code=status, headers=headers)
