"""From an invitation, or from the reason why there is none to answer, to HTML. Nothing is looked up and nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.feedback.handlers.answering import Survey
from services.feedback.pages.wording import LANGUAGES, WORDS, Words
from services.feedback.survey.answers import COMMENT_POINTER
from services.feedback.survey.forms import NOT_APPLICABLE, Block, Option, Question, Questionnaire
from services.feedback.survey.invitations import AlreadyAnswered, Purpose, State, SurveyEnded
from shared.errors import FieldError, NotFound, ServiceError
from shared.events.codes import MAX_TEXT, Locale

WEB: Final = Path(__file__).parents[1] / "web"
ASSETS: Final[Mapping[str, bytes]] = {name: (WEB / "static" / name).read_bytes() for name in ("survey.css", "icon.svg")}
"""Static files by name; few and small, so they are kept in memory."""

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class House:
    """What every page shows and needs of the organisation."""

    organisation: str
    zone: ZoneInfo
    contact_url: str | None


@dataclass(frozen=True, slots=True)
class ShownOption:
    """An option in one language. ``end`` is what the end of a scale means, for those who hear the page."""

    value: str
    label: str
    end: str | None


@dataclass(frozen=True, slots=True)
class ShownQuestion:
    """A question in one language."""

    id: str
    kind: str
    text: str
    required: bool
    not_applicable: bool
    options: tuple[ShownOption, ...]
    ends: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """Questions that belong together; ``lead`` is the sentence that they complete."""

    lead: str | None
    questions: tuple[ShownQuestion, ...]


@dataclass(frozen=True, slots=True)
class Entered:
    """What was sent before, and what is wrong with it."""

    given: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[FieldError] = ()


NOTHING: Final = Entered()


def asset_url(name: str) -> str:
    """Where a static file is, seen from a survey's page; the address changes with its content, so it may be cached for ever."""
    return f"assets/{name}?v={sha256(ASSETS[name]).hexdigest()[:12]}"


def survey_page(house: House, locale: Locale, survey: Survey, token: str, entered: Entered = NOTHING) -> str:
    """The form; after a refused answer, or a change of the language, with what was given."""
    invitation, questionnaire, words = survey.invitation, survey.questionnaire, WORDS[locale]
    is_service = invitation.purpose is Purpose.SERVICE
    assert invitation.expires_at is not None
    return _render(
        "survey.html",
        house,
        locale,
        title=words.service_title if is_service else words.title,
        lead=_sentence(words.service_lead if is_service else words.lead, number=invitation.ticket_number),
        deadline=_sentence(words.deadline, moment=_moment(invitation.expires_at, house, locale)),
        is_anonymous=questionnaire.is_anonymous,
        blocks=[_shown_block(block, locale) for block in questionnaire.blocks],
        required=sum(question.required for question in questionnaire.questions),
        labels={question.id: question.words[locale] for question in questionnaire.questions},
        given=entered.given,
        errors=_errors(questionnaire, entered.errors, words),
        opt_out_url=f"{token}/opt-out?lang={locale.value}",
        not_applicable=NOT_APPLICABLE,
        max_text=MAX_TEXT,
    )


def thanks_page(house: House, locale: Locale, survey: Survey, *, is_low: bool) -> str:
    """The answer has arrived; after a low one with what happens next, after an anonymous one with what cannot."""
    words, number = WORDS[locale], survey.invitation.ticket_number
    more = [_sentence(words.sorry, number=number)] if is_low else []
    if survey.questionnaire.is_anonymous:
        more = [_sentence(words.no_way_back, number=number)]
    # one step below the survey's page
    return _message(house, locale, "good", words.thanks_title, words.thanks, *more, root="../", is_contact_shown=bool(more))


def opt_out_page(house: House, locale: Locale) -> str:
    """Whether he really wants no more surveys."""
    words = WORDS[locale]
    return _message(
        house, locale, "plain", words.opt_out_title, words.opt_out_text, root="../", button=words.opt_out_button, is_contact_shown=False
    )


def opted_out_page(house: House, locale: Locale) -> str:
    """He gets no more surveys."""
    words = WORDS[locale]
    return _message(house, locale, "good", words.opted_out_title, words.opted_out_text, root="../", is_contact_shown=True)


