"""Subject, text and HTML of a message, from `templates/<kind>.<locale>.txt`: its first line is the subject, empty lines part paragraphs.

A template is rendered twice, as text and as HTML; `button` and `number` look different in the two. What it can say is the number of the
ticket, a link of ours, codes that it translates, and days; the words of our staff only where the kind is an answer of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, nodes
from markupsafe import Markup, escape

from services.intake.sending import Notification
from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.number import NUMBER

_FOLDER: Final = Path(__file__).parents[1] / "templates"
_TEMPLATES: Final = FileSystemLoader(_FOLDER)
_AS_RELEASED: Final[dict[str, Any]] = {"loader": _TEMPLATES, "undefined": StrictUndefined, "auto_reload": False}
_TEXT: Final = Environment(**_AS_RELEASED, trim_blocks=True, lstrip_blocks=True, autoescape=False)
_HTML: Final = Environment(**_AS_RELEASED, trim_blocks=True, lstrip_blocks=True, autoescape=True)

_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,49}", re.ASCII)


@dataclass(frozen=True)
class Letterhead:
    """What is the same on every message of the organisation. ``track`` makes the link to the page of a number, as of a moment."""

    sender: str
    organisation: str
    zone: ZoneInfo
    track: Callable[[str, datetime], str]


@dataclass(frozen=True)
class Words:
    """A message as its reader sees it."""

    subject: str
    text: str
    html: str


def write(notification: Notification, letterhead: Letterhead, wording: str | None = None) -> Words:
    """Find the words for a notification of a kind that `sending.KINDS` knows.

    ``wording``: the organisation's own, checked by `checking.faults`; None is the one of the release.
    """
    locale = locale_of(notification)
    source = wording_of_release(notification.kind, locale) if wording is None else wording
    plain = _values(notification, letterhead, locale)
    rich = plain | _rich(plain)
    subject, text = _render(_TEXT, source, plain)
    _, body = _render(_HTML, source, rich)
    footer = _TEXT.get_template(f"footer.{locale}.txt").render(plain).strip()
    html = _HTML.get_template("mail.html").render(
        locale=locale,
        subject=subject,
        organisation=letterhead.organisation,
        paragraphs=_paragraphs(body),
        footer=_paragraphs(_HTML.get_template(f"footer.{locale}.txt").render(rich)),
    )
    return Words(subject, f"{text}\n\n-- \n{footer}\n", html)


@lru_cache(maxsize=64)
def wording_of_release(kind: str, locale: str) -> str:
    """What a kind says in a language as long as the organisation has no words of its own."""
    return (_FOLDER / f"{kind}.{locale}.txt").read_text()


@lru_cache(maxsize=128)
def _compiled(environment: Environment, source: str) -> Template:
    tree = environment.parse(source)
    if environment is _HTML:
        # a wording is words, also where somebody writes < or &
        for words in tree.find_all(nodes.TemplateData):
            words.data = str(escape(words.data))
    return environment.from_string(tree)


def locale_of(notification: Notification) -> str:
    """One of the languages that we write."""
    return notification.locale if notification.locale in set(Locale) else DEFAULT_LOCALE.value


def opt_out_link(notification: Notification) -> str | None:
    """Where the customer says that he wants no more surveys; only surveys can be declined so."""
    link = notification.data.get("opt_out_link", "")
    return link if notification.purpose == "survey" and is_web_address(link) else None


def is_web_address(link: str) -> bool:
    """Whether a mail may lead there."""
    return urlsplit(link).scheme in {"http", "https"} and not re.search(r"[\s<>\"]", link)


# --- what templates can say ----------------------------------------------------------------------------------------------------------


def _values(notification: Notification, letterhead: Letterhead, locale: str) -> dict[str, Any]:
    number, kind, data = notification.ticket_number or "", notification.rules, notification.data
    link = _link(notification, letterhead)
    return {
        "number": number,
        "text": (notification.text or "").replace("\r\n", "\n").strip() if kind is not None and not kind.is_automatic else "",
        "link": link,
        "expires_on": _day(notification.expires_at, locale, letterhead.zone),
        "status": _code(data.get("status")),
        "reason": _code(data.get("reason")),
        "is_survey": notification.purpose == "survey",
        "into": _number(data.get("into")),
        "closes_on": _day(_moment(data.get("closes_at")), locale, letterhead.zone),
        "organisation": letterhead.organisation,
        "is_about_survey": kind is not None and kind.is_about_survey,
        "is_automatic": notification.is_automatic,
        "opt_out": opt_out_link(notification) or "",
        "button": lambda label: f"{label}\n{link}" if link else "",
        "large": lambda value: value,
    }


def _link(notification: Notification, letterhead: Letterhead) -> str:
    """Where the message leads: what its event says, else to the page that shows how the ticket stands."""
    link = notification.link or ""
    if not link and notification.is_automatic and notification.ticket_number is not None:
        # as of the request: the mail is the same at every attempt
        link = letterhead.track(notification.ticket_number, notification.requested_at)
    return link if is_web_address(link) else ""


def _code(given: str | None) -> str:
    """Events hold codes; anything else is not repeated to the customer."""
    return given if given is not None and _CODE.fullmatch(given) else ""


def _number(given: str | None) -> str:
    return given if given is not None and NUMBER.fullmatch(given) else ""


def _moment(given: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(given or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _day(moment: datetime | None, locale: str, zone: ZoneInfo) -> str:
    return "" if moment is None else format_date(moment.astimezone(zone), "long", locale=locale.replace("-", "_"))


# --- text and HTML -------------------------------------------------------------------------------------------------------------------

_BUTTON: Final = (
    "display:inline-block;min-height:24px;padding:10px 24px;border-radius:6px;background:#1f5fbf;color:#ffffff;font-weight:600;"
    "line-height:24px;text-decoration:none"
)
_BIG: Final = "font-size:20px;letter-spacing:0.5px"
_QUIET: Final = "color:#5a6472;font-size:13px;word-break:break-all"


def _rich(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What looks different in HTML."""

    link, opt_out = escape(plain["link"]), escape(plain["opt_out"])

    def button(label: str) -> Markup:
        # the address stands below, for whoever does not trust a button
        shown = f'<a href="{link}" style="{_BUTTON}">{escape(label)}</a><br><a href="{link}" style="{_QUIET}">{link}</a>'
        return Markup(shown) if link else Markup()

    def large(value: str) -> Markup:
        return Markup(f'<strong style="{_BIG}">{escape(value)}</strong>')

    numbers = {name: Markup(f'<span style="white-space:nowrap">{escape(plain[name])}</span>') for name in ("number", "into") if plain[name]}
    way_out = {"opt_out": Markup(f'<a href="{opt_out}" style="{_QUIET}">{opt_out}</a>')} if opt_out else {}
    return {"button": button, "large": large} | numbers | way_out


def _render(environment: Environment, source: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """Subject, the template's first line, and the rest."""
    rendered = _compiled(environment, source).render(values).strip()
    subject, _, rest = rendered.partition("\n")
    return subject.strip(), rest.strip()


def _paragraphs(rendered: str) -> list[Markup]:
    """Lines between empty lines belong together. Values were escaped when the template was rendered."""
    parts = re.split(r"\n[^\S\n]*(?:\n[^\S\n]*)+", rendered)
    return [Markup("<br>".join(part.strip("\n").split("\n"))) for part in parts if part.strip()]
