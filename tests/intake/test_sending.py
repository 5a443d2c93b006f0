"""When a message to a customer is sent, by which channel, and when it is given up."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import services.intake
from services.intake.sending import (
    GIVE_UP_AFTER,
    KINDS,
    LONGEST_DELAY,
    Address,
    Circumstances,
    Consents,
    Failure,
    Hold,
    Notification,
    Postpone,
    Send,
    budget_key,
    is_acknowledged,
    plan,
    quiet_until,
    retry_at,
    spread,
)
from shared.events.codes import Channel

pytestmark = pytest.mark.pure

README = Path(services.intake.__file__).with_name("README.md")
NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
INVITATION = Notification(UUID(int=1), UUID(int=2), UUID(int=3), "survey_invitation", "en", NOW, "AS-1", link="https://example.com/s/x")
REPLY = replace(INVITATION, kind="ticket_reply", text="done")
STATUS = replace(INVITATION, kind="ticket_status", requested_at=NOW - timedelta(minutes=1))
RECEIPT = replace(INVITATION, kind="acknowledgement")
MAIL = Address("wang@example.com", "Wang@example.com")
PHONE = Address("+8613800138000", "+8613800138000")
WANG = Circumstances(channels=("email",), zone=SHANGHAI, addresses={"email": MAIL, "sms": PHONE})
BY_MAIL = Send("email", "Wang@example.com", "email:wang@example.com")
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_a_message_is_sent_to_the_customer_s_address() -> None:
    assert plan(REPLY, WANG, NOW) == BY_MAIL


def test_a_customer_without_an_address_cannot_be_written_to() -> None:
    assert plan(REPLY, replace(WANG, addresses={}), NOW) is Failure.NO_ADDRESS


def test_the_first_channel_that_reaches_the_customer_is_taken() -> None:
    both = replace(WANG, channels=("sms", "email"))

    assert plan(REPLY, both, NOW) == Send("sms", PHONE.written, f"sms:{PHONE.value}")
    assert plan(REPLY, replace(both, addresses={"email": MAIL}), NOW) == BY_MAIL


def test_a_number_does_not_help_where_only_mail_can_be_sent() -> None:
    assert plan(REPLY, replace(WANG, addresses={"sms": PHONE}), NOW) is Failure.NO_ADDRESS


def test_an_invitation_that_has_expired_is_not_sent() -> None:
    assert plan(replace(INVITATION, expires_at=NOW), WANG, NOW) is Failure.EXPIRED
    assert plan(replace(INVITATION, expires_at=NOW + MINUTE), WANG, NOW) == BY_MAIL


def test_a_status_waits_a_moment_for_a_newer_one() -> None:
    assert plan(replace(STATUS, requested_at=NOW), WANG, NOW + 29 * SECOND) == Postpone(NOW + 30 * SECOND)
    assert plan(replace(STATUS, requested_at=NOW), WANG, NOW + 30 * SECOND) == BY_MAIL


def test_a_status_that_is_three_days_old_is_news_to_nobody_and_an_answer_never_grows_old() -> None:
    later = STATUS.requested_at + timedelta(days=3)

    assert plan(STATUS, WANG, later - MINUTE) == BY_MAIL
    assert plan(STATUS, WANG, later) is Failure.EXPIRED
    assert plan(REPLY, WANG, NOW + timedelta(days=300)) == BY_MAIL


def test_a_kind_that_has_no_template_is_not_sent() -> None:
    assert plan(replace(REPLY, kind="horoscope"), WANG, NOW) is Failure.UNDELIVERABLE


def test_what_says_nothing_is_not_sent() -> None:
    assert plan(replace(REPLY, text=None), WANG, NOW) is Failure.UNDELIVERABLE
    assert plan(replace(INVITATION, link=None), WANG, NOW) is Failure.UNDELIVERABLE


def test_a_status_that_a_newer_one_has_overtaken_is_not_sent() -> None:
    assert plan(STATUS, replace(WANG, is_overtaken=True), NOW) is Failure.SUPERSEDED


# --- consent -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "refused"),
    [("ticket_status", "status"), ("survey_invitation", "survey"), ("survey_reminder", "survey")],
)
def test_what_the_customer_does_not_want_is_not_sent(kind: str, refused: str) -> None:
    wished = replace(INVITATION, kind=kind, requested_at=NOW - MINUTE)

    assert plan(wished, WANG, NOW) == BY_MAIL
    assert plan(wished, replace(WANG, consents=replace(Consents(), **{refused: False})), NOW) is Failure.NO_CONSENT


@pytest.mark.parametrize("kind", ["ticket_reply", "acknowledgement"])
def test_what_the_customer_asked_for_by_writing_to_us_needs_no_consent(kind: str) -> None:
    nothing_wanted = replace(WANG, consents=Consents(status=False, survey=False, marketing=False))

    assert plan(replace(REPLY, kind=kind), nothing_wanted, NOW) == BY_MAIL


def test_whoever_wants_no_messages_is_reminded_all_the_same_before_his_silence_closes_his_ticket() -> None:
    reminder = replace(STATUS, kind="ticket_reminder", data={"status": "waiting_customer"}, requested_at=NOW - MINUTE)

    assert plan(reminder, replace(WANG, consents=Consents(status=False, survey=False, marketing=False)), NOW) == BY_MAIL


def test_whether_a_complaint_is_solved_is_asked_also_of_those_who_want_no_surveys() -> None:
    question = replace(INVITATION, data={"form": "S1.1", "purpose": "service"})

    assert plan(question, replace(WANG, consents=Consents(survey=False)), NOW) == BY_MAIL
    assert plan(question, replace(WANG, consents=Consents(status=False)), NOW) is Failure.NO_CONSENT


# --- receipts ------------------------------------------------------------------------------------------------------------------------


def test_a_receipt_waits_to_hear_which_ticket_its_request_joined() -> None:
    assert plan(RECEIPT, replace(WANG, is_placed=False), NOW) == Hold()


@pytest.mark.parametrize("channel", sorted(set(Channel) - {"internal", "listening"}))
def test_a_customer_who_can_be_reached_gets_a_receipt(channel: str) -> None:
    assert is_acknowledged(channel, "customer", leaves_address=False, is_reachable=True)
    assert not is_acknowledged(channel, "customer", leaves_address=False, is_reachable=False)


@pytest.mark.parametrize("channel", ["internal", "listening"])
def test_where_no_customer_wrote_to_us_nobody_gets_a_receipt(channel: str) -> None:
    assert not is_acknowledged(channel, "system", leaves_address=True, is_reachable=True)


def test_whoever_told_our_staff_gets_a_receipt_only_at_the_address_that_he_left() -> None:
    assert is_acknowledged("phone", "agent", leaves_address=True, is_reachable=True)
    assert not is_acknowledged("phone", "agent", leaves_address=False, is_reachable=True)


# --- night ---------------------------------------------------------------------------------------------------------------------------


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 25, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize("kind", ["ticket_reminder", "survey_invitation", "survey_reminder"])
def test_a_text_message_that_can_wait_does_not_ring_at_night(kind: str) -> None:
    by_phone = replace(WANG, channels=("sms",))
    wished = replace(INVITATION, kind=kind, requested_at=at(20))

    assert plan(wished, by_phone, at(20, 59)) == Send("sms", PHONE.written, f"sms:{PHONE.value}")
    assert plan(wished, by_phone, at(21)) == Postpone(at(9) + timedelta(days=1))
    assert plan(replace(wished, requested_at=at(3)), by_phone, at(8, 59)) == Postpone(at(9))
    assert plan(replace(wished, requested_at=at(3)), by_phone, at(9)) == Send("sms", PHONE.written, f"sms:{PHONE.value}")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_mail_may_arrive_at_night(kind: str) -> None:
    assert quiet_until(KINDS[kind], "email", at(2), SHANGHAI) is None


@pytest.mark.parametrize("kind", ["ticket_reply", "ticket_status", "acknowledgement"])
def test_what_the_customer_waits_for_may_arrive_at_night(kind: str) -> None:
    assert quiet_until(KINDS[kind], "sms", at(2), SHANGHAI) is None


@given(st.timedeltas(timedelta(), timedelta(days=730)), st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York"]))
def test_the_night_ends_at_nine_and_within_half_a_day_also_when_the_clocks_change(after: timedelta, name: str) -> None:
    zone, now = ZoneInfo(name), NOW + after

    morning = quiet_until(KINDS["survey_reminder"], "sms", now, zone)

    if morning is None:
        assert 9 <= now.astimezone(zone).hour < 21
    else:
        assert now < morning <= now + timedelta(hours=13)
        assert (morning.astimezone(zone).hour, morning.astimezone(zone).minute) == (9, 0)


# --- retries -------------------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_attempts_grow_apart_but_not_beyond_an_hour(attempts: int, share: float) -> None:
    at = retry_at(attempts, NOW, NOW, share)
    following = retry_at(attempts + 1, NOW, NOW, share)

    assert at is not None
    assert following is not None
    assert NOW < at <= following <= NOW + LONGEST_DELAY


def test_it_is_tried_for_a_day_and_then_given_up() -> None:
    attempts, now, moments = 1, NOW, []
    while (at := retry_at(attempts, NOW, now)) is not None:
        moments.append(at)
        attempts, now = attempts + 1, at

    assert 25 < len(moments) < 40
    assert GIVE_UP_AFTER - LONGEST_DELAY < moments[-1] - NOW <= GIVE_UP_AFTER


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    found = [retry_at(3, NOW, NOW, spread(UUID(int=n), 3)) for n in range(100)]
    returns = {moment for moment in found if moment is not None}

    assert len(returns) > 90
    assert min(returns) < NOW + timedelta(seconds=75)
    assert max(returns) > NOW + timedelta(seconds=105)
    assert all(NOW + timedelta(seconds=60) <= moment <= NOW + timedelta(seconds=120) for moment in returns)


@given(st.uuids(), st.integers(0, 1000))
def test_the_spread_of_an_attempt_is_the_same_whoever_asks(event_id: UUID, attempts: int) -> None:
    assert 0 <= spread(event_id, attempts) < 1
    assert spread(event_id, attempts) == spread(event_id, attempts)


# --- whose budget --------------------------------------------------------------------------------------------------------------------


def test_addresses_that_end_in_one_box_share_a_budget() -> None:
    assert budget_key("email", "wang+shop@example.com") == budget_key("email", "wang@example.com")
    assert budget_key("email", "wang@example.com") != budget_key("email", "li@example.com")
    assert budget_key("sms", "+8613800138000") != budget_key("sms", "+8613800138001")


# --- the page --------------------------------------------------------------------------------------------------------------------------


def test_the_page_about_intake_names_every_kind_with_its_rules() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (\w*) ?\| (yes|no) \|[^|]*\| (\d+) \|$", README.read_text(), re.MULTILINE)

    assert {name: (consent or None, is_automatic == "yes", int(rank)) for name, consent, is_automatic, rank in rows} == {
        kind.name: (kind.purpose, kind.is_automatic, kind.rank) for kind in KINDS.values()
    }


@pytest.mark.parametrize("failure", sorted(Failure))
def test_the_page_about_intake_names_every_way_to_fail(failure: Failure) -> None:
    assert re.search(rf"failed: .*\b{failure}\b", README.read_text())
