"""Surveys for whoever holds their link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, cast

from fastapi import Header, Query, Response
from starlette.requests import Request

from services.feedback.handlers import answering
from services.feedback.schemas.surveys import AnsweredOut, AnswersBody, SurveyOut
from services.feedback.settings import FeedbackSettings
from services.feedback.store import invitations as store
from services.feedback.survey.invitations import SurveyEnded, require_open
from shared import clock, http, idempotency
from shared.database import Transaction
from shared.events.codes import Locale
from shared.idempotency import Replay
from shared.languages import preferred
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
    async with runtime(request).database.transaction() as tx:
        survey = await answering.find(tx, token)
    with _contact_named(request):
        require_open(survey.invitation, at=clock.now())
    locale = lang or preferred(accept_language) or survey.invitation.locale
    response.headers["Content-Language"] = locale.value
    return SurveyOut.of(survey.invitation, survey.questionnaire, locale)


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
    """The first answer is final: a second one gets 409. What does not fit the questionnaire is refused, and the survey stays open."""
    with _contact_named(request):
        return await _answer(runtime(request), token, body, key, lang or preferred(accept_language))


async def _answer(served: Runtime[FeedbackSettings], token: str, body: AnswersBody, key: str | None, locale: Locale | None) -> Response:
    asker = f"survey:{store.token_hash(token).hex()}"
    async with served.database.transaction() as tx:
        fingerprint = await _fingerprint(tx, token, body.model_dump()) if key else b""
        async with idempotency.once(tx, asker, _ANSWERS, key, fingerprint) as first:
            if isinstance(first, Replay):
                return http.replay(first)
            taken = await answering.answer(
                tx, token, body.answers, body.comment, locale=locale, door="rest", zone=served.settings.timezone, at=clock.now()
            )
            answered = AnsweredOut.of(taken.survey.invitation, will_follow_up=taken.will_follow_up).model_dump_json().encode()
            await first.store(201, answered)
    served.wakeup()
    return Response(answered, status_code=201, media_type="application/json")


async def _fingerprint(tx: Transaction, token: str, body: dict[str, Any]) -> bytes:
    """What tells a repeated call from another one. Of an anonymous answer nothing is kept: a few scores could be guessed from it."""
    survey = await answering.find(tx, token)
    return idempotency.fingerprint({} if survey.questionnaire.is_anonymous else body)


@contextmanager
def _contact_named(request: Request) -> Iterator[None]:
    """Whoever comes too late is told where he can turn."""
    try:
        yield
    except SurveyEnded as ended:
        contact_url = runtime(request).settings.contact_url
        ended.facts = dict(ended.facts) | ({"contact_url": contact_url} if contact_url else {})
        raise


def runtime(request: Request) -> Runtime[FeedbackSettings]:
    """What this process runs with."""
    return cast("Runtime[FeedbackSettings]", request.app.state.runtime)
