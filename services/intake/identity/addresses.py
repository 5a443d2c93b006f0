"""Phone numbers and e-mail addresses as they are compared, and as they are written to.

Some countries write one mobile number in two ways, and a channel shows one of them, a caller id the other. Both become one value; the
address stays as it was given.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from services.intake.identity.schemes import Identity, Scheme, Unreadable

_NOBODYS_NUMBERS: Final = frozenset(
    {PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.UAN, PhoneNumberType.VOICEMAIL}
)
"""Hotlines and the like: valid to call back, but no person's own."""

_INTERNATIONAL_PREFIX: Final = re.compile(r"^\s*[0０]{2}(?=[\s-]*[1-9１-９])")
_ARGENTINA, _BRAZIL, _MEXICO = 54, 55, 52
_BRAZILIAN_MOBILE: Final = re.compile(r"([1-9]{2})([6-9]\d{7})")
"""Area code and a mobile number of before 2016, without the ninth digit that all have now."""

MAX_PLAIN: Final = 120
"""Characters of an address that is surely within all limits."""
_PLAIN_LOCAL: Final = re.compile(r"[A-Za-z0-9_+-]{1,30}(?:\.[A-Za-z0-9_+-]{1,30})?")
_PLAIN_DOMAIN: Final = re.compile(r"[A-Za-z0-9.-]{3,50}")


@lru_cache(maxsize=4096)
def phone_identity(text: str, region: str) -> Identity:
    """A phone number in E.164 without its extension; without a country code it is read as dialled in ``region`` (ISO 3166, e.g. CN).

    Raises:
        Unreadable: no valid number of any country.
    """
    number = _parsed(text, region)
    address = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    matches = phonenumbers.number_type(number) not in _NOBODYS_NUMBERS
    return Identity(Scheme.PHONE, _compared(number, address), address, matches=matches)


def _parsed(text: str, region: str) -> PhoneNumber:
    """The number as it was dialled; where the region's own prefix for calls abroad is another, 00 is understood all the same."""
    error: phonenumbers.NumberParseException | None = None
    for written in (text, _INTERNATIONAL_PREFIX.sub("+", text)):
        try:
            number = _today(phonenumbers.parse(written, region))
        except phonenumbers.NumberParseException as failure:
            error = failure
            continue
        if phonenumbers.is_valid_number(number):
            return number
    if error is not None:
        raise Unreadable("not a phone number") from error
    raise Unreadable("no such phone number; give it with country code, e.g. +86 138 0013 8000")


def _today(number: PhoneNumber) -> PhoneNumber:
    """The number in the form that is valid today: Mexico dropped its 1 before mobile numbers, Brazil put a 9 before them."""
    national = str(number.national_number)
    if number.country_code == _MEXICO and len(national) == 11 and national.startswith("1"):
        return PhoneNumber(country_code=_MEXICO, national_number=int(national[1:]))
    if number.country_code == _BRAZIL and (old := _BRAZILIAN_MOBILE.fullmatch(national)):
        return PhoneNumber(country_code=_BRAZIL, national_number=int(f"{old[1]}9{old[2]}"))
    return number


def _compared(number: PhoneNumber, address: str) -> str:
    """Argentina's 9 before a mobile number is there when called from abroad and missing otherwise."""
    national = str(number.national_number)
    if number.country_code == _ARGENTINA and len(national) == 11 and national.startswith("9"):
        return f"+{_ARGENTINA}{national[1:]}"
    return address


@lru_cache(maxsize=4096)
def email_identity(text: str) -> Identity:
    """An e-mail address, compared without regard to case; nothing is asked of DNS.

    Raises:
        Unreadable: not an address that mail could be sent to.
    """
    return _plain_email(text) or checked_email(text)


def checked_email(text: str) -> Identity:
    """The same, every character looked at, which takes a while."""
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=True)
    except EmailNotValidError as error:
        raise Unreadable(str(error)) from error
    local, _, domain = found.normalized.rpartition("@")
    return Identity(Scheme.EMAIL, f"{local.lower()}@{domain}", found.ascii_email or found.normalized)


def _plain_email(text: str) -> Identity | None:
    """An address as most are: a plain name at a domain that many have, which is looked at once. None: look closer."""
    local, _, domain = text.rpartition("@")
    if len(text) > MAX_PLAIN or not _PLAIN_LOCAL.fullmatch(local) or local.lower() in CASE_INSENSITIVE_MAILBOX_NAMES:
        return None
    known = _domain(domain)
    if known is None:
        return None
    return Identity(Scheme.EMAIL, f"{local.lower()}@{known[0]}", f"{local}@{known[1]}")


@lru_cache(maxsize=4096)
def _domain(text: str) -> tuple[str, str] | None:
    """A domain as it is compared and as it is written to; None where it is none, or an unusual one."""
    if not _PLAIN_DOMAIN.fullmatch(text):
        return None
    try:
        found = validate_email(f"a@{text}", check_deliverability=False)
    except EmailNotValidError:
        return None
    return found.domain, found.ascii_domain
