"""No address gets more than 3 automatic messages an hour or 10 a day, whatever is asked for, and status goes before surveys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.sending import AUTOMATIC, KINDS, LIMITS, REMEMBERED, Failure, Notification, Plan, Postpone, Send, allot, next_free

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
WANG, LI = Send("email", "wang@example.com", "email:wang@example.com"), Send("email", "li@example.com", "email:li@example.com")
MINUTE = timedelta(minutes=1)


def asked(n: int, kind: str = "survey_invitation", at: datetime = NOW) -> Notification:
    return Notification(UUID(int=n), UUID(int=1000 + n), UUID(int=1), kind, "en", at, "AS-1")


def draft(notification: Notification, to: Plan, now: datetime) -> Plan:
    return Failure.EXPIRED if notification.useless_from is not None and notification.useless_from <= now else to


def keeps_limits(sent: Sequence[datetime]) -> bool:
    ordered = sorted(sent)
    return all(ordered[index + count] - ordered[index] >= span for count, span in LIMITS for index in range(len(ordered) - count))


def test_a_fourth_automatic_message_within_an_hour_waits_for_the_first_to_be_an_hour_old() -> None:
    used = {WANG.budget_key: [NOW - 50 * MINUTE, NOW - 30 * MINUTE, NOW - 10 * MINUTE]}

    plans, uses = allot([(asked(1), WANG)], used, NOW)

    assert (plans, uses) == ([(asked(1), Postpone(NOW + 10 * MINUTE))], [])


def test_an_eleventh_automatic_message_within_a_day_waits() -> None:
    used = {WANG.budget_key: [NOW - timedelta(hours=2 * n) for n in range(1, 11)]}

    assert allot([(asked(1), WANG)], used, NOW)[0] == [(asked(1), Postpone(NOW + timedelta(hours=4)))]


def test_an_answer_of_our_staff_does_not_wait_and_does_not_count() -> None:
    reply = asked(1, "ticket_reply")

    assert allot([(reply, WANG)], {WANG.budget_key: [NOW] * 20}, NOW) == ([(reply, WANG)], [])


def test_an_address_s_budget_is_nobody_else_s() -> None:
    plans, _ = allot([(asked(1), WANG), (asked(2), LI)], {WANG.budget_key: [NOW] * 3}, NOW)

    assert dict(plans)[asked(2)] == LI


def test_the_last_place_of_an_hour_goes_to_the_status_and_not_to_the_survey_that_waited_longer() -> None:
    survey, status = asked(1, "survey_reminder", NOW - timedelta(hours=5)), asked(2, "ticket_status")

    plans, uses = allot([(survey, WANG), (status, WANG)], {WANG.budget_key: [NOW - MINUTE] * 2}, NOW)

    assert dict(plans) == {status: WANG, survey: Postpone(NOW + 59 * MINUTE)}
    assert [use.event_id for use in uses] == [status.event_id]


def test_whoever_waits_in_vain_is_told_when_it_is_in_vain() -> None:
    soon_useless = replace(asked(1), expires_at=NOW + 5 * MINUTE)

    assert allot([(soon_useless, WANG)], {WANG.budget_key: [NOW] * 3}, NOW)[0] == [(soon_useless, Postpone(NOW + 5 * MINUTE))]


def test_what_is_not_to_be_sent_costs_nothing() -> None:
    drafts: list[tuple[Notification, Plan]] = [(asked(1), Failure.NO_CONSENT), (asked(2), Postpone(NOW + MINUTE))]

    assert allot(drafts, {}, NOW) == (drafts, [])


@given(st.lists(st.timedeltas(timedelta(), timedelta(days=2)), max_size=40))
def test_whoever_waits_until_he_is_told_keeps_every_limit(ages: list[timedelta]) -> None:
    sent = [NOW - age for age in ages]

    at = next_free(sent, NOW)

    assert at >= NOW
    for count, span in LIMITS:
        assert len([moment for moment in sent if moment > at - span]) < count


@given(st.lists(st.timedeltas(timedelta(), timedelta(days=2)), max_size=40))
def test_nobody_waits_longer_than_he_must(ages: list[timedelta]) -> None:
    sent = [NOW - age for age in ages]

    at = next_free(sent, NOW)

    if at > NOW:
        earlier = at - timedelta(microseconds=1)
        assert any(len([moment for moment in sent if moment > earlier - span]) >= count for count, span in LIMITS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.timedeltas(timedelta(), timedelta(hours=8)), st.sampled_from(sorted(KINDS)), st.booleans()), min_size=1, max_size=60
    )
)
def test_a_whole_day_of_rounds_keeps_the_limits_of_every_address(arrivals: list[tuple[timedelta, str, bool]]) -> None:
    """Round after round: what is asked for comes in, what is due is allotted, what waits comes back when it was told to."""
    due = {n: (NOW + after, asked(n, kind, NOW + after), WANG if to_wang else LI) for n, (after, kind, to_wang) in enumerate(arrivals)}
    sent: dict[str, list[datetime]] = {WANG.budget_key: [], LI.budget_key: []}
    moment, expired = NOW, 0
    while due and moment < NOW + timedelta(days=12):
        moment = max(moment, min(at for at, _, _ in due.values()))
        drafts = [(n, draft(n, to, moment)) for at, n, to in due.values() if at <= moment]
        plans, uses = allot(drafts, {key: [at for at in times if at > moment - REMEMBERED] for key, times in sent.items()}, moment)
        for use in uses:
            sent[use.key].append(moment)
        for notification, found in plans:
            n = notification.event_id.int
            if isinstance(found, Postpone):
                assert found.until > moment
                due[n] = (found.until, notification, due[n][2])
            else:
                del due[n]
                expired += found is Failure.EXPIRED
        moment += timedelta(seconds=30)

    assert all(keeps_limits(times) for times in sent.values())
    assert sum(map(len, sent.values())) + expired == sum(kind in AUTOMATIC for _, kind, _ in arrivals)


@given(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 300)), max_size=30), st.integers(0, 3))
def test_in_one_round_nobody_overtakes_a_more_important_one(wishes: list[tuple[str, int]], already: int) -> None:
    drafts = [(asked(n, kind, NOW - timedelta(seconds=age)), WANG) for n, (kind, age) in enumerate(wishes)]

    plans, _ = allot(drafts, {WANG.budget_key: [NOW - MINUTE] * already}, NOW)

    automatic = [(KINDS[n.kind].rank, isinstance(found, Send)) for n, found in plans if n.is_automatic]
    for (rank, is_sent), (next_rank, next_is_sent) in pairwise(automatic):
        assert rank <= next_rank
        assert is_sent or not next_is_sent
