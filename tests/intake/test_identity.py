"""Who a request is from: normalising, recognising, and never joining two persons by mistake."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.identity import (
    Arrival,
    Assignment,
    Directory,
    Identity,
    Scheme,
    Unreadable,
    account_identity,
    app_user_identity,
    assign,
    email_identity,
    judge,
    phone_identity,
)
from services.intake.identity.addresses import checked_email
from services.intake.identity.masking import masked

pytestmark = pytest.mark.pure

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
APP, OTHER_APP = app_user_identity("u-1"), app_user_identity("u-2")
LINE = Identity(Scheme.LINE, "U1", scope="1653")
MAIL, OTHER_MAIL = email_identity("wang@example.com"), email_identity("li@example.com")
PHONE, OTHER_PHONE = phone_identity("13800138000", "CN"), phone_identity("13900139000", "CN")


def account(scheme: Scheme, scope: str | None, value: str) -> Identity:
    return account_identity(scheme, scope, value, lambda phone: phone_identity(phone, "CN"))


def arrives(*identities: Identity, new_id: UUID = C, proven_id: UUID | None = None) -> Arrival:
    return Arrival(identities, new_id, proven_id)


def who(arrival: Arrival, *links: tuple[UUID, Identity]) -> Assignment:
    return assign([arrival], Directory.of(links))[0]


# --- normalising ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["13800138000", "138 0013 8000", "+86 138-0013-8000", "0086 138 0013 8000", "＋８６１３８００１３８０００"]
)
def test_one_phone_number_has_one_spelling(text: str) -> None:
    assert phone_identity(text, "CN").value == "+8613800138000"


def test_an_extension_is_cut_off() -> None:
    assert phone_identity("010-62345678 ext 5", "CN").value == "+861062345678"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+55 11 98765-4321", "+55 11 8765-4321"),
        ("+54 9 11 2345-6789", "+54 11 2345-6789"),
        ("+52 1 55 1234 5678", "+52 55 1234 5678"),
        ("0086 138 0013 8000", "13800138000"),
        ("+86 010 6234 5678", "010-62345678"),
    ],
    ids=["Brazil's ninth digit", "Argentina's nine", "Mexico's old one", "00 for +", "the zero before an area code"],
)
def test_two_ways_to_write_one_number_are_compared_as_one(one: str, other: str) -> None:
    assert phone_identity(one, "CN") == phone_identity(other, "CN")


def test_a_number_is_written_to_as_it_was_given_where_both_ways_are_valid() -> None:
    assert phone_identity("+54 9 11 2345-6789", "CN").address == "+5491123456789"


def test_a_prefix_for_calls_abroad_that_is_another_country_s_is_understood() -> None:
    assert phone_identity("0086 138 0013 8000", "US").value == "+8613800138000"


@given(st.from_regex(r"\+?[0-9]{6,15}", fullmatch=True), st.sampled_from(["CN", "TW", "US", "BR", "AR", "MX"]))
def test_what_is_compared_of_a_number_reads_as_the_same_number(text: str, region: str) -> None:
    try:
        identity = phone_identity(text, region)
    except Unreadable:
        return

    assert phone_identity(identity.address, "CN") == identity


def test_a_hotline_is_a_contact_and_nobodys_identity() -> None:
    assert phone_identity("400-820-8820", "CN").matches is False


@pytest.mark.parametrize("text", ["", "phone", "12345", "95588", "110", "+999 123456", "1" * 64])
def test_what_is_no_phone_number_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        phone_identity(text, "CN")


def test_the_case_of_an_address_does_not_matter_but_is_kept_for_writing() -> None:
    identity = email_identity("Wang.Wei@Example.COM")

    assert identity == email_identity("wang.wei@example.com")
    assert identity.address == "Wang.Wei@example.com"


@pytest.mark.parametrize(
    "text", ["", "wang", "wang@", "@example.com", "a@b", "a b@example.com", "a@example..com", "a@example.com\nBcc: x@y.z"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        email_identity(text)


_NAMES = st.text("abzABZ019._+-\u00e9 ", min_size=0, max_size=40) | st.sampled_from(["postmaster", "Abuse", "wang.wei"])
_DOMAINS = st.text("abzA01.-\u4e2d", max_size=20) | st.sampled_from(
    ["example.com", "Example.COM", "xn--fiqs8s.cn", "\u4e2d\u56fd.cn", "a.invalid"]
)


@given(_NAMES, _DOMAINS)
def test_an_address_is_read_quickly_as_it_is_read_closely(name: str, domain: str) -> None:
    text = f"{name}@{domain}"
    try:
        closely = checked_email(text)
    except Unreadable as refusal:
        with pytest.raises(Unreadable, match=re.escape(str(refusal))):
            email_identity(text)
        return
    quickly = email_identity(text)

    assert (quickly, quickly.address) == (closely, closely.address)


@given(st.text(max_size=80))
def test_no_text_breaks_the_readers(text: str) -> None:
    for read in (email_identity, lambda t: phone_identity(t, "CN")):
        try:
            identity = read(text)
        except Unreadable:
            continue
        assert identity.value


# --- Who? ----------------------------------------------------------------------------------------------------------------------------


def test_an_unknown_customer_is_registered_with_all_that_he_showed() -> None:
    assert who(arrives(MAIL, PHONE)) == Assignment(C, is_new=True, links=(MAIL, PHONE))


def test_an_account_recognises_a_customer_whatever_else_he_shows() -> None:
    assert who(arrives(APP, OTHER_MAIL), (A, APP), (A, MAIL)) == Assignment(A, is_new=False, links=(OTHER_MAIL,))


def test_an_address_goes_before_a_phone_number() -> None:
    found = who(arrives(PHONE, MAIL), (A, MAIL), (B, PHONE))

    assert (found.customer_id, found.is_new) == (A, False)
    assert [(link, link.matches) for link in found.links] == [(PHONE, False)]
    assert found.suspects == (B,)


def test_a_phone_number_that_one_customer_has_recognises_him() -> None:
    assert who(arrives(PHONE), (A, PHONE)) == Assignment(A, is_new=False)


def test_a_phone_number_that_two_customers_share_recognises_nobody_and_suggests_a_merge() -> None:
    found = who(arrives(PHONE), (A, PHONE), (B, PHONE))

    assert found == Assignment(C, is_new=True, links=(PHONE,), suspects=(A, B))
    assert [link.matches for link in found.links] == [False]


def test_a_phone_number_does_not_recognise_a_customer_whose_account_is_another() -> None:
    found = who(arrives(OTHER_APP, PHONE), (A, APP), (A, PHONE))

    assert found == Assignment(C, is_new=True, links=(OTHER_APP, PHONE), suspects=(A,))


def test_a_phone_number_does_not_recognise_a_customer_whose_address_is_another() -> None:
    assert who(arrives(OTHER_MAIL, PHONE), (A, MAIL), (A, PHONE)).is_new


def test_a_customer_without_an_account_is_recognised_by_his_address_and_gets_the_account() -> None:
    assert who(arrives(APP, MAIL), (A, MAIL)) == Assignment(A, is_new=False, links=(APP,))


def test_a_shared_address_does_not_disagree_with_the_one_who_has_the_phone_number() -> None:
    assert who(arrives(MAIL, PHONE), (A, MAIL), (B, MAIL), (A, PHONE)).customer_id == A


def test_a_customer_with_nothing_to_show_is_always_new() -> None:
    assert who(arrives()) == Assignment(C, is_new=True)


def test_two_requests_of_one_new_customer_in_a_batch_are_his() -> None:
    first, second = assign([arrives(PHONE, new_id=A), arrives(PHONE, MAIL, new_id=B)], Directory())

    assert first == Assignment(A, is_new=True, links=(PHONE,))
    assert second == Assignment(A, is_new=False, links=(MAIL,))


# --- shared, proven, stood in for ---------------------------------------------------------------------------------------------------


def test_who_shows_only_a_shared_number_is_one_unknown_caller_per_channel() -> None:
    callers = [
        arrives(PHONE, new_id=UUID(int=n))._replace(channel=channel)
        for n, channel in [(10, "phone"), (11, "phone"), (12, "sms"), (13, "phone")]
    ]

    found = assign(callers, Directory.of([(A, PHONE), (B, PHONE)]))

    assert [(one.customer_id.int, one.is_new) for one in found] == [(10, True), (10, False), (12, True), (10, False)]


def test_the_unknown_caller_takes_nothing_away_from_those_who_share_the_number() -> None:
    directory = Directory.of([(A, PHONE), (B, PHONE)])

    unknown, known = assign([arrives(PHONE), arrives(PHONE, MAIL, new_id=UUID(int=9))], directory)

    assert unknown.customer_id == C
    assert (known.customer_id.int, known.is_new) == (9, True)
    assert directory.holders[PHONE] == {A, B, UUID(int=9)}


def test_once_the_two_are_one_person_their_number_recognises_them_again() -> None:
    stand_in = Identity.stored("phone", PHONE.value, matches=False, stands_in="web")

    assert who(arrives(PHONE), (A, PHONE), (B, stand_in)).customer_id == A


def test_a_shared_number_means_the_one_who_has_proven_it() -> None:
    assert who(arrives(PHONE), (A, PHONE), (B, replace(PHONE, is_verified=True))).customer_id == B
    assert who(arrives(PHONE), (A, replace(PHONE, is_verified=True)), (B, replace(PHONE, is_verified=True))).is_new


def test_a_number_that_was_marked_as_shared_recognises_nobody_and_suggests_nothing() -> None:
    directory = Directory.of([(A, PHONE), (A, APP)])
    directory.shared.add(PHONE)

    (found,) = assign([arrives(PHONE)], directory)

    assert (found.is_new, found.suspects) == (True, ())
    assert judge(arrives(APP, PHONE), directory).customer_id == A


# --- accounts of channels ------------------------------------------------------------------------------------------------------------


def test_an_account_of_a_channel_goes_before_an_address() -> None:
    assert who(arrives(MAIL, LINE), (A, MAIL), (B, LINE)).customer_id == B


def test_the_same_id_in_another_scope_is_another_account() -> None:
    assert who(arrives(account(Scheme.LINE, "other", "U1")), (A, LINE)).is_new


def test_an_account_that_another_customer_has_becomes_a_contact_of_the_new_one() -> None:
    found = who(arrives(OTHER_APP, LINE), (A, APP), (A, LINE))

    assert found.is_new
    assert [(link.scheme, link.matches) for link in found.links] == [(Scheme.APP_USER, True), (Scheme.LINE, False)]


def test_a_browser_recognises_only_whom_nothing_stronger_contradicts() -> None:
    browser = account(Scheme.WEB_SESSION, None, "s-1")

    assert who(arrives(browser), (A, browser)).customer_id == A
    assert who(arrives(browser, OTHER_PHONE), (A, browser), (A, PHONE)).is_new


def test_a_number_on_whatsapp_reads_with_and_without_its_plus() -> None:
    assert account(Scheme.WHATSAPP_PHONE, None, "8613800138000") == account(Scheme.WHATSAPP_PHONE, None, "+8613800138000")


@pytest.mark.parametrize(("scheme", "scope"), [(Scheme.LINE, None), (Scheme.TELEGRAM, "x")])
def test_an_account_has_a_scope_exactly_if_its_ids_need_one(scheme: Scheme, scope: str | None) -> None:
    with pytest.raises(Unreadable):
        account(scheme, scope, "1")


# --- whom the sender names ------------------------------------------------------------------------------------------------------------


def test_who_enters_a_request_says_whose_it_is_and_what_he_shows_is_his() -> None:
    found = who(Arrival((MAIL, PHONE), C, named_id=B), (A, MAIL), (B, APP))

    assert (found.customer_id, found.is_new, found.suspects) == (B, False, (A,))
    assert [(link.scheme, link.matches) for link in found.links] == [(Scheme.EMAIL, False), (Scheme.PHONE, True)]


# --- masking --------------------------------------------------------------------------------------------------------------------------


def test_a_masked_identity_can_be_recognised_and_not_used() -> None:
    shown = [masked(identity) for identity in (PHONE, MAIL, APP, account(Scheme.LINE, "1653", "U4af4980629"))]

    assert shown == ["+86•••00", "w•••@example.com", "•••", "•••29"]


# --- the customer's own key ----------------------------------------------------------------------------------------------------------


def test_a_customer_s_own_key_says_who_he_is_whatever_else_he_claims() -> None:
    found = who(arrives(APP, MAIL, proven_id=B), (A, APP), (A, MAIL), (B, PHONE))

    assert (found.customer_id, found.is_new, found.suspects) == (B, False, (A,))


def test_a_customer_whose_key_was_issued_before_his_first_request_is_registered_under_its_id() -> None:
    assert who(arrives(proven_id=B)) == Assignment(B, is_new=True)


def test_a_claimed_address_is_a_contact_by_which_nobody_is_recognised_later() -> None:
    claimed, victim = assign([arrives(APP, MAIL, proven_id=A), arrives(MAIL, new_id=B)], Directory())

    assert [(link.scheme, link.matches) for link in claimed.links] == [(Scheme.EMAIL, False)]
    assert (victim.customer_id, victim.is_new) == (B, True)


def test_a_contact_that_a_trusted_source_confirms_becomes_an_identity() -> None:
    contact = Identity(MAIL.scheme, MAIL.value, MAIL.address, matches=False)

    assert who(arrives(APP, MAIL), (A, APP), (A, contact)).links == (MAIL,)


# --- laws ----------------------------------------------------------------------------------------------------------------------------

identities = st.sampled_from([APP, OTHER_APP, LINE, MAIL, OTHER_MAIL, PHONE, OTHER_PHONE])


def _one_per_scheme(found: list[Identity]) -> tuple[Identity, ...]:
    return tuple({identity.scheme: identity for identity in found}.values())


shown = st.lists(identities, max_size=4).map(_one_per_scheme)


@given(st.lists(st.tuples(shown, st.none() | st.integers(100, 102).map(lambda n: UUID(int=n))), max_size=12))
def test_an_account_never_belongs_to_two_customers_nor_a_customer_to_two_accounts(
    batch: list[tuple[tuple[Identity, ...], UUID | None]],
) -> None:
    arrivals = [Arrival(shows, UUID(int=n), proven_id) for n, (shows, proven_id) in enumerate(batch, start=1)]
    directory = Directory()

    assign(arrivals, directory)

    accounts = [(holder, i) for i, holders in directory.holders.items() if i.scheme is Scheme.APP_USER for holder in holders]
    assert len({holder for holder, _ in accounts}) == len({i for _, i in accounts}) == len(accounts)


@given(st.lists(shown, max_size=12), st.integers(0, 12))
def test_a_batch_may_be_cut_anywhere_without_changing_whose_requests_they_are(batch: list[tuple[Identity, ...]], cut: int) -> None:
    arrivals = [Arrival(shows, UUID(int=n)) for n, shows in enumerate(batch, start=1)]
    directory = Directory()

    whole = assign(arrivals, Directory())

    assert assign(arrivals[:cut], directory) + assign(arrivals[cut:], directory) == whole


@given(st.lists(shown, max_size=10), shown.filter(bool))
def test_nobody_who_shows_something_is_registered_twice(before: list[tuple[Identity, ...]], shows: tuple[Identity, ...]) -> None:
    directory = Directory()
    assign([Arrival(s, UUID(int=n)) for n, s in enumerate(before, start=1)], directory)

    first, again = assign([Arrival(shows, UUID(int=98)), Arrival(shows, UUID(int=99))], directory)

    assert not again.is_new
    assert again.is_settled
    assert first.customer_id == again.customer_id


@given(st.lists(shown.filter(bool), max_size=8), shown.filter(lambda s: any(i.scheme is Scheme.APP_USER for i in s)))
def test_who_shows_his_account_again_is_the_same(before: list[tuple[Identity, ...]], shows: tuple[Identity, ...]) -> None:
    directory = Directory()
    assign([Arrival(s, UUID(int=n)) for n, s in enumerate(before, start=1)], directory)

    first, again = assign([Arrival(shows, UUID(int=98)), Arrival(shows, UUID(int=99))], directory)

    assert first.customer_id == again.customer_id
    assert not again.is_new
    assert not again.links
