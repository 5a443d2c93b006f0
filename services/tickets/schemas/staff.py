"""Agents, teams and skills as they travel through the REST door. In a change, what is left out stays as it is."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.tickets.assignment.staff import Distribution, Position, Presence, Tier, WhenOffline
from services.tickets.schemas.params import ListCode
from shared.events.codes import Channel, RequestType
from shared.http.fields import Boolean, Code, Integer, Line, RequestModel

Item = TypeVar("Item")

MANY: Final = 50
"""Entries of a list of teams, skills, types ..."""


def _each_once(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if len(set(items)) < len(items):
        raise PydanticCustomError("repeated", "Names something twice")
    return items


def _no_number(id: str) -> str:
    """Ids of staff travel on the bus for ever, as keys too; a telephone number must not."""
    if not re.search(r"[A-Za-z]", id):
        raise PydanticCustomError("id_without_letters", "Should have a letter")
    return id


def _nobodys_word(id: str) -> str:
    """The words that stand for who acts where nobody of the staff does."""
    if id in ("system", "customer"):
        raise PydanticCustomError("id_reserved", "Is a word of ours")
    return id


AgentId = Annotated[
    Code,
    AfterValidator(_no_number),
    AfterValidator(_nobodys_word),
    Field(max_length=64, description="principal id of his API key; no telephone number, no address"),
]
StaffCode = Annotated[ListCode, AfterValidator(_no_number)]
Codes = Annotated[tuple[ListCode, ...], Field(max_length=MANY), AfterValidator(_each_once)]
Types = Annotated[tuple[RequestType, ...], Field(max_length=MANY), AfterValidator(_each_once)]
Channels = Annotated[tuple[Channel, ...], Field(max_length=MANY), AfterValidator(_each_once)]
Tiers = Annotated[tuple[Tier, ...], Field(max_length=MANY), AfterValidator(_each_once)]
Capacity = Annotated[Integer, Field(ge=1, le=10_000, description="open tickets beyond which he is given no more; null: no limit")]


# ------------------------------------------------------------------ in


def _without_defaults(schema: dict[str, Any]) -> None:
    schema["minProperties"] = 1
    for field in schema["properties"].values():
        field.pop("default", None)


class Patch(RequestModel):
    """A change: what it leaves out stays, so that its fields have no defaults for callers. See `given`."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_changed", "Should change something")
        return self


class NewAgent(RequestModel):
    """A member of staff. He begins offline, and says himself when he is present."""

    id: AgentId
    name: Line = Field(description="what colleagues read; it never leaves tickets")
    position: Position | None = None
    teams: Codes = Field(default=(), description="the first one is his home")
    skills: Codes = ()
    tiers: Tiers = Field(default=(), description="tiers of customers whom he is there for, before his colleagues; empty: everybody")
    capacity: Capacity | None = None


class AgentPatch(Patch):
    """What changes of a member of staff. Who becomes inactive goes offline, and his tickets go back into their queues."""

    name: Line = ""
    position: Position | None = None
    teams: Codes = ()
    skills: Codes = ()
    tiers: Tiers = ()
    capacity: Capacity | None = None
    active: Boolean = True


class PresenceChange(RequestModel):
    """Whether somebody is at work."""

    presence: Presence


class NewTeam(RequestModel):
    """A team. Tickets come to the active team that names most precisely what they are: by tier, then type, then channel."""

    id: StaffCode
    name: Line
    types: Types = Field(default=(), description="types of requests that it takes; of these lists an empty one does not restrict")
    channels: Channels = ()
    tiers: Tiers = ()
    calendar: ListCode | None = Field(
        default=None, description="business calendar in which promises are reckoned where their policy names none; null: around the clock"
    )
    distribution: Distribution = Field(default=Distribution.ROUND_ROBIN, description="by_hand: they wait until somebody takes them")
    when_offline: WhenOffline = Field(default=WhenOffline.KEEP, description="what becomes of open tickets of who goes offline")


class TeamPatch(Patch):
    """What changes of a team. What waits in the queue of one that becomes inactive goes to the team that takes such tickets then.
    Another calendar holds for what starts from now on."""

    name: Line = ""
    types: Types = ()
    channels: Channels = ()
    tiers: Tiers = ()
    calendar: ListCode | None = None
    distribution: Distribution = Distribution.ROUND_ROBIN
    when_offline: WhenOffline = WhenOffline.KEEP
    active: Boolean = True


class NewSkill(RequestModel):
    """A skill and which tickets need it: those of its types and categories; of these lists an empty one does not restrict."""

    id: StaffCode
    name: Line
    types: Types = ()
    categories: Codes = ()


class SkillPatch(Patch):
    """What changes of a skill."""

    name: Line = ""
    types: Types = ()
    categories: Codes = ()
    active: Boolean = True


def given(patch: Patch) -> dict[str, Any]:
    """What a change names."""
    return {name: getattr(patch, name) for name in patch.model_fields_set}


# ------------------------------------------------------------------ out


class AgentView(BaseModel):
    """A member of staff."""

    id: str
    version: int = Field(description="send it back in If-Match to change him")
    name: str
    position: str | None
    teams: list[str]
    skills: list[str]
    tiers: list[str]
    capacity: int | None
    presence: str
    presence_at: AwareDatetime = Field(description="since when")
    active: bool
    open_tickets: int


class TeamView(BaseModel):
    """A team."""

    id: str
    version: int = Field(description="send it back in If-Match to change it")
    name: str
    types: list[str]
    channels: list[str]
    tiers: list[str]
    calendar: str | None
    distribution: str
    when_offline: str
    active: bool


class SkillView(BaseModel):
    """A skill."""

    id: str
    version: int = Field(description="send it back in If-Match to change it")
    name: str
    types: list[str]
    categories: list[str]
    active: bool


class CoverageView(BaseModel):
    """One row of the skills matrix of a team."""

    skill: str
    name: str
    types: list[str] = Field(description="of tickets that need it")
    categories: list[str]
    agents: list[str] = Field(description="of the team, who have it; none: tickets that need it wait for ever")
    at_work: int = Field(description="how many of them are present")


class StaffChangeView(BaseModel):
    """One step in the life of an agent, a team or a skill."""

    version: int
    at: AwareDatetime
    actor: str = Field(description="principal id of who did it")
    changed: dict[str, Any] = Field(description="the fields that changed, as they are since; of a person's name only that it changed")
