"""Headers and bodies of a mail, byte by byte. What is unusual in a header is left to the standard library, which knows all rules."""

from __future__ import annotations

import base64
import re
from email.header import Header
from email.policy import SMTP
from functools import lru_cache
from typing import Final

_LONGEST_LINE: Final = 900
"""Bytes; SMTP allows 998."""
_LONGEST_HEADER: Final = 78
"""Characters of a line with its name; longer ones are folded."""
_PLAIN: Final = re.compile(r"[!-~]+(?: [!-~]+)*")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_ENCODED: Final = "=?"
"""Begins what a reader decodes (RFC 2047)."""


def is_plain(value: str) -> bool:
    """Words of ASCII with single blanks between them, not too long for one line."""
    return len(value) <= _LONGEST_LINE and _PLAIN.fullmatch(value) is not None


def own_header(name: str, value: str) -> bytes:
    """A header that machines read: never folded."""
    return f"{name}: {value}\r\n".encode() if is_plain(value) else _folded(name, value)


def header(name: str, value: str) -> bytes:
    """A header that people read: `From`, `To` or `Subject`."""
    if name == "From":
        return _folded(name, value)
    if len(name) + 2 + len(value) <= _LONGEST_HEADER and _can_stand(name, value):
        return f"{name}: {value}\r\n".encode()
    if name == "Subject" and value.isprintable() and not value.isascii() and _ENCODED not in value:
        return f"{name}: {Header(value, 'utf-8', header_name=name).encode(linesep=SMTP.linesep)}\r\n".encode()
    return _folded.__wrapped__(name, value)


def _can_stand(name: str, value: str) -> bool:
    """Whether the value stands for itself, whatever a reader looks for in it."""
    return _ADDRESS.fullmatch(value) is not None if name == "To" else is_plain(value) and _ENCODED not in value


@lru_cache(maxsize=16)
def _folded(name: str, value: str) -> bytes:
    stored = SMTP.header_store_parse(name, value)
    return SMTP.fold_binary(*stored)


def transfer_encoding(text: str) -> str:
    """Readable where lines are short enough for SMTP."""
    return "8bit" if all(len(line) <= _LONGEST_LINE for line in text.encode().splitlines()) else "base64"


def alternatives(text: str, html: str, *, language: str, boundary: str) -> bytes:
    """The rest of a mail behind its own headers: what describes its content, and the content in two forms."""
    return (
        f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'
        f"Content-Language: {language}\r\n\r\n--{boundary}\r\n"
    ).encode() + b"".join((_part("plain", text), f"\r\n--{boundary}\r\n".encode(), _part("html", html), f"\r\n--{boundary}--\r\n".encode()))


def _part(subtype: str, text: str) -> bytes:
    encoding = transfer_encoding(text)
    content = b"\r\n".join(text.encode().splitlines()) + b"\r\n"
    if encoding == "base64":
        content = base64.encodebytes(content).replace(b"\n", b"\r\n")
    version = "MIME-Version: 1.0\r\n" if subtype == "html" else ""
    return f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n{version}\r\n'.encode() + content
