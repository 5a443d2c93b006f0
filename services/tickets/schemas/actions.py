"""Actions as callers send them: parsed once, at the door, into the workflow's commands. Unknown fields are errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    RootModel,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from services.tickets.sla import Priority
from services.tickets.workflow import commands
from services.tickets.workflow.commands import Command, Letter
from services.tickets.workflow.status import Action, Cause
from shared.events.codes import RequestType
from shared.http.fields import Boolean, RequestModel, Text

ListCode = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$"), Field(description="a code of the organisation's lists")
]


# ------------------------------------------------------------------ parameters of actions


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


PARAMS: Final[Mapping[Action, type[BaseModel]]] = {
    Action.TRIAGE: TriageParams,
    Action.TAKE: TakeParams,
    Action.START: StartParams,
    Action.WAIT: WaitParams,
    Action.RESUME: ResumeParams,
    Action.REPLY: ReplyParams,
    Action.RESOLVE: ResolveParams,
    Action.CONFIRM: ConfirmParams,
    Action.CLOSE: CloseParams,
    Action.REOPEN: ReopenParams,
    Action.CANCEL: CancelParams,
}


# ------------------------------------------------------------------ actions


class TriageAction(RequestModel):
    """Say what it is and how soon it matters."""

    action: Literal[Action.TRIAGE]
    params: TriageParams


class TakeAction(RequestModel):
    """Take it as one's own."""

    action: Literal[Action.TAKE]
    params: TakeParams = TakeParams()


class StartAction(RequestModel):
    """Begin to work on it."""

    action: Literal[Action.START]
    params: StartParams = StartParams()


class WaitAction(RequestModel):
    """Nothing can be done until something arrives."""

    action: Literal[Action.WAIT]
    params: WaitParams


class ResumeAction(RequestModel):
    """Go on working."""

    action: Literal[Action.RESUME]
    params: ResumeParams = ResumeParams()


class ReplyAction(RequestModel):
    """Write to the customer, or a note for colleagues."""

    action: Literal[Action.REPLY]
    params: ReplyParams


class ResolveAction(RequestModel):
    """Give the solution."""

    action: Literal[Action.RESOLVE]
    params: ResolveParams


class ConfirmAction(RequestModel):
    """Record that the customer calls it solved."""

    action: Literal[Action.CONFIRM]
    params: ConfirmParams = ConfirmParams()


class CloseAction(RequestModel):
    """End it before the reopen window ends."""

    action: Literal[Action.CLOSE]
    params: CloseParams = CloseParams()


class ReopenAction(RequestModel):
    """The solution did not hold."""

    action: Literal[Action.REOPEN]
    params: ReopenParams = ReopenParams()


class CancelAction(RequestModel):
    """End it without a solution."""

    action: Literal[Action.CANCEL]
    params: CancelParams


AnyAction = Annotated[
    TriageAction
    | TakeAction
    | StartAction
    | WaitAction
    | ResumeAction
    | ReplyAction
    | ResolveAction
    | ConfirmAction
    | CloseAction
    | ReopenAction
    | CancelAction,
    Field(discriminator="action"),
]


class ActionRequest(RootModel[AnyAction]):
    """One action with its parameters; what is allowed now is listed by the same address."""

    @model_validator(mode="wrap")
    @classmethod
    def _without_tag(cls, value: Any, parse: ModelWrapValidatorHandler[ActionRequest]) -> ActionRequest:
        """Name wrong fields by where they are in the body: pydantic puts the kind of action before them."""
        try:
            return parse(value)
        except ValidationError as error:
            found = [_as_sent(wrong) for wrong in error.errors(include_url=False, include_input=False)]
            raise ValidationError.from_exception_data("ActionRequest", found) from None


def _as_sent(wrong: ErrorDetails) -> InitErrorDetails:
    code, words, place = wrong["type"], wrong["msg"], wrong["loc"]
    if code.startswith("union_tag"):
        code = "missing" if code == "union_tag_not_found" else "enum"
        place, words = ("action",), f"Should be one of {', '.join(Action)}"
    elif place and place[0] in set(Action):
        place = place[1:]
    return InitErrorDetails(type=PydanticCustomError(code, "{words}", {"words": words}), loc=place, input=None)
