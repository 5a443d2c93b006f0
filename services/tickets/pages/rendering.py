"""From what a customer may see, or from why he may not, to HTML. Nothing is looked up and nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.tickets.handlers.visits import Seen
from services.tickets.language.codes import word
from services.tickets.language.customers import expected_in_words, moment, status_in_words
from services.tickets.pages.wording import WORDS
from services.tickets.workflow.expectations import expectation
from services.tickets.workflow.steps import STEPS
from shared.events.codes import Locale
from shared.http.assets import Assets
from shared.http.login.rendering import WEB as HOUSE
from shared.languages import LANGUAGES

WEB: Final = Path(__file__).parents[1] / "web"
ASSETS: Final = Assets(HOUSE / "static", WEB / "static")

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as the page shows it."""

    who: str
    is_ours: bool
    at: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step of the service: behind, now or ahead."""

    name: str
    state: str


def proof_page(reference: str, locale: Locale, *, error: str | None = None, notice: str | None = None) -> str:
    """The form that asks for a proof, with what was wrong with the last one."""
    return _render("prove.html", reference, locale, token=None, error=error, notice=notice)


def tracking_page(seen: Seen, locale: Locale, zone: ZoneInfo, *, token: str) -> str:
    """How it stands."""
    ticket, words = seen.ticket, WORDS[locale]
    expected = expectation(ticket)
    dates = [(words.opened, ticket.opened_at), (words.changed, ticket.changed_at), (words.resolved, ticket.resolved_at)]
    dates.append((words.closed, ticket.closed_at))
    return _render(
        "track.html",
        seen.reference,
        locale,
        token=token,
        number=ticket.number,
        joined=words.joined.format(number=ticket.number) if ticket.number != seen.reference else None,
        status=status_in_words(ticket.status, locale),
        expected=expected_in_words(expected.code, expected.until, zone, locale),
        is_urgent=expected.code == "answer",
        steps=_steps(ticket.type, ticket.step, locale),
        dates=[(name, moment(at, zone, locale), at.isoformat()) for name, at in dates if at is not None],
        messages=[
            ShownMessage(
                who=words.from_you if message.author == "customer" else words.from_us,
                is_ours=message.author != "customer",
                at=moment(message.at, zone, locale),
                text=message.text,
            )
            for message in seen.messages
        ],
        only_ours=not seen.own_words,
    )


def _steps(type: str | None, step: str | None, locale: Locale) -> list[ShownStep]:
    """The way of this kind of service, once it has begun."""
    steps = STEPS.get(type or "", ())
    if step not in steps:
        return []
    now = steps.index(step)
    states = ("done" if place < now else "now" if place == now else "ahead" for place in range(len(steps)))
    return [ShownStep(word("step", name, locale), state) for name, state in zip(steps, states, strict=True)]


def _render(template: str, reference: str, locale: Locale, *, token: str | None, **values: object) -> str:
    return _TEMPLATES.get_template(template).render(
        locale=locale.value,
        words=WORDS[locale],
        languages=LANGUAGES,
        reference=reference,
        token=token,
        assets={name: f"assets/{ASSETS.url(name)}" for name in ("house.css", "track.css", "icon.svg")},
        **values,
    )
