"""Whether a message says thanks and nothing else: such a message neither reopens a ticket nor opens one; it is kept on the ticket.

The rule errs on one side only. A message counts as thanks if it consists of nothing but known phrases, so that a request or a complaint
behind a polite word is never put aside.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_THANKS: Final = (
    r"thank\s?you(?:\s(?:so|very)\smuch)?|thanks(?:\s(?:a\slot|so\smuch|again|very\smuch))?|many\sthanks|thx|cheers|much\sappreciated",
    r"(?:非常|十分|太|真的|真是|万分|萬分|好的)?(?:谢谢|謝謝|多谢|多謝|感谢|感謝|感恩)(?:了|啦|您|你|你们|你們|大家|哦|呀|啊)*",
    r"辛苦(?:了|您了|你了|啦)",
)
_POLITENESS: Final = (
    r"hi|hello|dear\s(?:team|all)|ok(?:ay)?|great|perfect|all\sgood|for\s(?:the|your)\s(?:help|quick\shelp|support|reply|quick\sreply)|bye|regards",
    r"您好|你好|好的|好|收到|嗯+|再见|再見|您的帮助|您的幫助|你的帮助|你的幫助|帮助|幫助|客服",
)
_ONE: Final = re.compile("|".join(_THANKS))
_ALL: Final = re.compile(rf"(?:(?:{'|'.join((*_THANKS, *_POLITENESS))})\s*)+")
_HINT: Final = re.compile("thank|thx|cheers|appreciated|[谢謝]|感恩|辛苦")
"""Some part of which stands in every phrase of thanks: most messages are put aside by it."""
_LONGEST: Final = 80


def is_only_thanks(text: str) -> bool:
    """True when nothing remains of the text without its words of thanks and politeness, marks and pictographs."""
    if len(text) > _LONGEST:
        return False
    folded = text.casefold()
    if _HINT.search(folded) is None:
        return False
    words = " ".join("".join(character if _is_word(character) else " " for character in folded).split())
    return _ONE.search(words) is not None and _ALL.fullmatch(words) is not None


def _is_word(character: str) -> bool:
    """Letters and digits, and a question mark in either width: a question is a request."""
    return unicodedata.category(character)[0] in "LN" or character in "?？"
