"""Whom a survey reaches: consent and wish, throttle over all types, sample. Laws over whatever comes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.survey import invitations
from services.feedback.survey.forms import FormType
from services.feedback.survey.invitations import Invitation, State
from services.feedback.survey.rules import Rules, Stratum
from services.feedback.survey.selection import Reason, Standing, refusal, select
from tests.feedback.builders import AT_ONCE, CUSTOMER, MOMENT, S1_1, T1_2, T2_1, dimensions, scheduled

pytestmark = pytest.mark.pure

SURVEYS = (FormType.TRANSACTIONAL, FormType.RELATIONSHIP, FormType.PULSE)
days = st.integers(0, 400)
asked = st.dictionaries(st.sampled_from(SURVEYS), days)


def survey(form: str = T1_2.code, **changes: Any) -> Invitation:
    return replace(scheduled(**{"ticket_number": f"AS-{uuid4().hex[:9]}", **changes}), form=form)


def standing(last: dict[FormType, int], **changes: Any) -> Standing:
    """A person whose last surveys were so many days ago."""
    return Standing(asked={type_: MOMENT - timedelta(days=ago) for type_, ago in last.items()}, **changes)


def choose(due: Sequence[Invitation], rules: Rules = AT_ONCE, **persons: Standing) -> list[Invitation]:
    return select(
        due,
        {invitation.customer_id: invitation.customer_id for invitation in due},
        {UUID(p): s for p, s in persons.items()},
        rules,
        at=MOMENT,
    )


@given(asked, st.booleans(), st.booleans())
def test_nobody_who_does_not_want_it_is_asked(last: dict[FormType, int], consents: bool, opted_out: bool) -> None:
    reason = refusal(survey(), standing(last, consents=consents, opted_out=opted_out), AT_ONCE, at=MOMENT)

    assert (reason in (Reason.NO_CONSENT, Reason.OPTED_OUT)) == (not consents or opted_out)


@given(asked)
def test_after_any_survey_a_person_has_thirty_days_of_quiet_whatever_the_type(last: dict[FormType, int]) -> None:
    reason = refusal(survey(), standing(last), AT_ONCE, at=MOMENT)

    assert (reason is Reason.FREQUENCY) == any(ago < 30 for ago in last.values())


@given(asked)
def test_relationship_surveys_are_half_a_year_apart(last: dict[FormType, int]) -> None:
    reason = refusal(survey(T2_1.code), standing(last), AT_ONCE, at=MOMENT)

    expected = any(ago < 30 for ago in last.values()) or last.get(FormType.RELATIONSHIP, 400) < 180
    assert (reason is Reason.FREQUENCY) == expected


def test_a_survey_on_day_zero_leaves_no_relationship_survey_before_its_quarantine_ends() -> None:
    for ago, reason in ((0, Reason.FREQUENCY), (29, Reason.FREQUENCY), (30, None)):
        assert refusal(survey(T2_1.code), standing({FormType.TRANSACTIONAL: ago}), AT_ONCE, at=MOMENT) is reason


def test_the_one_question_after_a_complaint_neither_waits_nor_makes_wait() -> None:
    assert refusal(survey(S1_1.code), standing({FormType.TRANSACTIONAL: 0}), AT_ONCE, at=MOMENT) is None
    assert refusal(survey(), Standing(asked={FormType.SOLVED: MOMENT}), AT_ONCE, at=MOMENT) is None


@given(st.lists(st.sampled_from([1, 2, 3]), max_size=12))
def test_of_one_person_one_is_asked_however_many_come_at_once(persons: list[int]) -> None:
    due = [survey(customer_id=UUID(int=person)) for person in persons]

    decided = choose(due)

    sent = [invitation.customer_id for invitation in decided if invitation.state(MOMENT) is State.OPEN]
    assert sorted(sent) == sorted({UUID(int=person) for person in persons})
    assert all(invitation.reason == Reason.FREQUENCY for invitation in decided if invitation.state(MOMENT) is State.THROTTLED)
    assert len(decided) == len(due)


def test_files_that_were_merged_are_one_person() -> None:
    one, other, person = uuid4(), uuid4(), uuid4()
    due = [survey(customer_id=one), survey(customer_id=other)]

    decided = select(due, {one: person, other: person}, {}, AT_ONCE, at=MOMENT)

    assert sorted(invitation.state(MOMENT) for invitation in decided) == [State.OPEN, State.THROTTLED]


@given(st.permutations(range(6)))
def test_the_choice_does_not_depend_on_the_order_in_which_they_are_given(order: list[int]) -> None:
    due = [survey(ticket_number=f"AS-{place}", occurred_at=MOMENT - timedelta(minutes=place)) for place in range(6)]

    assert choose([due[place] for place in order]) == choose(due)


def test_the_one_who_waited_longest_comes_first() -> None:
    late, early = survey(occurred_at=MOMENT), survey(occurred_at=MOMENT - timedelta(hours=1))

    assert [invitation.id for invitation in choose([late, early]) if invitation.invited_at] == [early.id]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_a_sample_asks_its_share_and_keeps_the_probability(share: float) -> None:
    rules = replace(AT_ONCE, strata=(Stratum(share),))
    due = [survey(ticket_number=f"AS-{place}", customer_id=UUID(int=place)) for place in range(2_000)]

    decided = choose(due, rules)

    sent = [invitation for invitation in decided if invitation.state(MOMENT) is State.OPEN]
    # five standard deviations of the lot
    assert abs(len(sent) - 2_000 * share) <= 5 * (2_000 * share * (1 - share)) ** 0.5
    assert {invitation.inclusion for invitation in decided} == {share}
    assert {invitation.reason for invitation in decided if invitation not in sent} <= {Reason.NOT_SAMPLED}


def test_the_lot_of_a_resolution_falls_the_same_whenever_it_is_drawn() -> None:
    rules = replace(AT_ONCE, strata=(Stratum(0.5),))
    due = [survey(ticket_number=f"AS-{place}", customer_id=UUID(int=place)) for place in range(100)]

    assert choose(due, rules) == choose(due, rules)


def test_a_larger_share_asks_everybody_that_a_smaller_one_asked() -> None:
    due = [survey(ticket_number=f"AS-{place}", customer_id=UUID(int=place)) for place in range(200)]
    few, many = (
        {invitation.id for invitation in choose(due, replace(AT_ONCE, strata=(Stratum(share),))) if invitation.invited_at}
        for share in (0.3, 0.6)
    )

    assert few < many


@given(st.sampled_from(["vip", "standard"]), st.sampled_from(["repair", "enquiry"]), st.sampled_from(["email", "chat"]))
def test_the_most_precise_stratum_counts(tier: str, type_: str, channel: str) -> None:
    strata = (Stratum(0.1), Stratum(0.2, channel="email"), Stratum(0.3, type="repair", channel="email"), Stratum(1.0, tier="vip"))
    share = replace(AT_ONCE, strata=strata).share(dimensions(tier=tier, type=type_, channel=channel))

    by_mail = {"repair": 0.3, "enquiry": 1.0 if tier == "vip" else 0.2}[type_]
    # of equally precise ones the first that is listed counts
    expected = by_mail if type_ == "repair" and channel == "email" else (0.2 if channel == "email" else (1.0 if tier == "vip" else 0.1))
    assert share == expected


def test_without_strata_everybody_is_asked() -> None:
    assert AT_ONCE.share(dimensions()) == 1.0
    assert [invitation.inclusion for invitation in choose([survey(customer_id=CUSTOMER)])] == [1.0]


def test_what_was_throttled_is_never_taken_up_again() -> None:
    decided = choose([survey(), survey()])

    assert [invitation for invitation in decided if invitation.throttled_at] != []
    assert invitations.due({invitation.id: invitation for invitation in decided}, at=MOMENT + timedelta(days=400)) == []
