"""What holds of every invitation, whatever happens to its ticket and whenever the customer answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.survey import invitations
from services.feedback.survey.invitations import (
    AlreadyAnswered,
    Invitation,
    NotSent,
    Purpose,
    State,
    SurveyEnded,
    follow,
    invitation_id,
    service_question,
)
from services.feedback.survey.rules import Rules, usual
from shared.events.codes import Locale
from shared.events.tickets import TicketMerged, TicketReopened, TicketResolved
from tests.feedback.builders import AT_ONCE, MOMENT, S1_1, T1_2, dimensions, merged, open_invitation, reopened, resolved, scheduled

pytestmark = pytest.mark.pure

LATER = usual(timedelta(hours=24))
FORTNIGHT = timedelta(days=14)
OVER = (State.ANSWERED, State.CANCELLED, State.EXPIRED, State.THROTTLED)
ONE = invitation_id(resolved().ticket_number, 1)

Facts = Sequence[TicketResolved | TicketReopened | TicketMerged]

actions = st.lists(st.tuples(st.sampled_from(["send", "throttle", "remind", "cancel", "answer"]), st.integers(0, 600)), max_size=12)
logs = st.lists(st.sampled_from(["AS-1", "AS-2"]), max_size=12).map(lambda numbers: _log(numbers))
"""What two tickets tell, each in its own order: resolved, reopened, resolved again, ..."""


def _act(invitation: Invitation, name: str, hours: int) -> Invitation:
    at = MOMENT + timedelta(hours=hours)
    try:
        match name:
            case "send":
                return invitations.send(invitation, at=at, lifetime=FORTNIGHT)
            case "throttle":
                return invitations.throttle(invitation, at=at, reason="frequency")
            case "remind":
                return invitations.remind(invitation, at=at)
            case "cancel":
                return invitations.cancel(invitation, at=at)
            case _:
                return invitations.answer(invitation, at=at)
    except (NotSent, AlreadyAnswered, SurveyEnded):
        return invitation


def _follow(known: dict[UUID, Invitation], batch: Facts, rules: Rules) -> dict[UUID, Invitation]:
    """A batch that comes in; whom it spares is told elsewhere, so here everybody is asked whose time has come."""
    after = follow(known, batch, form=T1_2.code, locale_of=lambda _: Locale.EN, rules=rules, at=MOMENT)
    due = invitations.due(after, at=MOMENT)
    return after | {invitation.id: invitations.send(invitation, at=MOMENT, lifetime=FORTNIGHT) for invitation in due}


def _log(numbers: Sequence[str]) -> list[TicketResolved | TicketReopened]:
    told = [numbers[:place].count(number) for place, number in enumerate(numbers)]
    build = (resolved, reopened)
    return [
        build[before % 2](ticket_number=number, episode=before // 2 + 1, occurred_at=MOMENT)
        for number, before in zip(numbers, told, strict=True)
    ]


@given(actions)
def test_what_is_over_stays_over(steps: list[tuple[str, int]]) -> None:
    invitation, hours = scheduled(), 0
    for name, wait in steps:
        before = invitation.state(MOMENT + timedelta(hours=hours))
        hours += wait
        invitation = _act(invitation, name, hours)
        after = invitation.state(MOMENT + timedelta(hours=hours))

        assert before not in OVER or after is before
        assert invitation.answered_at is None or invitation.cancelled_at is None
        assert invitation.throttled_at is None or invitation.invited_at is None
        assert (invitation.invited_at is None) == (invitation.expires_at is None)


@given(actions)
def test_only_an_open_survey_takes_an_answer_and_only_one(steps: list[tuple[str, int]]) -> None:
    invitation, hours, answers = scheduled(), 0, 0
    for name, wait in steps:
        hours += wait
        state = invitation.state(MOMENT + timedelta(hours=hours))
        changed = _act(invitation, name, hours)
        if name == "answer" and changed is not invitation:
            answers += 1
            assert state is State.OPEN
        invitation = changed

    assert answers <= 1
    assert (answers == 1) == (invitation.answered_at is not None)


@given(logs, st.integers(0, 12), st.sampled_from([AT_ONCE, LATER]))
def test_facts_that_come_again_change_nothing(log: list[TicketResolved | TicketReopened], back: int, rules: Rules) -> None:
    once = _follow({}, log, rules)

    assert _follow(once, log[back:], rules) == once
    assert _follow(once, log, rules) == once


@given(logs, st.integers(0, 12))
def test_where_a_batch_is_cut_decides_only_whether_a_void_survey_was_sent(log: list[TicketResolved | TicketReopened], cut: int) -> None:
    whole = _follow({}, log, AT_ONCE)
    halves = _follow(_follow({}, log[:cut], AT_ONCE), log[cut:], AT_ONCE)

    assert {key: invitation.state(MOMENT) for key, invitation in whole.items()} == {
        key: invitation.state(MOMENT) for key, invitation in halves.items()
    }


@given(logs)
def test_each_resolution_has_one_invitation_and_only_the_last_may_be_open(log: list[TicketResolved | TicketReopened]) -> None:
    after = _follow({}, log, AT_ONCE)

    resolutions = {(invitation.ticket_number, invitation.episode): invitation for invitation in after.values()}
    assert set(resolutions) == {(fact.ticket_number, fact.episode) for fact in log if isinstance(fact, TicketResolved)}
    assert len(after) == len(resolutions)
    for number in {number for number, _ in resolutions}:
        states = [resolutions[key].state(MOMENT) for key in sorted(resolutions) if key[0] == number]
        assert set(states[:-1]) <= {State.CANCELLED}


def test_a_resolution_asks_the_customer_at_once() -> None:
    invitation = _follow({}, [resolved()], AT_ONCE)[ONE]

    assert invitation.state(MOMENT) is State.OPEN
    assert invitation.expires_at == MOMENT + timedelta(days=14)


def test_with_a_delay_the_survey_waits_and_a_chat_does_not() -> None:
    by_mail = _follow({}, [resolved()], LATER)[ONE]
    by_chat = _follow({}, [resolved(dimensions=dimensions(channel="chat"))], LATER)[ONE]

    assert by_mail.state(MOMENT) is State.SCHEDULED
    assert by_mail.send_at == MOMENT + timedelta(hours=24)
    assert by_chat.state(MOMENT) is State.OPEN


def test_a_reopening_cancels_only_the_survey_of_its_own_resolution() -> None:
    after = _follow({}, [resolved(), reopened(), resolved(episode=2)], AT_ONCE)

    states = [after[invitation_id(resolved().ticket_number, episode)].state(MOMENT) for episode in (1, 2)]
    assert states == [State.CANCELLED, State.OPEN]


def test_a_survey_reopened_in_the_same_batch_was_never_sent() -> None:
    invitation = _follow({}, [resolved(), reopened()], AT_ONCE)[ONE]

    assert invitation.invited_at is None
    assert invitation.state(MOMENT) is State.CANCELLED


def test_a_ticket_that_was_merged_into_another_is_not_asked_about_any_more() -> None:
    after = _follow({}, [resolved(), merged()], AT_ONCE)
    later = _follow(_follow({}, [resolved()], AT_ONCE), [merged()], AT_ONCE)

    assert after[ONE].state(MOMENT) is State.CANCELLED
    assert after[ONE].invited_at is None
    assert later[ONE].state(MOMENT) is State.CANCELLED


def test_a_reopening_cancels_the_question_after_a_complaint_too() -> None:
    complaint = invitations.throttle(scheduled(dimensions=dimensions(type="complaint")), at=MOMENT, reason="frequency")
    question = service_question(complaint, form=S1_1.code, at=MOMENT, lifetime=FORTNIGHT)

    after = _follow({complaint.id: complaint, question.id: question}, [reopened()], AT_ONCE)

    assert (question.purpose, question.state(MOMENT), question.reason) == (Purpose.SERVICE, State.OPEN, None)
    assert [after[found.id].state(MOMENT) for found in (complaint, question)] == [State.THROTTLED, State.CANCELLED]


@pytest.mark.parametrize(
    ("channel", "days"), [("email", 14), ("chat", 1), ("bot", 1), ("web", 7), ("app", 7), ("phone", 7), ("fax of the future", 7)]
)
def test_how_long_a_survey_may_be_answered_depends_on_the_channel(channel: str, days: int) -> None:
    assert AT_ONCE.lifetime.of(channel) == timedelta(days=days)


def test_a_reminder_comes_once_after_three_days_and_only_while_it_helps() -> None:
    by_mail, by_chat = open_invitation(), open_invitation(dimensions=dimensions(channel="chat"))
    at = MOMENT + timedelta(days=3)

    assert invitations.reminder_at(by_mail, AT_ONCE) == at
    assert invitations.reminder_at(by_chat, AT_ONCE) is None
    assert invitations.reminder_at(by_mail, replace(AT_ONCE, reminder_after=None)) is None
    once = invitations.remind(by_mail, at=at)
    assert once.reminded_at == at
    assert invitations.remind(once, at=at + timedelta(days=1)) == once


def test_a_reopening_after_the_answer_leaves_the_answer() -> None:
    answered = invitations.answer(open_invitation(), at=MOMENT)

    assert _follow({answered.id: answered}, [reopened()], AT_ONCE)[answered.id] == answered


def test_the_dimensions_are_those_of_the_resolution() -> None:
    first = _follow({}, [resolved(dimensions=dimensions(agent="agent-1"))], AT_ONCE)
    again = _follow(first, [resolved(dimensions=dimensions(agent="agent-2"))], AT_ONCE)

    assert again[ONE].dimensions.agent == "agent-1"


def test_an_old_log_that_is_read_again_asks_nobody() -> None:
    assert _follow({}, [resolved(occurred_at=MOMENT - timedelta(days=14))], AT_ONCE) == {}
    assert len(_follow({}, [resolved(occurred_at=MOMENT - timedelta(days=14) + timedelta(seconds=1))], AT_ONCE)) == 1


def test_the_last_instant_is_too_late() -> None:
    invitation = open_invitation()

    assert invitations.answer(invitation, at=MOMENT + timedelta(days=14, microseconds=-1)).answered_at is not None
    with pytest.raises(SurveyEnded) as ended:
        invitations.answer(invitation, at=MOMENT + timedelta(days=14))
    assert ended.value.facts["reason"] == "expired"


def test_a_cancelled_survey_says_that_the_request_was_taken_up_again() -> None:
    with pytest.raises(SurveyEnded) as ended:
        invitations.answer(invitations.cancel(open_invitation(), at=MOMENT), at=MOMENT)

    assert ended.value.facts["reason"] == "cancelled"
    assert "taken up again" in ended.value.detail
