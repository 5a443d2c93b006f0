"""The dashboard's HTML: words, choices and addresses. The figures come later, by the page's own calls to the REST interface."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.metrics.kpi import DEFINITIONS
from shared.auth import CSRF_FIELD, Session
from shared.events.codes import Locale
from shared.http import login
from shared.http.assets import Assets
from shared.languages import LANGUAGES

WEB: Final = Path(__file__).parents[1] / "web"
ASSETS: Final = Assets(WEB / "static", WEB / "echarts")
WORDS: Final[Mapping[Locale, Mapping[str, Any]]] = {
    locale: json.loads((WEB / "words" / f"{locale.value}.json").read_text(encoding="utf-8")) for locale in Locale
}

RANGES: Final = ("today", "7d", "30d", "month")
CLOCKS: Final = ("business", "calendar")
HEADLINE: Final = ("csat_mean", "resolution_rate", "repeat_complaint_rate", "nps")
"""The four targets of the organisation."""
TRENDS: Final = (*HEADLINE, "sla_first_response", "sla_next_response", "sla_resolution", "csat_top2", "reopen_rate", "survey_response_rate")
"""Figures with an interval, which can be shown over time."""
ZONES: Final = (
    "Asia/Shanghai",
    "Asia/Taipei",
    "Asia/Hong_Kong",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "UTC",
)
"""Those that are offered; the address takes any."""

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the page shows; kept in its address."""

    range: str
    zone: str
    clock: str
    trend: str
    lang: str

    def query(self) -> str:
        """As the query of an address."""
        return urlencode({name: getattr(self, name) for name in self.__slots__})


def dashboard(locale: Locale, chosen: Chosen, session: Session | None) -> str:
    """The page for somebody; without a session (a program with a key) there is nothing to sign out of."""
    words = WORDS[locale]
    return _TEMPLATES.get_template("dashboard.html").render(
        locale=locale.value,
        words=words,
        languages=LANGUAGES,
        address=lambda code: replace(chosen, lang=code.value).query(),
        assets={name: f"dashboard/assets/{ASSETS.url(name)}" for name in ("dashboard.css", "dashboard.js", "echarts.min.js")},
        house={name: f"login/assets/{login.ASSETS.url(name)}" for name in ("house.css", "icon.svg")},
        page={"words": words, "known": list(DEFINITIONS)},
        session=session,
        token_field=CSRF_FIELD,
        chosen=chosen,
        ranges=RANGES,
        headline=HEADLINE,
        zones=_offered_zones(chosen.zone),
        clocks=[(clock, words["clock"][clock]) for clock in CLOCKS],
        trends=[(kpi, words["kpi"][kpi]) for kpi in TRENDS if kpi in DEFINITIONS],
    )


def _offered_zones(chosen: str) -> Sequence[tuple[str, str]]:
    return [(zone, zone.replace("_", " ")) for zone in dict.fromkeys([chosen, *ZONES])]
