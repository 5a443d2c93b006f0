"""The customer's answer, with or without his name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from services.feedback.handlers.inviting import REMIND
from services.feedback.store import answers as answers_store
from services.feedback.store import forms as forms_store
from services.feedback.store import invitations as store
from services.feedback.survey import facts, invitations
from services.feedback.survey.anonymity import AnonymousResponse, midnight
from services.feedback.survey.answers import Answers, check
from services.feedback.survey.forms import Questionnaire
from services.feedback.survey.invitations import Invitation
from shared import outbox, timers
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.codes import Locale

Door = Literal["rest", "page"]


class UnknownSurvey(NotFound):
    """No invitation has this token: forged, or mistyped."""

    code: ClassVar[str] = "survey_unknown"

    def __init__(self) -> None:
        super().__init__("there is no survey with this token")


@dataclass(frozen=True, slots=True)
class Survey:
    """An invitation and what it asks."""

    invitation: Invitation
    questionnaire: Questionnaire


@dataclass(frozen=True, slots=True)
class Taken:
    """An answer that was recorded."""

    survey: Survey
    answers: Answers

    @property
    def will_follow_up(self) -> bool:
        """Whether the request is taken up again (D11); an anonymous answer does not lead back to it."""
        return self.answers.is_low and not self.survey.questionnaire.is_anonymous


async def find(tx: Transaction, token: str, *, lock: bool = False) -> Survey:
    """The survey behind a link, in whatever state.

    Raises:
        UnknownSurvey: no such token.
    """
    invitation = await store.by_token(tx, token, lock=lock)
    if invitation is None:
        raise UnknownSurvey
    form = await forms_store.by_code(tx, invitation.form)
    return Survey(invitation, form.asked_of(invitation.id))


async def answer(
    tx: Transaction,
    token: str,
    given: Mapping[str, object],
    comment: object = None,
    *,
    locale: Locale | None,
    door: Door,
    zone: ZoneInfo,
    at: datetime,
) -> Taken:
    """Take the first answer; it is final. ``locale`` is the language in which it was asked, by default the invitation's.

    Raises:
        UnknownSurvey: no such token.
        AlreadyAnswered: it has its answer; of any number of answers at the same time one is taken.
        SurveyEnded: cancelled or expired.
        Invalid: the answers do not fit the questionnaire; nothing was recorded.
    """
    survey = await find(tx, token, lock=True)
    invitation = invitations.answer(survey.invitation, at=at)
    answers = check(survey.questionnaire, given, comment)
    read_in = locale or invitation.locale
    await timers.cancel(tx, [(REMIND, str(invitation.id))])
    if survey.questionnaire.is_anonymous:
        invitation = await _keep_anonymously(tx, invitation, answers, read_in, midnight(at, zone))
    else:
        await store.change(tx, [invitation], {}, {})
        await answers_store.add(tx, invitation.id, answers, locale=read_in, door=door)
        await outbox.append(tx, [facts.answered(invitation, answers, locale=read_in)])
    return Taken(replace(survey, invitation=invitation), answers)


async def _keep_anonymously(
    tx: Transaction, invitation: Invitation, answers: Answers, locale: Locale, day_starts_at: datetime
) -> Invitation:
    """Mark the token used, on this day, and keep the answer where nothing leads back to it."""
    used = replace(invitation, answered_at=day_starts_at)
    response = AnonymousResponse.of(
        answers,
        form=invitation.form,
        dimensions=invitation.dimensions,
        locale=locale,
        day=day_starts_at.date(),
        id_=uuid4(),
    )
    await store.change(tx, [used], {}, {})
    await answers_store.add_anonymous(tx, response)
    await outbox.append(tx, [facts.answered_anonymously(response, midnight=day_starts_at)])
    return used
