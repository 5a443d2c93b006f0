"""What travels through the REST door: parsed once on the way in, shaped on the way out. Unknown fields are errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    ModelWrapValidatorHandler,
    RootModel,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from services.tickets.sla import ClockState, Priority
from services.tickets.workflow import commands
from services.tickets.workflow.commands import Command, Letter
from services.tickets.workflow.status import Action, Cause, Status
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


# ------------------------------------------------------------------ answers


class TargetView(BaseModel):
    """One promise, as it stands when the answer is written."""

    due_at: AwareDatetime = Field(description="while paused it moves on with the time")
    state: ClockState
    met_at: AwareDatetime | None
    paused_ms: int


class SlaView(BaseModel):
    """The promises of a ticket."""

    first_response: TargetView
    resolution: TargetView


class ProductView(BaseModel):
    """The thing that the ticket is about, as the customer named it."""

    model: str | None
    serial_number: str | None
    purchase_date: str | None
    order_number: str | None


class TicketView(BaseModel):
    """A ticket. Lists of codes may grow: show an unknown one as it is."""

    number: str
    version: int = Field(description="send it back in If-Match to change the ticket")
    status: Status
    step: str | None
    type: str | None
    priority: Priority
    category: str | None
    root_topic: str | None
    customer_id: UUID
    channel: str
    locale: str
    tier: str
    subject: str | None
    product: ProductView
    opened_at: AwareDatetime
    changed_at: AwareDatetime
    expected_resolution_at: AwareDatetime | None
    assignee: str | None
    team: str | None
    episode: int = Field(description="how many times it was resolved")
    resolution_code: str | None
    first_resolved_at: AwareDatetime | None
    resolved_at: AwareDatetime | None = Field(description="the last resolve")
    closed_at: AwareDatetime | None
    linked_to: str | None = Field(description="the older ticket on the same matter, whose reopen window was over")
    sla: SlaView


class HistoryView(BaseModel):
    """One step of a ticket's life; `data` holds ids, codes, numbers and digests, never words."""

    version: int
    type: str
    at: AwareDatetime
    actor: str = Field(description="principal id of staff, or system, customer")
    data: dict[str, Any]


class MessageView(BaseModel):
    """What somebody wrote."""

    id: UUID
    version: int = Field(description="of the ticket, with this message")
    author: str = Field(description="principal id of staff, or customer")
    public: bool
    at: AwareDatetime
    channel: str | None
    reference: str | None = Field(description="the customer's service number for this message")
    text: str
    truncated: bool = Field(description="the whole text is in intake")


class ActionView(BaseModel):
    """What the caller may do now."""

    action: Action
    params_schema: dict[str, Any] = Field(description="JSON Schema of params")


class ActionList(BaseModel):
    """Everything that the caller may do now."""

    items: list[ActionView]


class TrackedMessage(BaseModel):
    """What was written to or by the customer."""

    at: AwareDatetime
    from_customer: bool
    text: str


class Tracking(BaseModel):
    """A ticket as its customer sees it."""

    reference: str
    number: str
    status: Status
    opened_at: AwareDatetime
    changed_at: AwareDatetime
    resolved_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    messages: list[TrackedMessage]
