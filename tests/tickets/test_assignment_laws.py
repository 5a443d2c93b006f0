"""Assignment as laws: whatever the staff, whatever arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tickets.assignment.roster import Decision, Roster
from services.tickets.assignment.staff import Agent, Distribution, Presence, Skill, Team, Work
from services.tickets.assignment.turns import Verdict, line
from services.tickets.store.assignments import canonical, digest
from tests.tickets.builders import NOON
from tests.tickets.staffing import a_roster, a_team, an_agent

pytestmark = pytest.mark.pure

IDS: Final = ("ann", "bob", "cid", "dan", "eve", "fay")
TEAM_IDS: Final = ("complaints", "repairs", "service-desk")
TYPES: Final = ("complaint", "repair", "return")
TIERS: Final = ("standard", "vip")
CHANNELS: Final = ("phone", "web")


def some_of(values: Sequence[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values))


MOMENTS: Final = st.none() | st.integers(0, 5).map(lambda minutes: NOON - timedelta(minutes=minutes))
AGENTS: Final = st.builds(
    Agent,
    id=st.sampled_from(IDS),
    teams=st.lists(st.sampled_from(TEAM_IDS), unique=True).map(tuple),
    skills=some_of(("solder",)),
    tiers=some_of(TIERS),
    capacity=st.none() | st.integers(1, 3),
    presence=st.sampled_from(Presence),
    is_active=st.booleans(),
    given_at=MOMENTS,
)
STAFF: Final = st.lists(AGENTS, unique_by=lambda agent: agent.id)
TEAMS: Final = st.lists(
    st.builds(
        Team,
        id=st.sampled_from(TEAM_IDS),
        types=some_of(TYPES),
        channels=some_of(CHANNELS),
        tiers=some_of(TIERS),
        distribution=st.sampled_from(Distribution),
        is_active=st.booleans(),
    ),
    unique_by=lambda team: team.id,
)
WORK: Final = st.builds(
    Work, type=st.none() | st.sampled_from(TYPES), channel=st.sampled_from(CHANNELS), tier=st.sampled_from(TIERS), category=st.none()
)
SKILLS: Final = st.just([Skill("solder", types=frozenset({"repair"}))])
LOADS: Final = st.dictionaries(st.sampled_from(IDS), st.integers(0, 3))


def run(teams: Sequence[Team], skills: Sequence[Skill], staff: Sequence[Agent], loads: dict[str, int], work: list[Work]) -> list[Decision]:
    roster = Roster(teams, skills, staff, loads)
    return [roster.place(each, NOON) for each in work]


@given(moments=st.lists(MOMENTS, min_size=1, max_size=6), tickets=st.integers(0, 40))
def test_agents_who_are_equally_there_get_equally_much(moments: list[object], tickets: int) -> None:
    staff = [an_agent(id, given_at=moment) for id, moment in zip(IDS, moments, strict=False)]
    roster = a_roster(*staff)

    given_to = Counter(roster.place(Work("repair", "web", "standard"), NOON).agent for _ in range(tickets))

    counts = [given_to[agent.id] for agent in staff]
    assert sum(counts) == tickets
    assert max(counts) - min(counts) <= 1


@given(moments=st.lists(MOMENTS, min_size=1, max_size=6), sizes=st.lists(st.integers(0, 5), max_size=8))
def test_batches_are_as_fair_as_one_ticket_after_the_other(moments: list[object], sizes: list[int]) -> None:
    staff = [an_agent(id, given_at=moment) for id, moment in zip(IDS, moments, strict=False)]
    given_to: Counter[str | None] = Counter()

    for minute, size in enumerate(sizes):
        roster = a_roster(*staff)
        given_to.update(roster.place(Work("repair", "web", "standard"), NOON + timedelta(minutes=minute)).agent for _ in range(size))
        staff = [agent._replace(given_at=roster.given.get(agent.id, agent.given_at)) for agent in staff]

    counts = [given_to[agent.id] for agent in staff]
    assert max(counts) - min(counts) <= 1


def run_anew(
    teams: Sequence[Team],
    skills: Sequence[Skill],
    staff: Sequence[Agent],
    loads: dict[str, int],
    work: list[Work],
    gone: Sequence[set[str]],
) -> list[Decision]:
    """A roster for each ticket: nothing is remembered but what was given."""
    people, load, found = {agent.id: agent for agent in staff}, Counter(loads), []
    for each, without in zip(work, gone, strict=False):
        roster = Roster(teams, skills, people.values(), load)
        found.append(roster.place(each, NOON, without=without))
        people |= {id: people[id]._replace(given_at=at) for id, at in roster.given.items()}
        load.update(roster.given.keys())
    return found


@given(TEAMS, SKILLS, STAFF, LOADS, st.lists(WORK, max_size=12), st.lists(st.sets(st.sampled_from(IDS), max_size=2), min_size=12))
def test_what_a_roster_remembers_changes_no_decision(
    teams: list[Team], skills: list[Skill], staff: list[Agent], loads: dict[str, int], work: list[Work], gone: list[set[str]]
) -> None:
    roster = Roster(teams, skills, staff, loads)

    decisions = [roster.place(each, NOON, without=without) for each, without in zip(work, gone, strict=False)]

    assert decisions == run_anew(teams, skills, staff, loads, work, gone)


@given(TEAMS, SKILLS, STAFF, LOADS, st.lists(WORK, max_size=12))
def test_only_who_is_there_able_and_has_room_gets_work(
    teams: list[Team], skills: list[Skill], staff: list[Agent], loads: dict[str, int], work: list[Work]
) -> None:
    people, load = {agent.id: agent for agent in staff}, Counter(loads)

    for each, decision in zip(work, run(teams, skills, staff, loads, work), strict=True):
        if decision.agent is None:
            continue
        agent = people[decision.agent]
        assert agent.is_active
        assert agent.presence is Presence.PRESENT
        assert decision.team in agent.teams
        assert each.type != "repair" or "solder" in agent.skills
        assert not agent.tiers or each.tier in agent.tiers
        assert agent.capacity is None or load[agent.id] < agent.capacity
        load[agent.id] += 1


@given(TEAMS, SKILLS, STAFF, LOADS, st.lists(WORK, max_size=12))
def test_a_ticket_waits_only_when_nobody_of_its_team_could_have_it(
    teams: list[Team], skills: list[Skill], staff: list[Agent], loads: dict[str, int], work: list[Work]
) -> None:
    by_hand = {team.id for team in teams if team.distribution is Distribution.BY_HAND}

    for decision in run(teams, skills, staff, loads, work):
        able = {id for id, verdict in decision.candidates.items() if verdict in ("chosen", "later_turn", "not_dedicated")}
        assert decision.agent is not None or not able or decision.team in by_hand


@given(TEAMS, SKILLS, STAFF, LOADS, st.lists(WORK, max_size=12), st.randoms(use_true_random=False))
def test_the_order_in_which_staff_are_listed_does_not_matter(
    teams: list[Team], skills: list[Skill], staff: list[Agent], loads: dict[str, int], work: list[Work], random: object
) -> None:
    shuffled_teams, shuffled_staff = list(teams), list(staff)
    random.shuffle(shuffled_teams)  # type: ignore[attr-defined]
    random.shuffle(shuffled_staff)  # type: ignore[attr-defined]

    assert run(teams, skills, staff, loads, work) == run(shuffled_teams, skills, shuffled_staff, loads, work)


@given(TEAMS, SKILLS, STAFF, LOADS, st.lists(WORK, max_size=12), AGENTS, st.sampled_from([Presence.AWAY, Presence.OFFLINE]))
def test_one_more_who_is_absent_changes_nothing_for_the_others(
    teams: list[Team], skills: list[Skill], staff: list[Agent], loads: dict[str, int], work: list[Work], other: Agent, absence: Presence
) -> None:
    absent = other._replace(id="zoe", presence=absence)

    def owners(people: list[Agent]) -> list[tuple[str | None, str | None, str | None]]:
        return [(decision.team, decision.agent, decision.code) for decision in run(teams, skills, people, loads, work)]

    assert owners(staff) == owners([*staff, absent])


@given(TEAMS, SKILLS, STAFF, LOADS, st.lists(WORK, max_size=12))
def test_each_decision_says_why_for_every_team_and_every_member(
    teams: list[Team], skills: list[Skill], staff: list[Agent], loads: dict[str, int], work: list[Work]
) -> None:
    for decision in run(teams, skills, staff, loads, work):
        assert set(decision.teams) == {team.id for team in teams}
        assert [id for id, verdict in decision.teams.items() if verdict == "chosen"] == ([decision.team] if decision.team else [])
        assert set(decision.candidates) == {agent.id for agent in staff if decision.team is not None and decision.team in agent.teams}
        assert [id for id, verdict in decision.candidates.items() if verdict == "chosen"] == ([decision.agent] if decision.agent else [])
        assert (decision.code is None) == (decision.agent is None)


@given(TEAMS, SKILLS, STAFF, LOADS, st.lists(WORK, max_size=12), st.lists(st.sets(st.sampled_from(IDS), max_size=2), min_size=12))
def test_the_verdicts_are_those_of_everybody_looked_at_by_himself_for_each_ticket(
    teams: list[Team], skills: list[Skill], staff: list[Agent], loads: dict[str, int], work: list[Work], gone: list[set[str]]
) -> None:
    roster, load = Roster(teams, skills, staff, loads), Counter(loads)

    for each, without in zip(work, gone, strict=False):
        decision = roster.place(each, NOON, without=without)

        members = [agent for agent in staff if decision.team is not None and decision.team in agent.teams]
        verdicts = dict(line(each, members, needed=decision.needed, loads=load, without=without).verdicts)
        if decision.agent is not None:
            verdicts[decision.agent] = Verdict.CHOSEN
            load[decision.agent] += 1
        assert decision.candidates == verdicts


@given(TEAMS, SKILLS, STAFF, LOADS, st.lists(WORK, max_size=12))
def test_verdicts_that_name_already_who_was_chosen_stay_what_they_are(
    teams: list[Team], skills: list[Skill], staff: list[Agent], loads: dict[str, int], work: list[Work]
) -> None:
    """As they are kept with assignments of old."""
    for decision in run(teams, skills, staff, loads, work):
        assert replace(decision, verdicts=decision.candidates).candidates == decision.candidates


def test_tickets_for_which_the_same_is_needed_share_their_verdicts() -> None:
    roster = a_roster(*(an_agent(id) for id in IDS))

    decisions = [roster.place(Work("repair", "web", "standard"), NOON) for _ in range(20)]

    assert len({id(decision.verdicts) for decision in decisions}) == 1
    assert len({decision.agent for decision in decisions}) == len(IDS)


VERDICTS: Final = st.dictionaries(st.text(max_size=4), st.sampled_from(Verdict), max_size=6)


@given(VERDICTS, st.randoms(use_true_random=False))
def test_the_same_verdicts_have_one_text_in_whatever_order_they_stand(verdicts: dict[str, Verdict], random: Random) -> None:
    items = list(verdicts.items())
    random.shuffle(items)

    assert canonical(dict(items)) == canonical(verdicts)


@given(VERDICTS, VERDICTS)
def test_other_verdicts_have_another_digest(one: dict[str, Verdict], other: dict[str, Verdict]) -> None:
    assert (digest(canonical(one)) == digest(canonical(other))) == (one == other)


def test_a_team_that_was_named_is_taken_whatever_the_ticket_is() -> None:
    roster = Roster([a_team("repairs", types=["repair"]), a_team()], agents=[an_agent("ann", "repairs")])

    assert roster.place(Work("complaint", "web", "vip"), NOON, team="repairs").agent == "ann"
