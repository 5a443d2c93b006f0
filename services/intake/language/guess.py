"""In which of the three languages a customer writes, by script alone.

Han characters against Latin words tell Chinese from English. Simplified and traditional Chinese are told apart by the character sets that
the two worlds made for themselves: what GB 2312 holds and the everyday part of Big5 does not was simplified, and the other way round.
"""

from __future__ import annotations

import re
from typing import Final

from shared.events.codes import DEFAULT_LOCALE, Locale

_NOT_HAN: Final = re.compile("[^\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_LATIN_WORD: Final = re.compile("[A-Za-z]+")
_BIG5_RARE: Final = bytes(range(0xC7, 0x100))
"""Lead bytes behind those of the 5,401 frequent characters; the rarer ones include variants that are the simplified form elsewhere."""
_SIMPLIFIED_ALL_THE_SAME: Final = "么坏听于几虫"
"""Frequent in simplified text; in the everyday part of Big5 they are other, rare words."""
_ENOUGH: Final = 2_000
"""Characters that are looked at: more would cost time and tell nothing new."""


def guess_locale(text: str) -> Locale | None:
    """The language of the text; None when the script shows nothing, as in ``你好`` or ``12345``."""
    text = text[:_ENOUGH]
    if text.isascii():
        return Locale.EN if _LATIN_WORD.search(text) else None
    han = _NOT_HAN.sub("", text)
    words = len(_LATIN_WORD.findall(text))
    if len(han) < words / 2 or not han:
        return Locale.EN if words else None
    simplified, traditional = _in_gb2312(han), _in_everyday_big5(han)
    if simplified == traditional:
        return None
    return Locale.ZH_CN if simplified > traditional else Locale.ZH_TW


def _in_gb2312(han: str) -> int:
    return len(han.encode("gb2312", "ignore")) // 2


def _in_everyday_big5(han: str) -> int:
    lead_bytes = han.encode("big5", "ignore")[::2]
    return len(lead_bytes.translate(None, _BIG5_RARE)) - sum(map(han.count, _SIMPLIFIED_ALL_THE_SAME))


def choose_locale(given: str | None, guessed: str | None, known: str | None) -> str:
    """The language for messages: what the customer asked for, else what he writes, else what he was registered with."""
    return given or guessed or known or DEFAULT_LOCALE.value