def refusal_page(house: House, locale: Locale, refusal: ServiceError) -> str:
    """Why there is nothing to answer here, and what the customer can do."""
    words = WORDS[locale]
    match refusal:
        case AlreadyAnswered():
            used = _sentence(words.used, moment=_day(refusal.answered_at, house, locale))
            return _message(house, locale, "good", words.used_title, used)
        case SurveyEnded(reason=State.CANCELLED):
            cancelled = _sentence(words.cancelled, number=refusal.ticket_number)
            return _message(house, locale, "plain", words.cancelled_title, cancelled)
        case SurveyEnded():
            expired = _sentence(words.expired, moment=_moment(refusal.ended_at, house, locale), number=refusal.ticket_number)
            return _message(house, locale, "plain", words.expired_title, expired)
        case NotFound():
            return _message(house, locale, "bad", words.unknown_title, words.unknown)
        case _:
            return _message(house, locale, "bad", words.failed_title, words.failed)


def _shown_block(block: Block, locale: Locale) -> ShownBlock:
    lead = None if block.lead is None else block.lead[locale]
    return ShownBlock(lead, tuple(_shown(question, locale) for question in block.questions))


def _shown(question: Question, locale: Locale) -> ShownQuestion:
    ends = None if question.ends is None else (question.ends[0][locale], question.ends[1][locale])
    last = len(question.options) - 1
    return ShownQuestion(
        id=question.id,
        kind=question.kind.value,
        text=question.words[locale],
        required=question.required,
        not_applicable=question.not_applicable,
        options=tuple(
            _shown_option(option, locale, None if ends is None else {0: ends[0], last: ends[1]}.get(place))
            for place, option in enumerate(question.options)
        ),
        ends=ends,
    )


def _shown_option(option: Option, locale: Locale, end: str | None) -> ShownOption:
    # the one long word among the labels: on a phone it breaks where a person would break it
    label = option.words[locale].replace("issatisfied", "is\u00adsatisfied")
    return ShownOption(str(option.value), label, end)


def _errors(form: Questionnaire, errors: Sequence[FieldError], words: Words) -> dict[str, str]:
    """What is wrong, by question; what belongs to no question (nobody gets there with this page) to the first one."""
    ids = [question.id for question in form.questions]
    text_id = form.text_question.id if form.text_question else ids[0]
    places = [text_id if error.pointer == COMMENT_POINTER else error.pointer.removeprefix("/answers/") for error in errors]
    found = {place if place in ids else ids[0]: words.error(error.code) for place, error in zip(places, errors, strict=True)}
    return {id_: found[id_] for id_ in ids if id_ in found}


def _message(
    house: House,
    locale: Locale,
    mood: str,
    heading: str,
    *paragraphs: str,
    root: str = "",
    button: str | None = None,
    is_contact_shown: bool | None = None,
) -> str:
    is_shown = mood != "good" if is_contact_shown is None else is_contact_shown
    contact_url = house.contact_url if is_shown else None
    return _render(
        "message.html", house, locale, root, mood=mood, heading=heading, paragraphs=paragraphs, button=button, contact_url=contact_url
    )


def _render(template: str, house: House, locale: Locale, root: str = "", **values: object) -> str:
    return _TEMPLATES.get_template(template).render(
        locale=locale.value,
        words=WORDS[locale],
        languages=LANGUAGES,
        organisation=house.organisation,
        assets={"style": root + asset_url("survey.css"), "icon": root + asset_url("icon.svg")},
        **values,
    )


def _sentence(sentence: str, *, number: str = "", moment: str = "") -> Markup:
    """One of our sentences with its facts; a number is not broken at the end of a line."""
    return Markup(sentence).format(number=Markup('<span class="number">{}</span>').format(number), moment=moment)


def _moment(at: datetime, house: House, locale: Locale) -> str:
    return _formatted(at, "d MMMM y, HH:mm" if locale is Locale.EN else "y年M月d日 HH:mm", house, locale)


def _day(at: datetime, house: House, locale: Locale) -> str:
    return _formatted(at, "d MMMM y" if locale is Locale.EN else "y年M月d日", house, locale)


def _formatted(at: datetime, pattern: str, house: House, locale: Locale) -> str:
    return format_datetime(at, pattern, tzinfo=house.zone, locale=locale.value.replace("-", "_"))
