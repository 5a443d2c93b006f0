"""Which policy holds, which version of it, and why."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tickets.sla import Case, Escalation, Policy, Priority, Reason, ServiceLevels, TargetName, TeamHours
from services.tickets.sla.calendar import AROUND_THE_CLOCK
from services.tickets.sla.policies import NothingPromised
from tests.tickets.builders import DAY, HOUR, MILLISECOND, NOON, a_policy
from tests.tickets.calendars import a_calendar

pytestmark = pytest.mark.pure

ANY = a_policy(None, 8 * HOUR, 5 * DAY, id="any")
HIGH = a_policy(Priority.HIGH, HOUR, DAY, id="high")
COMPLAINT = a_policy(None, 2 * HOUR, DAY, id="complaint", type="complaint")
VIP = a_policy(None, HOUR, DAY, id="vip", tier="vip")
HIGH_COMPLAINT = a_policy(Priority.HIGH, HOUR / 2, DAY, id="high-complaint", type="complaint")
EVERYTHING = a_policy(Priority.HIGH, HOUR / 4, DAY, id="everything", type="complaint", tier="vip")


def levels(*policies: Policy) -> ServiceLevels:
    return ServiceLevels(9, [ANY, *policies], [AROUND_THE_CLOCK])


def chosen(book: ServiceLevels, type: str | None = "complaint", priority: Priority = Priority.HIGH, tier: str = "vip") -> str:
    return book.promise(Case(type, priority, tier), NOON).policy.id


OFFICE = a_calendar()
OPEN_TO_ALL = a_policy(None, 2 * HOUR, 16 * HOUR, id="open", calendar=None)


def in_hours(policy: Policy, *hours: TeamHours) -> ServiceLevels:
    return ServiceLevels(9, [policy], [AROUND_THE_CLOCK, OFFICE, a_calendar(id="late", zone="America/New_York")], hours)


def hours_of(book: ServiceLevels, team: str | None, at: datetime = NOON) -> tuple[str, str]:
    promise = book.promise(Case("repair", Priority.LOW, "standard", team), at)
    return promise.hours_of, promise.hours.id


def test_the_hours_are_the_policys_else_the_teams_else_all() -> None:
    works_late, names_none = TeamHours("repairs", 2, "late", NOON - DAY), TeamHours("returns", 3, None, NOON - DAY)

    assert hours_of(in_hours(a_policy(None, HOUR, DAY, calendar="office"), works_late), "repairs") == ("policy", "office")
    assert hours_of(in_hours(OPEN_TO_ALL, works_late), "repairs") == ("team", "late")
    for team in ("returns", "unheard-of", None):
        assert hours_of(in_hours(OPEN_TO_ALL, works_late, names_none), team) == ("nobody", "always")


def test_a_teams_hours_are_those_of_the_moment_when_the_clock_starts() -> None:
    book = in_hours(OPEN_TO_ALL, TeamHours("repairs", 2, "late", NOON), TeamHours("repairs", 3, "office", NOON + DAY))

    found = [hours_of(book, "repairs", at)[1] for at in (NOON - MILLISECOND, NOON, NOON + DAY - MILLISECOND, NOON + DAY)]
    assert found == ["always", "late", "late", "office"]


@pytest.mark.parametrize(
    ("policies", "winner"),
    [
        ((), "any"),
        ((HIGH,), "high"),
        ((HIGH, COMPLAINT), "complaint"),
        ((HIGH, COMPLAINT, VIP), "vip"),
        ((HIGH, COMPLAINT, VIP, HIGH_COMPLAINT), "high-complaint"),
        ((HIGH, COMPLAINT, VIP, HIGH_COMPLAINT, EVERYTHING), "everything"),
    ],
)
def test_the_one_that_names_most_wins_and_a_tier_weighs_more_than_a_type_more_than_a_priority(
    policies: tuple[Policy, ...], winner: str
) -> None:
    assert chosen(levels(*policies)) == winner
    assert chosen(levels(*reversed(policies))) == winner


def test_what_names_something_else_is_not_chosen() -> None:
    book = levels(HIGH, COMPLAINT, VIP, EVERYTHING)

    assert chosen(book, "repair", Priority.LOW, "gold") == "any"
    assert chosen(book, None, Priority.HIGH, "gold") == "high"


def test_the_choice_is_explained_by_all_that_were_looked_at() -> None:
    found = levels(HIGH, COMPLAINT, VIP).candidates(Case("complaint", Priority.LOW, "gold"), NOON)

    assert [(each.policy.id, each.misses, each.is_chosen) for each in found] == [
        ("complaint", (), True),
        ("any", (), False),
        ("vip", ("tier",), False),
        ("high", ("priority",), False),
    ]


def test_the_version_is_the_one_in_force_when_the_clock_starts() -> None:
    later = a_policy(None, HOUR, DAY, id="any", version=2, valid_from=NOON)
    book = levels(later)
    case = Case(None, Priority.LOW, "standard")

    assert book.promise(case, NOON - timedelta(microseconds=1)).policy.version == 1
    assert book.promise(case, NOON).policy.version == 2


def test_a_version_dated_before_another_replaces_it_too() -> None:
    later = a_policy(None, HOUR, DAY, id="any", version=2, valid_from=NOON)
    correction = a_policy(None, 3 * HOUR, DAY, id="any", version=3, valid_from=NOON - DAY)

    assert levels(later, correction).promise(Case(None, Priority.LOW, "standard"), NOON + DAY).policy.version == 3


def test_a_policy_that_was_ended_is_not_chosen_any_more() -> None:
    ended = a_policy(None, HOUR, DAY, id="vip", tier="vip", version=2, valid_from=NOON, is_active=False)
    book = levels(VIP, ended)

    assert book.promise(Case(None, Priority.LOW, "vip"), NOON - HOUR).policy.id == "vip"
    assert book.promise(Case(None, Priority.LOW, "vip"), NOON).policy.id == "any"


def test_the_calendar_is_the_version_in_force_when_the_clock_starts() -> None:
    old, new = a_calendar(version=1), a_calendar(version=2, valid_from=NOON)
    book = ServiceLevels(2, [a_policy(None, HOUR, DAY, id="any", calendar="office")], [new, old])
    case = Case(None, Priority.LOW, "standard")

    assert [book.promise(case, at).hours.version for at in (NOON - HOUR, NOON, NOON + HOUR)] == [1, 2, 2]


def test_a_gap_is_seen_before_a_ticket_falls_into_it() -> None:
    only_high = ServiceLevels(1, [HIGH], [AROUND_THE_CLOCK])

    assert {priority for priority, _ in only_high.gaps()} == set(Priority) - {Priority.HIGH}
    assert levels(HIGH).gaps() == []
    with pytest.raises(NothingPromised):
        only_high.promise(Case(None, Priority.LOW, "standard"), NOON)


def test_two_policies_for_the_same_are_seen() -> None:
    other = a_policy(Priority.HIGH, HOUR, DAY, id="also-high")

    assert levels(HIGH).twins(other, NOON) == [HIGH]
    assert levels(COMPLAINT).twins(other, NOON) == []


def test_waiting_for_the_customer_pauses_whatever_the_policy_says() -> None:
    strict = a_policy(None, HOUR, DAY, pauses_on=frozenset())

    assert strict.pauses("customer")
    assert not strict.pauses("parts")
    assert a_policy(None, HOUR, DAY, pauses_on=frozenset({"parts"})).pauses("parts")


def test_the_highest_level_of_the_rules_that_apply_is_meant() -> None:
    rules = (Escalation(Reason.BREACHED, 1), Escalation(Reason.BREACHED, 2, TargetName.RESOLUTION), Escalation(Reason.WARNED, 1))
    policy = a_policy(None, HOUR, DAY, escalations=rules)

    assert policy.level(Reason.BREACHED, TargetName.FIRST_RESPONSE) == 1
    assert policy.level(Reason.BREACHED, TargetName.RESOLUTION) == 2
    assert a_policy(None, HOUR, DAY).level(Reason.BREACHED, TargetName.RESOLUTION) == 0


CRITERIA = st.fixed_dictionaries(
    {
        "type": st.sampled_from([None, "repair", "complaint"]),
        "priority": st.sampled_from([None, *Priority]),
        "tier": st.sampled_from([None, "gold", "vip"]),
    }
)


@given(
    st.lists(CRITERIA, max_size=8),
    st.sampled_from(["repair", "enquiry", None]),
    st.sampled_from(list(Priority)),
    st.sampled_from(["gold", "silver"]),
)
def test_no_policy_that_matches_names_more_than_the_chosen_one(
    drawn: list[dict[str, str | None]], type: str | None, priority: Priority, tier: str
) -> None:
    policies = [
        Policy(id=f"p{number}", version=number + 2, calendar="always", first_response=HOUR, resolution=DAY, **criteria)  # type: ignore[arg-type]
        for number, criteria in enumerate(drawn)
    ]
    book, case = levels(*policies), Case(type, priority, tier)

    winner = book.promise(case, NOON).policy

    matching = [each.policy for each in book.candidates(case, NOON) if not each.misses]
    assert winner in matching
    assert len(winner.named) == max(len(policy.named) for policy in matching)
