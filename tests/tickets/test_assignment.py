"""Who gets the work, by examples: the team, the turn, the reasons."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.tickets.assignment.queue import Waiting
from services.tickets.assignment.routing import route
from services.tickets.assignment.staff import Distribution, Presence
from tests.tickets.builders import HOUR, NOON
from tests.tickets.staffing import a_roster, a_skill, a_team, an_agent, placed, work

pytestmark = pytest.mark.pure


# ------------------------------------------------------------------ the team


def test_a_ticket_goes_to_the_team_that_takes_its_type() -> None:
    teams = [a_team("repairs", types=["repair"]), a_team("complaints", types=["complaint"]), a_team()]

    found = route(work(type="repair"), teams)

    assert found.team == "repairs"
    assert found.verdicts == {"repairs": "chosen", "complaints": "other_type", "service-desk": "names_nothing"}


def test_a_team_may_be_there_for_a_channel_whatever_the_type() -> None:
    teams = [a_team("social", channels=["weibo", "wechat"]), a_team()]

    assert route(work(channel="weibo", type=None), teams).team == "social"
    assert route(work(channel="email"), teams).team == "service-desk"


def test_a_named_type_is_more_precise_than_a_named_channel() -> None:
    teams = [a_team("a-social", channels=["weibo"]), a_team("repairs", types=["repair"])]

    found = route(work(channel="weibo"), teams)

    assert (found.team, found.verdicts["a-social"]) == ("repairs", "less_precise")


def test_a_team_for_vips_comes_before_the_team_of_their_type() -> None:
    teams = [a_team("repairs", types=["repair"]), a_team("vip-care", tiers=["vip"])]

    assert route(work(tier="vip"), teams).team == "vip-care"
    assert route(work(tier="gold"), teams).verdicts == {"repairs": "chosen", "vip-care": "other_tier"}


def test_a_team_that_names_type_and_channel_takes_only_what_is_both() -> None:
    teams = [a_team("phone-repairs", types=["repair"], channels=["phone"]), a_team()]

    assert route(work(channel="phone"), teams).team == "phone-repairs"
    assert route(work(channel="web"), teams).verdicts["phone-repairs"] == "other_channel"


def test_what_nobody_names_goes_to_the_service_desk() -> None:
    assert route(work(type=None), [a_team("repairs", types=["repair"]), a_team()]).team == "service-desk"


def test_without_a_service_desk_nobody_takes_what_nobody_names() -> None:
    assert route(work(type=None), [a_team("repairs", types=["repair"])]).team is None
    assert route(work(), []).team is None


def test_an_inactive_team_takes_nothing_not_even_as_the_fallback() -> None:
    teams = [a_team("repairs", types=["repair"], is_active=False), a_team(is_active=False)]

    found = route(work(), teams)

    assert (found.team, set(found.verdicts.values())) == (None, {"inactive"})


# ------------------------------------------------------------------ the turn


def test_whoever_was_given_work_longest_ago_is_next() -> None:
    roster = a_roster(an_agent("ann", given_at=NOON - HOUR), an_agent("bob", given_at=NOON - 2 * HOUR))

    assert [placed(roster).agent for _ in range(4)] == ["bob", "ann", "bob", "ann"]


def test_whoever_never_was_given_work_comes_first_and_then_the_id_decides() -> None:
    roster = a_roster(an_agent("ann", given_at=NOON - HOUR), an_agent("cid"), an_agent("bob"))

    assert [placed(roster).agent for _ in range(3)] == ["bob", "cid", "ann"]


def test_the_absent_and_the_inactive_are_given_nothing_and_the_reason_is_told() -> None:
    roster = a_roster(
        an_agent("ann", presence=Presence.AWAY),
        an_agent("bob", presence=Presence.OFFLINE),
        an_agent("cid", is_active=False),
        an_agent("dan"),
        an_agent("eve", given_at=NOON),
    )

    decision = placed(roster)

    assert (decision.team, decision.agent, decision.code) == ("service-desk", "dan", "round_robin")
    assert decision.candidates == {"ann": "away", "bob": "offline", "cid": "inactive", "dan": "chosen", "eve": "later_turn"}


def test_with_nobody_at_work_a_ticket_waits_in_the_queue_of_its_team() -> None:
    decision = placed(a_roster(an_agent("ann", presence=Presence.AWAY)))

    assert (decision.team, decision.agent, decision.code) == ("service-desk", None, None)


def test_a_team_that_distributes_by_hand_lets_its_tickets_wait() -> None:
    roster = a_roster(an_agent("ann"), teams=[a_team(distribution=Distribution.BY_HAND)])

    decision = placed(roster)

    assert (decision.team, decision.agent, decision.candidates) == ("service-desk", None, {"ann": "later_turn"})
    assert not roster.given


def test_work_goes_only_to_who_has_every_skill_that_it_needs() -> None:
    skills = [a_skill("solder", types=["repair"]), a_skill("boards", types=["repair"], categories=["electronics"])]
    roster = a_roster(an_agent("ann", skills={"solder"}), an_agent("bob", skills={"solder", "boards"}), skills=skills)

    decision = placed(roster, category="electronics")

    assert (decision.agent, decision.needed) == ("bob", ("boards", "solder"))
    assert decision.candidates["ann"] == "skill_missing"
    assert placed(roster, category="paint").agent == "ann"


def test_a_skill_is_needed_by_what_it_names_and_an_empty_one_by_nothing() -> None:
    assert a_skill("s", types=["repair"]).is_needed(work())
    assert a_skill("s", categories=["paint"]).is_needed(work(category="paint"))
    assert not a_skill("s", types=["repair"], categories=["paint"]).is_needed(work())
    assert not a_skill("s", types=["repair"], is_active=False).is_needed(work())
    assert not a_skill("s").is_needed(work())


def test_nobody_is_given_more_than_his_capacity() -> None:
    roster = a_roster(an_agent("ann", capacity=2), an_agent("bob", capacity=3), loads={"ann": 1, "bob": 3})

    assert [placed(roster).agent for _ in range(2)] == ["ann", None]
    assert placed(roster).candidates == {"ann": "at_capacity", "bob": "at_capacity"}
    assert not roster.has_room("service-desk")


def test_an_agent_for_vips_is_given_vips_first_and_nothing_else() -> None:
    roster = a_roster(an_agent("ann"), an_agent("vic", tiers={"vip"}, given_at=NOON))

    first = placed(roster, tier="vip")

    assert (first.agent, first.code, first.candidates["ann"]) == ("vic", "dedicated", "not_dedicated")
    assert placed(roster, tier="standard").candidates == {"ann": "chosen", "vic": "other_tier"}


def test_when_the_agent_for_vips_is_away_a_colleague_serves_them() -> None:
    roster = a_roster(an_agent("ann"), an_agent("vic", tiers={"vip"}, presence=Presence.AWAY))

    assert placed(roster, tier="vip").agent == "ann"


def test_whoever_gave_a_ticket_away_does_not_get_it_back() -> None:
    roster = a_roster(an_agent("ann"), an_agent("bob", given_at=NOON))

    decision = roster.place(work(), NOON, team="service-desk", without={"ann"})

    assert (decision.agent, decision.candidates["ann"]) == ("bob", "gave_it_away")


def test_somebody_in_two_teams_has_one_turn() -> None:
    teams = [a_team("repairs", types=["repair"]), a_team("complaints", types=["complaint"])]
    roster = a_roster(an_agent("ann", "repairs", "complaints"), an_agent("bob", "complaints"), teams=teams)

    assert placed(roster, type="repair").agent == "ann"
    assert placed(roster, type="complaint").agent == "bob"


# ------------------------------------------------------------------ the queue


def test_a_queue_is_handed_out_by_priority_then_tier_then_age() -> None:
    def waiting(number: str, priority: str, tier: str, hours: int) -> Waiting:
        return Waiting(number, work(tier=tier), priority, NOON + timedelta(hours=hours))

    queue = [
        waiting("young", "normal", "standard", 2),
        waiting("low", "low", "vip", 0),
        waiting("old", "normal", "standard", 1),
        waiting("gold", "normal", "gold", 3),
        waiting("unheard-of", "normal", "platinum", 0),
        waiting("urgent", "urgent", "standard", 9),
    ]

    assert [each.number for each in sorted(queue, key=lambda each: each.place)] == ["urgent", "gold", "unheard-of", "old", "young", "low"]
