"""When a message to a customer is sent, tried again, given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.sending import (
    GIVE_UP_AFTER,
    LIMITS,
    LONGEST_DELAY,
    Failure,
    Notification,
    Postpone,
    Send,
    next_free,
    plan,
    retry_at,
)

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
INVITATION = Notification(UUID(int=1), UUID(int=2), UUID(int=3), "survey_invitation", "en", NOW, "AS-1", link="https://example.com/s/x")
REPLY = replace(INVITATION, kind="ticket_reply", text="done")
ADDRESS = "wang@example.com"
MINUTE = timedelta(minutes=1)


def test_a_message_is_sent_to_the_customer_s_address() -> None:
    assert plan(REPLY, ADDRESS, (), NOW) == Send(ADDRESS)


def test_a_customer_without_an_address_cannot_be_written_to() -> None:
    assert plan(REPLY, None, (), NOW) is Failure.NO_ADDRESS


def test_an_invitation_that_has_expired_is_not_sent() -> None:
    assert plan(replace(INVITATION, expires_at=NOW), ADDRESS, (), NOW) is Failure.EXPIRED
    assert plan(replace(INVITATION, expires_at=NOW + MINUTE), ADDRESS, (), NOW) == Send(ADDRESS)


def test_a_kind_that_has_no_template_is_not_sent() -> None:
    assert plan(replace(REPLY, kind="horoscope"), ADDRESS, (), NOW) is Failure.UNDELIVERABLE


def test_a_fourth_automatic_message_within_an_hour_waits_for_the_first_to_be_an_hour_old() -> None:
    sent = [NOW - 50 * MINUTE, NOW - 30 * MINUTE, NOW - 10 * MINUTE]

    assert plan(INVITATION, ADDRESS, sent, NOW) == Postpone(NOW + 10 * MINUTE)
    assert plan(INVITATION, ADDRESS, sent[1:], NOW) == Send(ADDRESS)


def test_an_eleventh_automatic_message_within_a_day_waits() -> None:
    sent = [NOW - timedelta(hours=2 * n) for n in range(1, 11)]

    assert plan(INVITATION, ADDRESS, sent, NOW) == Postpone(NOW + timedelta(hours=4))


def test_an_answer_of_our_staff_does_not_wait() -> None:
    assert plan(REPLY, ADDRESS, [NOW] * 20, NOW) == Send(ADDRESS)


@given(st.lists(st.timedeltas(timedelta(), timedelta(days=2)), max_size=40))
def test_whoever_waits_until_he_is_told_keeps_every_limit(ages: list[timedelta]) -> None:
    sent = [NOW - age for age in ages]

    at = next_free(sent, NOW)

    assert at >= NOW
    for count, span in LIMITS:
        assert len([moment for moment in sent if moment > at - span and moment > NOW - span]) < count


@given(st.integers(1, 10_000))
def test_attempts_grow_apart_but_not_beyond_an_hour(attempts: int) -> None:
    at = retry_at(attempts, NOW, NOW)
    following = retry_at(attempts + 1, NOW, NOW)

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
