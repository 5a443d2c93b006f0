"""The service number that a customer keeps: ``AS-`` + date + 6 characters + check character, e.g. ``AS-20261125EEA182H``.

The six characters are a keyed permutation of the second of the day and a counter: unique by construction, yet nobody can guess a
neighbour's number. The counter is a database sequence, which a restored backup sets back; the second keeps apart what was given before and
after. The check character is a linear code over GF(32), the field with as many elements as Crockford's alphabet: the date and the six
characters get distinct weights, so it finds every single wrong character and every exchange of two characters, wherever they stand.

A ticket that continues another one has a *linked* number: a reference and a counter, e.g. ``AS-20261125EEA182H-2``.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache
from hashlib import blake2b
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, which are read as 1, 1, 0; no U."""

NUMBERS: Final = 1 << 30
"""How many numbers six characters hold."""

COUNTER_BITS: Final = 13
"""The rest of the 30 bits is the second of the day. So many requests (8,192) in one second, and a reference could come twice."""

KEY_BYTES: Final = 32

_HALF_BITS: Final = 15
_HALF_MASK: Final = (1 << _HALF_BITS) - 1
_UNKNOWN: Final = 0xFFFF
"""No half has so many bits."""
_ROUNDS: Final = 10  # as FF1: enough for a domain this small
_WRITTEN: Final = re.compile(r"AS[- ]?([0-9A-Z]{8})[- ]?([0-9A-Z]{7})(?:-([1-9][0-9]{0,3}))?")
_READ_AS: Final = str.maketrans("OIL", "011")


class NotAReference(ValueError):
    """The text is no reference: wrong shape, no such date, or the check character says that a character is wrong."""


@dataclass(frozen=True)
class Reference:
    """A reference in its only spelling. ``link`` is the counter of a linked number, None for a request's own reference."""

    own: str
    link: int | None = None

    def __str__(self) -> str:
        return self.own if self.link is None else f"{self.own}-{self.link}"


def number_at(received_at: datetime, count: int) -> int:
    """What a reference is made from: when the request was received, in the organisation's zone, and the next count of the sequence."""
    # in UTC: a day on which the clocks change has 23 or 25 hours
    second = int((received_at.astimezone(UTC) - _midnight(received_at.date(), received_at.fold, received_at.tzinfo)).total_seconds())
    return second << COUNTER_BITS | count % (1 << COUNTER_BITS)


@lru_cache(maxsize=64)
def _midnight(day: date, fold: int, zone: tzinfo | None) -> datetime:
    return datetime.combine(day, time(0, fold=fold), zone).astimezone(UTC)


def issue(day: date, number: int, key: bytes) -> str:
    """The reference of a number (0 <= number < NUMBERS) that no other request of ``day``, in the organisation's zone, has."""
    written, total = _day(day)
    mixed = permute(number, key)
    first, second, third = mixed >> 20, mixed >> 10 & 1023, mixed & 1023
    check = ALPHABET[total ^ _PAIR_SUMS[0][first] ^ _PAIR_SUMS[1][second] ^ _PAIR_SUMS[2][third]]
    return f"AS-{written}{_PAIRS[first]}{_PAIRS[second]}{_PAIRS[third]}{check}"


@lru_cache(maxsize=64)
def _day(day: date) -> tuple[str, int]:
    """The day as it is written, and its part of the check character."""
    written = day.strftime("%Y%m%d")
    return written, _sum(written)


def parse(text: str) -> Reference:
    """Read what a person typed: lower case, O for 0, I and L for 1, hyphens or spaces between the parts or none.

    Raises:
        NotAReference: see there.
    """
    written = _WRITTEN.fullmatch(text.strip().upper())
    if written is None:
        raise NotAReference("a reference reads AS-, 8 digits of a date and 7 characters")
    day, tail = (part.translate(_READ_AS) for part in written.group(1, 2))
    _require_date(day)
    body, check = day + tail[:-1], tail[-1]
    if "U" in body or _check_character(body) != check:
        raise NotAReference("the check character does not fit: a character is wrong or two are exchanged")
    link = written.group(3)
    return Reference(f"AS-{body}{check}", None if link is None else int(link))


def permute(number: int, key: bytes) -> int:
    """A keyed bijection of 0 .. NUMBERS - 1 onto itself: a balanced Feistel network over two halves of 15 bits."""
    if not 0 <= number < NUMBERS:
        raise ValueError(f"a number has {2 * _HALF_BITS} bits")
    left, right = number >> _HALF_BITS, number & _HALF_MASK
    mixed = _known_mixes(key)
    for turn in range(_ROUNDS):
        place = turn << _HALF_BITS | right
        value = mixed[place]
        if value == _UNKNOWN:
            value = mixed[place] = _mix(turn, right, key)
        left, right = right, left ^ value
    return left << _HALF_BITS | right


def unpermute(number: int, key: bytes) -> int:
    """The inverse of `permute`."""
    left, right = number >> _HALF_BITS, number & _HALF_MASK
    for turn in reversed(range(_ROUNDS)):
        left, right = right ^ _mix(turn, left, key), left
    return left << _HALF_BITS | right


@lru_cache(maxsize=2)
def _known_mixes(key: bytes) -> array[int]:
    """What `_mix` gave for each turn and half so far, in 640 KB: a process has one key, and after a day it has met most of them."""
    return array("H", [_UNKNOWN]) * (_ROUNDS << _HALF_BITS)


def _mix(turn: int, half: int, key: bytes) -> int:
    digest = blake2b((turn << 16 | half).to_bytes(4, "big"), key=key, digest_size=2).digest()
    return int.from_bytes(digest, "big") & _HALF_MASK


def _require_date(digits: str) -> None:
    try:
        if not digits.isdecimal():
            raise ValueError
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise NotAReference("the date in the reference does not exist") from None


# --- the check character -------------------------------------------------------------------------------------------------------------


def _powers() -> tuple[int, ...]:
    """Powers of a generator of GF(32)* = GF(2)[x] / (x^5 + x^2 + 1): 31 distinct weights."""
    powers, value = [], 1
    for _ in range(31):
        powers.append(value)
        value <<= 1
        if value & 32:
            value ^= 0b100101
    return tuple(powers)


_EXP: Final = _powers()
_LOG: Final = {value: exponent for exponent, value in enumerate(_EXP)}
_VALUE: Final = {character: value for value, character in enumerate(ALPHABET)}


def _check_character(body: str) -> str:
    """Sum of weight x character; the weights of the body are the 1st, 2nd ... powers, the check character's own is the 0th."""
    return ALPHABET[_sum(body)]


def _sum(text: str, place: int = 1) -> int:
    """The part of a text that begins at this place of the body."""
    total = 0
    for exponent, character in enumerate(text, start=place):
        value = _VALUE[character]
        if value:
            total ^= _EXP[(_LOG[value] + exponent) % 31]
    return total


_PAIRS: Final = tuple(one + other for one in ALPHABET for other in ALPHABET)
"""Ten bits as two characters."""
_PAIR_SUMS: Final = tuple(tuple(_sum(pair, place) for pair in _PAIRS) for place in (9, 11, 13))
"""The parts of each pair behind the eight digits of the date."""
