"""In which language to show a page."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.languages import closest, preferred

PARAMETER: Final = "lang"
"""Of the query of a page."""


def of_page(request: Request) -> Locale:
    """The one that was asked for, else what the browser likes."""
    asked_for = closest(request.query_params.get(PARAMETER))
    return asked_for or preferred(request.headers.get("accept-language")) or DEFAULT_LOCALE
