"""Which of our three languages suits somebody, from a tag that others wrote: an event, a header, a link, a profile.

Traditional Chinese is recognised by script (Hant) or by region (Taiwan, Hong Kong, Macao); all other Chinese is simplified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.events.codes import Locale

LANGUAGES: Final[Mapping[Locale, str]] = {Locale.ZH_CN: "简体中文", Locale.ZH_TW: "繁體中文", Locale.EN: "English"}
"""Each language by its own name, for the switch of pages."""
TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})
MAX_HEADER: Final = 500
"""Characters of an Accept-Language header that are looked at; honest ones are far shorter."""


def closest(tag: str | None) -> Locale | None:
    """Ours for a BCP 47 tag such as ``zh-Hant-HK`` or ``en_GB``; None when we do not speak it."""
    language, *rest = (tag or "").strip().lower().replace("_", "-").split("-")
    if language == "en":
        return Locale.EN
    if language != "zh":
        return None
    return Locale.ZH_TW if TRADITIONAL.intersection(rest) and "hans" not in rest else Locale.ZH_CN


def preferred(accept_language: str | None) -> Locale | None:
    """The language of ours that an Accept-Language header likes best; None when it names none."""
    ranges = [_range(part) for part in (accept_language or "")[:MAX_HEADER].split(",")]
    spoken = [(quality, locale) for tag, quality in ranges if quality > 0 and (locale := closest(tag)) is not None]
    # the first of equals, as the header lists them
    return max(spoken, key=lambda choice: choice[0])[1] if spoken else None


def _range(part: str) -> tuple[str, float]:
    tag, _, parameter = part.partition(";")
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return tag, 1.0
    try:
        return tag, float(value)
    except ValueError:
        return tag, 0.0
