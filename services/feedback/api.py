"""The REST door: surveys for whoever holds their link, invitations for staff."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final, cast
from uuid import UUID

from fastapi import Header, Query, Response
from starlette.requests import Request

from services.feedback import handlers, store
from services.feedback.schemas import AnsweredOut, AnswersBody, InvitationOut, SurveyOut
from services.feedback.settings import FeedbackSettings
from services.feedback.survey.forms import FORMS
from services.feedback.survey.invitations import SurveyEnded, require_open
from services.feedback.survey.language import preferred
from shared import clock, http, idempotency
from shared.auth import Scope
from shared.events.codes import Locale
from shared.idempotency import Replay
from shared.runtime import Runtime

router = http.Router(tags=["surveys"])

_BY_LINK: Final = http.PUBLIC("customers have no key: the token in the link, 192 random bits, is the credential")
_ANSWERS: Final = "/v1/surveys/{token}/answers"

Lang = Annotated[Locale | None, Query(description="language of the questions; else Accept-Language, else the invitation's")]
AcceptLanguage = Annotated[str | None, Header()]


@router.get("/v1/surveys/{token}", scope=_BY_LINK, operation_id="getSurvey", summary="The questions of a survey", problems=[409, 410])
async def get_survey(
    request: Request, response: Response, token: str, lang: Lang = None, accept_language: AcceptLanguage = None
) -> SurveyOut:
    """Never records anything. 404 for a token that nobody was sent, 409 when it is answered, 410 when it is cancelled or has expired."""
    async with _runtime(request).database.transaction() as tx:
        invitation = await handlers.find(tx, token)
    with _contact_named(request):
        require_open(invitation, at=clock.now())
    locale = lang or preferred(accept_language) or invitation.locale
    response.headers["Content-Language"] = locale.value
    return SurveyOut.of(invitation, FORMS[invitation.form], locale)


@router.post(
    _ANSWERS,
    scope=_BY_LINK,
    operation_id="answerSurvey",
    summary="Answer a survey",
    status_code=201,
    response_model=AnsweredOut,
    problems=[409, 410],
)
async def answer_survey(
    request: Request,
    token: str,
    body: AnswersBody,
    key: http.IdempotencyKey,
    lang: Lang = None,
    accept_language: AcceptLanguage = None,
) -> Response:
    """The first answer is final: a second one gets 409. What does not fit the form is refused, and the survey stays open."""
    runtime = _runtime(request)
    with _contact_named(request):
        return await _answer(runtime, token, body, key, lang or preferred(accept_language))


async def _answer(runtime: Runtime[FeedbackSettings], token: str, body: AnswersBody, key: str | None, locale: Locale | None) -> Response:
    asker = f"survey:{store.token_hash(token).hex()}"
    async with (
        runtime.database.transaction() as tx,
        idempotency.once(tx, asker, _ANSWERS, key, idempotency.fingerprint(body.model_dump())) as first,
    ):
        if isinstance(first, Replay):
            return http.replay(first)
        invitation, answers = await handlers.answer(tx, token, body.answers, body.comment, locale=locale, door="rest", at=clock.now())
        answered = AnsweredOut.of(invitation, answers).model_dump_json().encode()
        await first.store(201, answered)
    runtime.wakeup()
    return Response(answered, status_code=201, media_type="application/json")


@router.get("/v1/invitations", scope=Scope.INVITATION_READ, operation_id="listInvitations", summary="Invitations and their answers")
async def list_invitations(
    request: Request,
    ticket: Annotated[http.Code | None, Query(description="a ticket, by its number or another reference that answers as it")] = None,
    limit: http.Limit = 50,
    cursor: http.Cursor = None,
) -> http.Page[InvitationOut]:
    """Newest first; of all tickets, or of one."""
    runtime = _runtime(request)
    filters = {"ticket": ticket}
    after = None if cursor is None else _position(runtime.cursors.decode(cursor, filters, length=2))
    async with runtime.database.transaction() as tx:
        found = await store.page(tx, ticket=ticket, after=after, limit=limit + 1)
    shown, at = found[:limit], clock.now()
    created_at, last_id = shown[-1].position if len(found) > limit else (None, None)
    return http.Page(
        items=[InvitationOut.of(listed.invitation, listed.answers, at) for listed in shown],
        next_cursor=None if created_at is None else runtime.cursors.encode([created_at.isoformat(), str(last_id)], filters),
    )


def _position(parts: list[str | int]) -> store.Position:
    created_at, last_id = parts
    return datetime.fromisoformat(str(created_at)), UUID(str(last_id))


@contextmanager
def _contact_named(request: Request) -> Iterator[None]:
    """Whoever comes too late is told where he can turn."""
    try:
        yield
    except SurveyEnded as ended:
        contact_url = _runtime(request).settings.contact_url
        ended.facts = dict(ended.facts) | ({"contact_url": contact_url} if contact_url else {})
        raise


def _runtime(request: Request) -> Runtime[FeedbackSettings]:
    return cast("Runtime[FeedbackSettings]", request.app.state.runtime)
