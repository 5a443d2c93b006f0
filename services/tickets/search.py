"""How words are cut for search, when a subject is stored and when somebody asks: the same on both sides.

PostgreSQL's parsers leave Chinese text in one piece. Here a run of Han, kana or hangul becomes its single characters and its pairs,
everything else becomes words of letters and digits, folded in case and width.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_WORDS: Final = 200
"""Words of one subject that are kept: enough to find it, and bounded."""

MAX_WORD: Final = 64
"""Characters of a word that count; PostgreSQL refuses lexemes over 2 KiB."""

_WORD: Final = re.compile(r"[^\W_]+")
_IDEOGRAPHIC: Final = re.compile(r"([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]+)")


def words(text: str) -> list[str]:
    """The lexemes of a text to be stored, in order, each once."""
    if text.isascii():
        return list(dict.fromkeys([word[:MAX_WORD] for word in _WORD.findall(text.lower())]))[:MAX_WORDS]
    return _words(text)


def _words(text: str) -> list[str]:
    """Of a text in any script."""
    found: dict[str, None] = {}
    for piece in _pieces(text):
        if _is_ideographic(piece):
            found.update(dict.fromkeys(piece))
            found.update(dict.fromkeys(_pairs(piece)))
        else:
            found[piece] = None
    return list(found)[:MAX_WORDS]


def query(text: str) -> str:
    """A tsquery that asks for all of the text's words, the last of them as a beginning; empty when there is nothing to ask for."""
    terms: list[str] = []
    for piece in _pieces(text):
        if _is_ideographic(piece):
            terms += _pairs(piece) or [piece]
        else:
            terms.append(piece)
    if not terms:
        return ""
    quoted = [f"'{term}'" for term in terms[:MAX_WORDS]]
    return " & ".join([*quoted[:-1], f"{quoted[-1]}:*"])


def _pieces(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = _WORD.findall(folded)
    if folded.isascii():
        return [word[:MAX_WORD] for word in words]
    return [piece[:MAX_WORD] for word in words for piece in _IDEOGRAPHIC.split(word) if piece]


def _is_ideographic(piece: str) -> bool:
    return not piece.isascii() and _IDEOGRAPHIC.fullmatch(piece) is not None


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]
