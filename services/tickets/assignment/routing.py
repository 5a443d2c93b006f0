"""Which team takes a ticket: the active one that names most precisely what it is; else the service desk, if there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.tickets.assignment.staff import Team, Work

FALLBACK: Final = "service-desk"
"""Id of the team that takes what no other one names."""


class TeamVerdict(StrEnum):
    """Why a team takes a ticket, or does not."""

    CHOSEN = "chosen"
    INACTIVE = "inactive"
    OTHER_TYPE = "other_type"
    OTHER_CHANNEL = "other_channel"
    OTHER_TIER = "other_tier"
    NAMES_NOTHING = "names_nothing"
    """It is given work only by hand, or as the fallback."""
    LESS_PRECISE = "less_precise"
    """It would take it, but another team names it more precisely, or just as precisely and comes first by its id."""


@dataclass(frozen=True, slots=True)
class Route:
    """The team, None where nobody takes it, and the verdict on each team that is configured."""

    team: str | None
    verdicts: Mapping[str, TeamVerdict]


def route(work: Work, teams: Iterable[Team]) -> Route:
    """Choose the team. A named tier weighs most, then a named type, then a named channel."""
    known = {team.id: team for team in teams}
    verdicts = {id: _verdict(team, work) for id, team in sorted(known.items())}
    taking = [known[id] for id, verdict in verdicts.items() if verdict is TeamVerdict.LESS_PRECISE]
    chosen = min(taking, key=lambda team: (not team.tiers, not team.types, not team.channels, team.id)).id if taking else None
    if chosen is None and FALLBACK in known and known[FALLBACK].is_active:
        chosen = FALLBACK
    if chosen is not None:
        verdicts[chosen] = TeamVerdict.CHOSEN
    return Route(chosen, verdicts)


def _verdict(team: Team, work: Work) -> TeamVerdict:
    """The verdict on one team before those that take it are compared."""
    if not team.is_active:
        return TeamVerdict.INACTIVE
    if not (team.tiers or team.types or team.channels):
        return TeamVerdict.NAMES_NOTHING
    if team.tiers and work.tier not in team.tiers:
        return TeamVerdict.OTHER_TIER
    if team.types and work.type not in team.types:
        return TeamVerdict.OTHER_TYPE
    if team.channels and work.channel not in team.channels:
        return TeamVerdict.OTHER_CHANNEL
    return TeamVerdict.LESS_PRECISE
