"""Parameters of actions as callers send them, each with the command that it becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from services.tickets.sla import Priority
from services.tickets.workflow import commands
from services.tickets.workflow.commands import Command, Delegation, Letter, Merging, Parting
from services.tickets.workflow.status import Action, Cause, LinkKind
from shared.events.codes import RequestType
from shared.http.fields import Boolean, Code, Integer, RequestModel, Text

LONGEST_NUMBER: Final = 4
"""Digits of a code without a letter, such as `404`; more could be somebody's telephone number."""


def _nobodys_number(code: str) -> str:
    """Codes travel on fact topics, which are kept for ever; a telephone number must not."""
    if not re.search(r"[a-z]", code) and len(re.findall(r"[0-9]", code)) > LONGEST_NUMBER:
        raise PydanticCustomError("code_is_a_number", "Should have a letter: a number of five digits or more could be a telephone number")
    return code


ListCode = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$"),
    AfterValidator(_nobodys_number),
    Field(description="a code of the organisation's lists; with a letter if it has five digits or more"),
]


class TriageParams(RequestModel):
    """What it is and how soon it matters."""

    priority: Priority
    type: RequestType | None = Field(default=None, description="may stay out where the request named it")
    category: ListCode | None = None
    root_topic: ListCode | None = None

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Triage(self.priority, self.type, self.category, self.root_topic)


class TakeParams(RequestModel):
    """For which team, if for any."""

    team: ListCode | None = None

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Take(self.team)


class TakeOverParams(RequestModel):
    """Why it changes hands without its holder."""

    reason: ListCode = Field(description="such as holder_absent, customer_asked, expertise")

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.TakeOver(self.reason)


class HandOverParams(RequestModel):
    """To whom: an agent, a team (whoever's turn it is, or its queue), or an agent as one of a team."""

    agent: Code | None = None
    team: ListCode | None = None
    reason: ListCode | None = None
    note: Text | None = Field(default=None, description="for colleagues; stands among the ticket's messages")

    @model_validator(mode="after")
    def _to_somebody(self) -> HandOverParams:
        if self.agent is None and self.team is None:
            raise PydanticCustomError("nobody_named", "Name an agent, a team, or both")
        return self

    def command(self) -> Delegation:
        """In the workflow's terms."""
        note = None if self.note is None else Letter(self.note, public=False)
        return Delegation(self.agent, self.team, self.reason, note)


class QueueParams(RequestModel):
    """Why nobody has it any more, if there is something to say."""

    reason: ListCode | None = None

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Queue(reason=self.reason)


class StartParams(RequestModel):
    """Nothing to fill in."""

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Start()


class WaitParams(RequestModel):
    """What the ticket waits for."""

    on: Cause
    reason: ListCode | None = None

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Wait(self.on, self.reason)


class ResumeParams(RequestModel):
    """Nothing to fill in."""

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Resume()


class ReplyParams(RequestModel):
    """What is written, and to whom."""

    text: Text
    public: Boolean = Field(default=True, description="false: a note for colleagues, which is no first response")

    def command(self) -> Letter:
        """In the workflow's terms."""
        return Letter(self.text, self.public)


class ResolveParams(RequestModel):
    """Which kind of solution was given."""

    resolution_code: ListCode

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Resolve(self.resolution_code)


class ConfirmParams(RequestModel):
    """Nothing to fill in."""

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Confirm()


class CloseParams(RequestModel):
    """Why, if there is something to say."""

    reason: ListCode = "staff"

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Close(self.reason)


class ReopenParams(RequestModel):
    """Why, if there is something to say."""

    reason: ListCode = "staff"

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Reopen(self.reason)


class CancelParams(RequestModel):
    """Why there will be no solution."""

    reason: Literal["withdrawn", "duplicate", "spam", "test", "not_a_request"]

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Cancel(self.reason)


class NoteParams(RequestModel):
    """What colleagues should know; the customer never sees it."""

    text: Text

    def command(self) -> Letter:
        """In the workflow's terms."""
        return Letter(self.text, public=False, is_note=True)


class StepParams(RequestModel):
    """How far the service is; the steps depend on the type of the ticket."""

    step: ListCode

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Step(self.step)


class MergeParams(RequestModel):
    """Which ticket goes on for both, and, if you like, the version of it that you saw."""

    into: Code
    into_version: Integer | None = Field(default=None, ge=1, le=2**31 - 1)

    def command(self) -> Merging:
        """In the workflow's terms."""
        return Merging(self.into, self.into_version)


class UnmergeParams(RequestModel):
    """Nothing to fill in."""

    def command(self) -> Parting:
        """In the workflow's terms."""
        return Parting()


class LinkParams(RequestModel):
    """Which ticket it has to do with, and what."""

    other: Code
    kind: LinkKind = LinkKind.RELATED

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Link(self.other, self.kind)


class UnlinkParams(LinkParams):
    """Which link is wrong."""

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Unlink(self.other, self.kind)


class EscalateParams(RequestModel):
    """Why somebody higher has to look, and who."""

    reason: Literal["staff", "severe", "repeated_complaint"] = "staff"
    level: Literal[1, 2] | None = Field(default=None, description="1 the lead, 2 the manager; null: the next one up")

    def command(self) -> Command:
        """In the workflow's terms."""
        return commands.Escalate(self.reason, self.level)


PARAMS: Final[Mapping[Action, type[BaseModel]]] = {
    Action.TRIAGE: TriageParams,
    Action.TAKE: TakeParams,
    Action.TAKE_OVER: TakeOverParams,
    Action.HAND_OVER: HandOverParams,
    Action.QUEUE: QueueParams,
    Action.START: StartParams,
    Action.WAIT: WaitParams,
    Action.RESUME: ResumeParams,
    Action.REPLY: ReplyParams,
    Action.RESOLVE: ResolveParams,
    Action.CONFIRM: ConfirmParams,
    Action.CLOSE: CloseParams,
    Action.REOPEN: ReopenParams,
    Action.CANCEL: CancelParams,
    Action.NOTE: NoteParams,
    Action.STEP: StepParams,
    Action.MERGE: MergeParams,
    Action.UNMERGE: UnmergeParams,
    Action.LINK: LinkParams,
    Action.UNLINK: UnlinkParams,
    Action.ESCALATE: EscalateParams,
}
