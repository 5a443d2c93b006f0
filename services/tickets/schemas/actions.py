"""Actions as callers send them: parsed once, at the door, into the workflow's commands. Unknown fields are errors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, RootModel, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from services.tickets.schemas.params import (
    CancelParams,
    CloseParams,
    ConfirmParams,
    EscalateParams,
    HandOverParams,
    LinkParams,
    MergeParams,
    NoteParams,
    QueueParams,
    ReopenParams,
    ReplyParams,
    ResolveParams,
    ResumeParams,
    StartParams,
    StepParams,
    TakeOverParams,
    TakeParams,
    TriageParams,
    UnlinkParams,
    UnmergeParams,
    WaitParams,
)
from services.tickets.workflow.status import Action
from shared.http.fields import RequestModel


class TriageAction(RequestModel):
    """Say what it is and how soon it matters."""

    action: Literal[Action.TRIAGE]
    params: TriageParams


class TakeAction(RequestModel):
    """Take it as one's own."""

    action: Literal[Action.TAKE]
    params: TakeParams = TakeParams()


class TakeOverAction(RequestModel):
    """Take it from a colleague who is not at work; leads take it from anybody."""

    action: Literal[Action.TAKE_OVER]
    params: TakeOverParams


class HandOverAction(RequestModel):
    """Give one's own ticket to somebody else; leads give anybody's, and what nobody has yet."""

    action: Literal[Action.HAND_OVER]
    params: HandOverParams


class QueueAction(RequestModel):
    """Put it back into the team's queue, for somebody else."""

    action: Literal[Action.QUEUE]
    params: QueueParams = QueueParams()


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


class NoteAction(RequestModel):
    """Write something down for colleagues."""

    action: Literal[Action.NOTE]
    params: NoteParams


class StepAction(RequestModel):
    """Say how far the service is."""

    action: Literal[Action.STEP]
    params: StepParams


class MergeAction(RequestModel):
    """It is the same matter as another ticket of the same customer, which goes on for both."""

    action: Literal[Action.MERGE]
    params: MergeParams


class UnmergeAction(RequestModel):
    """Undo a merge: the ticket stands by itself again, as it was."""

    action: Literal[Action.UNMERGE]
    params: UnmergeParams = UnmergeParams()


class LinkAction(RequestModel):
    """It has to do with another ticket."""

    action: Literal[Action.LINK]
    params: LinkParams


class UnlinkAction(RequestModel):
    """It has nothing to do with it."""

    action: Literal[Action.UNLINK]
    params: UnlinkParams


class EscalateAction(RequestModel):
    """Have somebody higher look."""

    action: Literal[Action.ESCALATE]
    params: EscalateParams = EscalateParams()


AnyAction = Annotated[
    TriageAction
    | TakeAction
    | TakeOverAction
    | HandOverAction
    | QueueAction
    | StartAction
    | WaitAction
    | ResumeAction
    | ReplyAction
    | ResolveAction
    | ConfirmAction
    | CloseAction
    | ReopenAction
    | CancelAction
    | NoteAction
    | StepAction
    | MergeAction
    | UnmergeAction
    | LinkAction
    | UnlinkAction
    | EscalateAction,
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
