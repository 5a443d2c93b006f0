"""Each key figure as it is defined: what counts, when, for whom. Stories of single tickets, folded without a database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from services.metrics.buckets import bucket_of, microseconds
from services.metrics.projection import fold, observed
from shared.events import feedback, intake
from shared.events.envelope import Event
from tests.metrics.builders import (
    CUSTOMER,
    DAY,
    HOUR,
    MINUTE,
    START,
    Story,
    anonymous_answer,
    answer,
    invited,
    numbered,
    request,
    survey_cancelled,
    uuid,
)
from tests.metrics.counting import by_quarter

pytestmark = pytest.mark.pure


def counted(kpi: str, events: Iterable[Event], dimension: str = "total", value: str = "") -> dict[str, list[datetime]]:
    """When a figure counts, by measure; the beginnings of quarter hours."""
    rows = by_quarter(fold({}, observed(numbered(events))).cells)
    found: dict[str, list[datetime]] = {}
    for key, n in rows.items():
        if (key.kpi, key.dimension, key.value) == (kpi, dimension, value):
            found.setdefault(key.measure, []).extend([_start(key.bucket)] * n)
    return found


def _start(bucket: int) -> datetime:
    return datetime.fromtimestamp(bucket * 900, UTC)


def at(instant: datetime) -> datetime:
    """The quarter hour of an instant."""
    return _start(bucket_of(microseconds(instant)))


def values_of(kpi: str, events: Iterable[Event], dimension: str) -> set[str]:
    """Under which values of a dimension a figure counts."""
    rows = by_quarter(fold({}, observed(numbered(events))).cells)
    return {key.value for key in rows if (key.kpi, key.dimension) == (kpi, dimension)}


# ------------------------------------------------------------------ counts


def test_a_request_counts_when_it_happened_not_when_it_came_in() -> None:
    late = request(1, occurred_at=START, received_at=START + HOUR)

    assert counted("requests", [late]) == {"count": [at(START)]}


def test_a_request_that_is_told_twice_counts_once() -> None:
    assert counted("requests", [request(1), request(2), request(1)]) == {"count": [at(START)] * 2}


def test_a_ticket_counts_as_opened_when_its_request_came_in() -> None:
    assert counted("tickets_opened", Story(at=START + 7 * MINUTE).events) == {"count": [at(START)]}


def test_resolve_reopen_resolve_is_one_ticket_and_two_resolutions() -> None:
    story = Story().later(HOUR).resolved().later(DAY).reopened().later(HOUR).resolved()

    assert counted("tickets_opened", story.events) == {"count": [at(START)]}
    assert counted("tickets_resolved", story.events) == {"count": [at(START + HOUR), at(START + DAY + 2 * HOUR)]}


def test_a_merged_ticket_counts_nowhere_until_the_merge_is_undone() -> None:
    story = Story().later(HOUR).replied().later(HOUR).merged()
    figures = ("tickets_opened", "sla_first_response", "resolution_rate")

    assert [counted(kpi, story.events) for kpi in figures] == [{}, {}, {}]
    assert counted("tickets_opened", story.unmerged().events) == {"count": [at(START)]}


def test_what_colleagues_do_among_themselves_counts_nowhere() -> None:
    story = Story(dims={"channel": "internal", "priority": "normal"}).later(HOUR).replied().resolved()

    assert by_quarter(fold({}, observed(numbered([*story.events, request(1, channel="internal")]))).cells) == {}


# ------------------------------------------------------------------ first responses in time


def test_a_first_response_counts_once_when_it_is_given_in_time() -> None:
    story = Story().later(2 * HOUR).replied().later(HOUR).replied().resolved()

    assert counted("sla_first_response", story.events) == {"denominator": [at(START + 2 * HOUR)], "numerator": [at(START + 2 * HOUR)]}


def test_a_first_response_that_is_not_due_yet_does_not_count() -> None:
    assert counted("sla_first_response", Story().later(HOUR).assigned("agent-1").events) == {}


def test_a_missed_first_response_counts_at_its_due_time_also_when_it_is_given_later() -> None:
    missed = Story().later(5 * HOUR).breached("first_response")

    assert counted("sla_first_response", missed.events) == {"denominator": [at(START + 4 * HOUR)]}
    assert counted("sla_first_response", missed.later(DAY).replied().events) == {"denominator": [at(START + 4 * HOUR)]}


def test_a_late_first_response_counts_as_missed_even_if_no_timer_told() -> None:
    assert counted("sla_first_response", Story().later(5 * HOUR).replied().events) == {"denominator": [at(START + 4 * HOUR)]}


def test_created_in_may_due_and_met_in_june_counts_once_in_june() -> None:
    may = datetime(2026, 5, 31, 23, tzinfo=UTC)
    story = Story(at=may).later(2 * HOUR).replied()

    assert counted("sla_first_response", story.events) == {
        "denominator": [datetime(2026, 6, 1, 1, tzinfo=UTC)],
        "numerator": [datetime(2026, 6, 1, 1, tzinfo=UTC)],
    }


def test_met_in_may_and_due_in_june_counts_once_in_may() -> None:
    story = Story(at=datetime(2026, 5, 31, 22, tzinfo=UTC)).later(HOUR).replied()

    assert counted("sla_first_response", story.events)["denominator"] == [datetime(2026, 5, 31, 23, tzinfo=UTC)]


def test_the_targets_of_a_cancelled_ticket_do_not_count() -> None:
    assert counted("sla_first_response", Story().later(HOUR).replied().later(HOUR).cancelled().events) == {}


def test_the_highest_policy_version_decides() -> None:
    stricter = Story().later(HOUR).retargeted("first_response", 2 * HOUR, policy_version=2).later(2 * HOUR).replied()

    assert counted("sla_first_response", stricter.events) == {"denominator": [at(START + 2 * HOUR)]}


def test_a_later_promise_takes_a_breach_back_once_it_is_kept() -> None:
    story = Story().later(5 * HOUR).breached("first_response").retargeted("first_response", 8 * HOUR, policy_version=2)

    assert counted("sla_first_response", story.events) == {"denominator": [at(START + 8 * HOUR)]}
    kept = story.later(HOUR).replied()
    assert counted("sla_first_response", kept.events) == {"denominator": [at(START + 6 * HOUR)], "numerator": [at(START + 6 * HOUR)]}


def test_a_first_response_is_credited_to_who_held_the_ticket_then() -> None:
    story = Story().assigned("agent-1").later(HOUR).replied().later(HOUR).assigned("agent-2", team="returns").resolved()

    assert values_of("sla_first_response", story.events, "agent") == {"agent-1"}
    assert values_of("sla_first_response", story.events, "team") == {"repairs"}
    assert values_of("tickets_resolved", story.events, "agent") == {"agent-2"}
    assert values_of("tickets_opened", story.events, "agent") == {""}


# ------------------------------------------------------------------ resolutions that hold


def test_a_ticket_is_solved_when_its_resolution_is_given_in_time() -> None:
    story = Story().later(DAY).resolved()

    assert counted("resolution_rate", story.events) == {"denominator": [at(START + DAY)], "numerator": [at(START + DAY)]}


def test_a_ticket_that_is_resolved_after_it_was_due_counts_as_solved_in_the_period_in_which_it_was_due() -> None:
    story = Story().later(4 * DAY).breached("resolution").later(DAY).resolved()

    assert counted("resolution_rate", story.events) == {"denominator": [at(START + 3 * DAY)], "numerator": [at(START + 3 * DAY)]}


def test_a_reopening_takes_the_ticket_out_of_the_numerator_and_the_next_resolution_puts_it_in_again() -> None:
    story = Story().later(HOUR).resolved().later(DAY).reopened()
    assert counted("resolution_rate", story.events) == {}  # its resolution is awaited again, and not due

    due = story.later(2 * DAY).breached("resolution")
    assert counted("resolution_rate", due.events) == {"denominator": [at(START + 3 * DAY)]}

    again = due.later(HOUR).resolved()
    assert counted("resolution_rate", again.events) == {"denominator": [at(START + 3 * DAY)], "numerator": [at(START + 3 * DAY)]}


def test_a_ticket_that_was_closed_because_the_customer_did_not_answer_is_due_and_not_solved() -> None:
    story = Story().later(HOUR).assigned("agent-1").later(DAY).closed("no_customer_answer")

    assert counted("resolution_rate", story.events) == {"denominator": [at(START + 3 * DAY)]}


def test_a_ticket_that_was_closed_by_hand_without_a_solution_is_due_and_not_solved() -> None:
    """Whatever reason is given: nobody takes a ticket out of the rate by closing it while it waits."""
    waiting = Story().later(HOUR).waits("waiting_customer").later(DAY).closed("staff")
    reopened = Story("AS-2").later(HOUR).resolved().later(DAY).reopened().later(HOUR).closed("staff")

    assert counted("resolution_rate", waiting.events) == {"denominator": [at(START + 3 * DAY)]}
    assert counted("resolution_rate", reopened.events) == {"denominator": [at(START + 3 * DAY)]}


@pytest.mark.parametrize("reason", ["window_over", "staff"])
def test_a_ticket_that_was_closed_for_another_reason_stays_solved(reason: str) -> None:
    story = Story().later(HOUR).resolved().later(7 * DAY).closed(reason)

    assert counted("resolution_rate", story.events) == {"denominator": [at(START + HOUR)], "numerator": [at(START + HOUR)]}


@pytest.mark.parametrize(("span", "counts"), [(7 * DAY, True), (7 * DAY + timedelta(microseconds=1), False)])
def test_a_reopening_counts_up_to_the_end_of_the_seventh_day(span: timedelta, counts: bool) -> None:
    story = Story().later(HOUR).resolved().later(span).reopened()

    assert counted("reopen_rate", story.events).get("numerator", []) == ([at(START + HOUR)] if counts else [])


def test_each_resolution_can_be_reopened_once() -> None:
    story = Story().later(HOUR).resolved().later(DAY).reopened().later(HOUR).resolved()
    first, second = at(START + HOUR), at(START + DAY + 2 * HOUR)

    assert counted("reopen_rate", story.events) == {"denominator": [first, second], "numerator": [first]}


# ------------------------------------------------------------------ next responses and resolutions in time


def test_a_next_response_is_due_from_the_oldest_unanswered_message() -> None:
    story = Story().later(HOUR).replied().later(HOUR).asked_again().later(30 * MINUTE).asked_again().later(HOUR).replied()
    answered = START + 3 * HOUR + 30 * MINUTE

    assert counted("sla_next_response", story.events) == {"denominator": [at(answered)], "numerator": [at(answered)]}


def test_each_unanswered_message_has_a_clock_of_its_own() -> None:
    story = Story().later(HOUR).replied().asked_again().later(HOUR).replied().asked_again().later(3 * HOUR).replied()

    assert counted("sla_next_response", story.events) == {
        "denominator": [at(START + 2 * HOUR), at(START + 4 * HOUR)],
        "numerator": [at(START + 2 * HOUR)],
    }


def test_a_next_response_that_was_told_as_missed_counts_at_its_due_time() -> None:
    story = Story().later(HOUR).replied().asked_again().later(5 * HOUR).breached("next_response")

    assert counted("sla_next_response", story.events) == {"denominator": [at(START + 3 * HOUR)]}


def test_a_message_that_nobody_has_to_answer_yet_does_not_count() -> None:
    assert counted("sla_next_response", Story().later(HOUR).replied().later(HOUR).asked_again().events) == {}


def test_a_resolution_after_its_due_time_is_solved_but_not_in_time() -> None:
    story = Story().later(4 * DAY).resolved()

    assert counted("sla_resolution", story.events) == {"denominator": [at(START + 3 * DAY)]}
    assert counted("resolution_rate", story.events)["numerator"] == [at(START + 3 * DAY)]


def test_a_reopened_ticket_is_due_again() -> None:
    story = Story().later(HOUR).resolved().later(HOUR).reopened()

    assert counted("sla_resolution", story.events) == {}


@pytest.mark.parametrize("reason", ["spam", "test", "duplicate", "not_a_request", "dismissed"])
def test_what_never_was_a_case_counts_nowhere(reason: str) -> None:
    story = Story().later(HOUR).replied().later(HOUR).cancelled(reason)

    assert by_quarter(fold({}, observed(numbered(story.events))).cells) == {}


def test_a_request_that_was_withdrawn_was_opened_all_the_same() -> None:
    story = Story().later(HOUR).cancelled("withdrawn")

    assert counted("tickets_opened", story.events) == {"count": [at(START)]}


# ------------------------------------------------------------------ surveys


def test_an_invitation_counts_when_it_was_sent_and_is_answered_when_it_is() -> None:
    asked = [invited(1), invited(2), answer(2, START + DAY)]

    assert counted("survey_response_rate", asked) == {"denominator": [at(START)] * 2, "numerator": [at(START)]}


def test_the_question_whether_a_complaint_is_solved_is_no_survey() -> None:
    asked = [invited(1, form="S1.1"), invited(2, form="S1.1"), answer(2, START + DAY, form="S1.1", solved="yes")]

    assert counted("survey_response_rate", asked) == {}


def test_an_invitation_that_a_reopening_cancelled_was_none() -> None:
    assert counted("survey_response_rate", [invited(1), survey_cancelled(1, START + HOUR)]) == {}


def test_an_invitation_that_could_not_be_delivered_stays_among_those_who_did_not_answer() -> None:
    bounced = intake.NotificationFailed(
        occurred_at=START,
        notification_id=uuid(9),
        customer_id=CUSTOMER,
        kind="survey_invitation",
        reason="undeliverable",
        ticket_number="AS-1",
    )

    assert counted("survey_response_rate", [invited(1), bounced]) == {"denominator": [at(START)]}


def test_who_was_not_asked_is_not_among_those_who_did_not_answer() -> None:
    throttled = feedback.SurveyThrottled(**answer(1).model_dump(include=set(feedback.SurveyEvent.model_fields)))

    assert counted("survey_response_rate", [throttled]) == {}


def test_an_anonymous_answer_counts_on_its_day_and_for_nobody() -> None:
    given = [anonymous_answer(1, START, overall=5, recommend=9, tier="gold")]

    assert counted("csat_mean", given) == {"score_5": [at(START)]}
    assert counted("nps", given) == {"score_9": [at(START)]}
    assert values_of("csat_mean", given, "agent") == {""}
    assert values_of("csat_mean", given, "tier") == {"gold"}
    assert counted("survey_response_rate", given) == {}


def test_the_first_answer_is_final() -> None:
    assert counted("csat_mean", [answer(1, overall=2), answer(1, overall=5)]) == {"score_2": [at(START)]}


def test_a_question_without_an_answer_is_not_a_low_score() -> None:
    answers = [answer(1, overall=None, recommend=9), answer(2, overall=4)]

    assert counted("csat_mean", answers) == {"score_4": [at(START)]}
    assert counted("nps", answers) == {"score_9": [at(START)]}


def test_the_nps_of_relationship_surveys_is_kept_apart() -> None:
    assert counted("nps", [answer(1, form="T1.1", recommend=10), answer(2, form="T2.3", recommend=0)]) == {"score_10": [at(START)]}


def test_an_answer_is_credited_to_who_resolved_the_ticket() -> None:
    assert values_of("csat_mean", [answer(1, overall=5)], "agent") == {"agent-1"}
