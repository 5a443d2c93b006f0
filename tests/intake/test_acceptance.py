"""Which requests are taken, and as what."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.acceptance import (
    CLOCK_SKEW,
    Accepted,
    Account,
    Attachment,
    Caller,
    Contact,
    ProductNamed,
    Rules,
    Submission,
    accept,
    cut_for_event,
    digest,
)
from shared.errors import Invalid
from shared.events.codes import MAX_TEXT

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
RULES = Rules("CN", ZoneInfo("Asia/Shanghai"))
SYSTEM = Caller("shop")
PLAIN = Submission("web", "洗衣机不转了")
REFERENCE = "AS-20261125EEA182H"


def taken(submission: Submission, caller: Caller = SYSTEM) -> Accepted:
    return accept(submission, caller, received_at=NOW, rules=RULES)


def refused(submission: Submission, caller: Caller = SYSTEM) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        taken(submission, caller)
    return {error.pointer: error.code for error in caught.value.errors}


def test_a_request_without_a_time_happened_when_it_came() -> None:
    accepted = taken(PLAIN)

    assert accepted.occurred_at == accepted.received_at == NOW
    assert not accepted.occurred_at_clamped


def test_the_source_s_time_is_kept_beside_ours() -> None:
    yesterday = NOW - timedelta(days=1)

    assert taken(PLAIN._replace(occurred_at=yesterday)).occurred_at == yesterday


@given(st.timedeltas(timedelta(microseconds=1), CLOCK_SKEW))
def test_a_source_clock_up_to_five_minutes_ahead_is_set_to_ours_and_flagged(ahead: timedelta) -> None:
    accepted = taken(PLAIN._replace(occurred_at=NOW + ahead))

    assert accepted.occurred_at == NOW
    assert accepted.occurred_at_clamped


@given(st.timedeltas(CLOCK_SKEW + timedelta(microseconds=1), timedelta(days=3_000)))
def test_a_time_further_ahead_is_refused(ahead: timedelta) -> None:
    assert refused(PLAIN._replace(occurred_at=NOW + ahead)) == {"/occurred_at": "in_the_future"}


def test_a_thing_cannot_have_been_bought_tomorrow_but_for_a_zone_ahead_of_ours() -> None:
    today = NOW.astimezone(RULES.zone).date()

    taken(PLAIN._replace(product=ProductNamed(purchase_date=today + timedelta(days=1))))
    late = PLAIN._replace(product=ProductNamed(purchase_date=today + timedelta(days=2)))
    assert refused(late) == {"/product/purchase_date": "in_the_future"}


def test_every_wrong_field_is_named_at_once() -> None:
    wrong = Submission("web", "text", Contact(phone="12", email="nobody"), in_reply_to="7", occurred_at=NOW + timedelta(hours=1))

    assert set(refused(wrong)) == {"/customer/phone", "/customer/email", "/in_reply_to", "/occurred_at"}


def test_a_reply_is_read_tolerantly_and_kept_in_its_only_spelling() -> None:
    assert taken(PLAIN._replace(in_reply_to="as-20261125-eeai82h")).in_reply_to == REFERENCE
    assert taken(PLAIN._replace(in_reply_to=f"{REFERENCE}-2")).in_reply_to == f"{REFERENCE}-2"


def test_a_customer_with_his_own_key_can_be_reached_without_saying_how() -> None:
    assert "customer.phone" not in taken(PLAIN, Caller("c", customer_id=UUID(int=1))).completeness.missing


def test_an_account_is_a_way_to_reach_the_customer() -> None:
    assert "customer.phone" not in taken(PLAIN._replace(customer=Contact(app_user_id="u-1"))).completeness.missing
    assert "customer.phone" in taken(PLAIN).completeness.missing


def test_a_complete_repair_has_nothing_missing() -> None:
    unit = ProductNamed("WM-900", "SN1", date(2026, 1, 1))
    full = Submission("web", "坏了", Contact("王伟", "13800138000"), type="repair", product=unit, expected_resolution_at=NOW)

    assert taken(full).completeness.score == 1


# --- content -------------------------------------------------------------------------------------------------------------------------


def test_the_zone_in_which_a_time_is_written_is_not_content() -> None:
    shanghai = NOW.astimezone(ZoneInfo("Asia/Shanghai"))

    assert digest(PLAIN._replace(occurred_at=NOW)) == digest(PLAIN._replace(occurred_at=shanghai))


@pytest.mark.parametrize(
    "change",
    [
        {"text": "另一台"},
        {"channel": "app"},
        {"external_id": "7"},
        {"type": "repair"},
        {"subject": "x"},
        {"customer": Contact(name="李")},
        {"customer": Contact(customer_id=UUID(int=1))},
        {"customer": Contact(accounts=(Account("telegram", "1"),))},
        {"conversation_id": "call-17"},
        {"product": ProductNamed(model="x")},
        {"occurred_at": NOW},
        {"expected_resolution_at": NOW},
        {"in_reply_to": REFERENCE},
        {"metadata": {"a": 1}},
    ],
)
def test_any_other_field_is_other_content(change: dict[str, object]) -> None:
    assert digest(PLAIN._replace(**change)) != digest(PLAIN)  # type: ignore[arg-type]


def test_the_digests_of_requests_that_were_taken_long_ago_still_hold() -> None:
    contact = Contact("n", "p", "e", "u", "en")
    product = ProductNamed("m", "s", date(2026, 1, 1), "o")

    sent = Submission("web", "x", contact, product=product, attachments=(Attachment("a", "u"),))

    assert digest(sent).hex() == "93362d0e320f70824ac643d733762b6f"


def test_the_order_of_metadata_is_not_content() -> None:
    assert digest(PLAIN._replace(metadata={"a": 1, "b": 2})) == digest(PLAIN._replace(metadata={"b": 2, "a": 1}))


def test_a_text_longer_than_an_event_may_hold_is_cut_and_says_so() -> None:
    assert cut_for_event("长" * MAX_TEXT) == ("长" * MAX_TEXT, False)
    assert cut_for_event("长" * (MAX_TEXT + 1)) == ("长" * MAX_TEXT, True)
