"""From a session, or from none, to the HTML of the sign-in page."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.auth import CSRF_FIELD, Scope, Session
from shared.events.codes import Locale
from shared.http.assets import Assets
from shared.http.login.wording import WORDS, Words
from shared.languages import LANGUAGES

WEB: Final = Path(__file__).parents[1] / "web"
ASSETS: Final = Assets(WEB / "static")

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def login_page(
    locale: Locale,
    zone: ZoneInfo,
    session: Session | None,
    *,
    back: str | None,
    dashboard: str,
    error: str | None = None,
    notice: str | None = None,
) -> str:
    """The page: who is signed in, and the field for a key. `back` is where to go afterwards; the dashboard is offered to those who may see
    it."""
    words = WORDS[locale]
    return _TEMPLATES.get_template("login.html").render(
        locale=locale.value,
        words=words,
        languages=LANGUAGES,
        assets={name: f"login/assets/{ASSETS.url(name)}" for name in ("house.css", "icon.svg")},
        who=None if session is None else _who(session, locale, zone, words),
        token=None if session is None else session.csrf_token,
        token_field=CSRF_FIELD,
        back=back,
        dashboard=dashboard if session is not None and Scope.KPI_READ in session.principal.scopes else None,
        error=error,
        notice=notice,
    )


def _who(session: Session, locale: Locale, zone: ZoneInfo, words: Words) -> str:
    pattern = "d MMMM, HH:mm" if locale is Locale.EN else "M月d日 HH:mm"
    moment = format_datetime(session.ends_at, pattern, tzinfo=zone, locale=locale.value.replace("-", "_"))
    return words.signed_in.format(name=session.principal.id, role=words.roles[session.principal.role], moment=moment)
