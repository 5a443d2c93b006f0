"""From an invitation, or from the reason why there is none to answer, to HTML. Nothing is looked up and nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.feedback.pages.wording import LANGUAGES, WORDS, Words
from services.feedback.survey.answers import COMMENT_POINTER
from services.feedback.survey.forms import Form, Option, Question
from services.feedback.survey.invitations import AlreadyAnswered, Invitation, State, SurveyEnded
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
    options: tuple[ShownOption, ...]
    ends: tuple[str, str] | None


def asset_url(name: str) -> str:
    """Where a static file is, seen from a survey's page; the address changes with its content, so it may be cached for ever."""
    return f"assets/{name}?v={sha256(ASSETS[name]).hexdigest()[:12]}"


def survey_page(
    house: House,
    locale: Locale,
    invitation: Invitation,
    form: Form,
    *,
    given: Mapping[str, str] | None = None,
    errors: Sequence[FieldError] = (),
) -> str:
    """The form; after a refused answer with what was given and what is wrong with it."""
    questions = [shown(question, locale) for question in form.questions]
    assert invitation.expires_at is not None
    return _render(
        "survey.html",
        house,
        locale,
        lead=_sentence(WORDS[locale].lead, number=invitation.ticket_number),
        deadline=_sentence(WORDS[locale].deadline, moment=_moment(invitation.expires_at, house, locale)),
        questions=questions,
        labels={question.id: question.text for question in questions},
        given=given or {},
        errors=_errors(form, errors, WORDS[locale]),
        max_text=MAX_TEXT,
    )


def thanks_page(house: House, locale: Locale, invitation: Invitation, *, is_low: bool) -> str:
    """The answer has arrived; after a low one with what happens next."""
    words = WORDS[locale]
    paragraphs = [words.thanks, _sentence(words.sorry, number=invitation.ticket_number)] if is_low else [words.thanks]
    # one step below the survey's page
    return _message(house, locale, "good", words.thanks_title, *paragraphs, root="../")


def refusal_page(house: House, locale: Locale, refusal: ServiceError) -> str:
    """Why there is nothing to answer here, and what the customer can do."""
    words = WORDS[locale]
    match refusal:
        case AlreadyAnswered():
            used = _sentence(words.used, moment=_moment(refusal.answered_at, house, locale))
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


def shown(question: Question, locale: Locale) -> ShownQuestion:
    """The question as it is read in this language."""
    ends = None if question.ends is None else (question.ends[0][locale], question.ends[1][locale])
    last = len(question.options) - 1
    return ShownQuestion(
        id=question.id,
        kind=question.kind.value,
        text=question.words[locale],
        required=question.required,
        options=tuple(
            _shown_option(option, locale, None if ends is None else {0: ends[0], last: ends[1]}.get(place))
            for place, option in enumerate(question.options)
        ),
        ends=ends,
    )


def _shown_option(option: Option, locale: Locale, end: str | None) -> ShownOption:
    return ShownOption(str(option.value), option.words[locale], end)


def _errors(form: Form, errors: Sequence[FieldError], words: Words) -> dict[str, str]:
    """What is wrong, by question; what belongs to no question (nobody gets there with this page) to the first one."""
    ids = [question.id for question in form.questions]
    text_id = form.text_question.id if form.text_question else ids[0]
    places = [text_id if error.pointer == COMMENT_POINTER else error.pointer.removeprefix("/answers/") for error in errors]
    found = {place if place in ids else ids[0]: words.error(error.code) for place, error in zip(places, errors, strict=True)}
    return {id_: found[id_] for id_ in ids if id_ in found}


def _message(house: House, locale: Locale, mood: str, heading: str, *paragraphs: str, root: str = "") -> str:
    contact_url = None if mood == "good" else house.contact_url
    return _render("message.html", house, locale, root, mood=mood, heading=heading, paragraphs=paragraphs, contact_url=contact_url)


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
    patterns = {Locale.EN: "d MMMM y, HH:mm"}
    pattern = patterns.get(locale, "y年M月d日 HH:mm")
    return format_datetime(at, pattern, tzinfo=house.zone, locale=locale.value.replace("-", "_"))
