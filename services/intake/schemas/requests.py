"""Requests as callers send them, and what they get to read."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from services.intake.acceptance import Account, Attachment, Contact, ProductNamed, Scalar, Submission
from services.intake.language.questions import ASKED_AT_ONCE
from shared.events.codes import Channel, Locale, RequestType
from shared.http.fields import Day, Instant, Integer, Line, RequestModel, Text

MAX_BATCH: Final = 500
MAX_ATTACHMENTS: Final = 10
MAX_METADATA: Final = 50
MAX_METADATA_TEXT: Final = 1_000
MAX_ACCOUNTS: Final = 5
SAFE_INTEGER: Final = 2**53
"""The largest integer that every reader of JSON gets right."""

_SCALARS: Final = {
    "anyOf": [
        {"type": "string", "maxLength": MAX_METADATA_TEXT},
        {"type": "integer", "minimum": -SAFE_INTEGER, "maximum": SAFE_INTEGER},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "null"},
    ]
}


def _scalar(value: Any) -> Scalar:
    match value:
        case None | bool():
            return value
        case str() if len(value) <= MAX_METADATA_TEXT and "\0" not in value:
            return value
        case int() if -SAFE_INTEGER <= value <= SAFE_INTEGER:
            return value
        case float() if isfinite(value):
            return value
    raise PydanticCustomError("scalar", "Should be a text of at most 1000 characters, a number, true, false or null")


# one check instead of a union: a union answers with one error per member, of which none says what is allowed
Value = Annotated[Any, AfterValidator(_scalar), WithJsonSchema(_SCALARS)]


AccountScheme = Literal[
    "wechat_unionid",
    "wechat_openid",
    "wecom_external_userid",
    "whatsapp_bsuid",
    "whatsapp_phone",
    "messenger",
    "instagram",
    "line",
    "telegram",
    "x",
    "weibo",
    "device",
    "web_session",
]
"""Kinds of accounts of channels; e-mail addresses, phone numbers and accounts in the app have fields of their own."""


class AccountIn(RequestModel):
    """An account of a channel by which the source knows the customer, or his device or browser."""

    scheme: AccountScheme
    scope: Line | None = Field(default=None, description="app, page, company or provider, within which the id means something")
    value: Line = Field(description="the channel's own id; user names change and are none")

    def account(self) -> Account:
        """The same as a value that decisions take."""
        return Account(self.scheme, self.value, self.scope)


class CustomerIn(RequestModel):
    """The customer as the source knows him; every field is optional."""

    id: UUID | None = Field(default=None, description="our own id of him, for whoever enters a request and has him in front of himself")
    name: Line | None = None
    phone: Line | None = Field(default=None, examples=["+8613800138000"])
    email: Line | None = Field(default=None, examples=["wang.wei@example.com"])
    app_user_id: Line | None = Field(default=None, description="account in your app or shop, as you proved it")
    locale: Locale | None = Field(default=None, description="language for messages; guessed from the text when left out")
    accounts: Annotated[tuple[AccountIn, ...], Field(max_length=MAX_ACCOUNTS)] = ()


class ProductIn(RequestModel):
    """The thing that the request is about."""

    model: Line | None = None
    serial_number: Line | None = None
    purchase_date: Day | None = None
    order_number: Line | None = None


class AttachmentIn(RequestModel):
    """A file that the source holds; Aftercare keeps its address and does not fetch it."""

    name: Line
    url: HttpUrl
    content_type: Line | None = None
    size: Annotated[Integer, Field(ge=0)] | None = Field(default=None, description="bytes")


class RequestIn(RequestModel):
    """A customer's request, or his further message on an earlier one (`in_reply_to`)."""

    channel: Channel
    external_id: Line | None = Field(
        default=None, description="the channel's own id of the message: the same id with the same content takes effect once"
    )
    customer: CustomerIn
    type: RequestType | None = Field(default=None, description="left out: decided at triage")
    subject: Line | None = None
    text: Text
    product: ProductIn | None = None
    expected_resolution_at: Instant | None = None
    occurred_at: Instant | None = Field(default=None, description="the source's time; at most 5 minutes ahead of ours")
    in_reply_to: Line | None = Field(default=None, description="reference or ticket number of the same customer")
    attachments: Annotated[tuple[AttachmentIn, ...], Field(max_length=MAX_ATTACHMENTS)] | None = None
    metadata: Annotated[dict[Line, Value], Field(max_length=MAX_METADATA)] | None = None
    conversation_id: Line | None = Field(default=None, description="the channel's own conversation, thread or call")

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {
                "channel": "web",
                "external_id": "form-20261125-0042",
                "customer": {"name": "王伟", "phone": "13800138000", "email": "wang.wei@example.com"},
                "type": "repair",
                "subject": "洗衣机不转",
                "text": "洗衣机今天早上开始不转了，显示 E3。",
                "product": {"model": "WM-900", "serial_number": "SN2026001234", "purchase_date": "2026-03-01"},
            }
        },
    )

    def submission(self) -> Submission:
        """The same as a value that decisions take."""
        return Submission(
            channel=self.channel.value,
            external_id=self.external_id,
            customer=_contact(self.customer),
            type=None if self.type is None else self.type.value,
            subject=self.subject,
            text=self.text,
            product=None if self.product is None else _product(self.product),
            expected_resolution_at=self.expected_resolution_at,
            occurred_at=self.occurred_at,
            in_reply_to=self.in_reply_to,
            attachments=tuple(Attachment(a.name, str(a.url), a.content_type, a.size) for a in self.attachments or ()),
            metadata=self.metadata or {},
            conversation_id=self.conversation_id,
        )


def _contact(customer: CustomerIn) -> Contact:
    locale = None if customer.locale is None else customer.locale.value
    accounts = tuple(account.account() for account in customer.accounts)
    return Contact(customer.name, customer.phone, customer.email, customer.app_user_id, locale, customer.id, accounts)


def _product(product: ProductIn) -> ProductNamed:
    return ProductNamed(product.model, product.serial_number, product.purchase_date, product.order_number)


class BatchIn(RequestModel):
    """Up to 500 requests, each accepted or refused by itself."""

    requests: Annotated[tuple[RequestIn, ...], Field(min_length=1, max_length=MAX_BATCH)]


class ContactIn(RequestModel):
    """What is added to what we know of a customer."""

    name: Line | None = None
    phone: Line | None = Field(default=None, examples=["+8613800138000"])
    email: Line | None = Field(default=None, examples=["wang.wei@example.com"])


class DetailsIn(RequestModel):
    """What was missing from a request; at least one field."""

    text: Text | None = Field(default=None, description="the customer's own words; left out: a list of what is added")
    type: RequestType | None = None
    product: ProductIn | None = None
    expected_resolution_at: Instant | None = None
    customer: ContactIn | None = None
    channel: Channel | None = Field(default=None, description="left out: the channel of the request")
    conversation_id: Line | None = None

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"minProperties": 1, "example": {"product": {"model": "WM-900", "serial_number": "SN2026001234"}}},
    )

    @model_validator(mode="after")
    def _adds_something(self) -> Self:
        if not (self.text or self.type or self.product or self.expected_resolution_at or self.customer):
            raise PydanticCustomError("nothing_added", "Should add something: a text, type, product, wish or contact")
        return self

    def submission(self, *, to: str, channel: str, customer_id: UUID | None, text: str) -> Submission:
        """The follow-up request that brings them; ``to``: the request that they complete."""
        contact = self.customer or ContactIn()
        return Submission(
            channel=channel if self.channel is None else self.channel.value,
            text=self.text or text,
            customer=Contact(contact.name, contact.phone, contact.email, customer_id=customer_id),
            type=None if self.type is None else self.type.value,
            product=None if self.product is None else _product(self.product),
            expected_resolution_at=self.expected_resolution_at,
            in_reply_to=to,
            conversation_id=self.conversation_id,
        )

    def added(self) -> dict[str, str]:
        """The fields that it brings, as paths in the body of a request, with their values."""
        found = {"type": self.type, "expected_resolution_at": self.expected_resolution_at and self.expected_resolution_at.isoformat()}
        groups = {"product": self.product, "customer": self.customer}
        found |= {f"{group}.{name}": value for group, model in groups.items() if model is not None for name, value in model}
        return {field: str(value) for field, value in found.items() if value is not None}


class DismissIn(RequestModel):
    """Why nothing is to be done about a request."""

    reason_code: Literal["spam", "test", "duplicate", "wrong_number"]


# --- answers -------------------------------------------------------------------------------------------------------------------------


class Links(BaseModel):
    """Where to look next."""

    self: str
    track: str = Field(description="the customer's view of what became of it")


class PromptOut(BaseModel):
    """A question to put to the customer, in his language."""

    field: str = Field(description="path in the body", examples=["product.model"])
    question: str
    why: str
    suggestion: str | None = Field(default=None, description="what an earlier request of his says; ask him to confirm it")


class RequestAccepted(BaseModel):
    """The request is stored and will be answered for."""

    request_id: UUID
    reference: str = Field(description="service number for the customer to keep", examples=["AS-20261125EEA182H"])
    received_at: datetime
    completeness: float = Field(ge=0, le=1)
    missing_fields: tuple[str, ...] = Field(description="what to ask the customer for, as paths in the body")
    prompts: tuple[PromptOut, ...] = Field(description=f"the next {ASKED_AT_ONCE} questions at most")
    links: Links


class BatchResult(BaseModel):
    """What became of one item: `body` with 202, `problem` (RFC 9457) with anything else."""

    status: int
    body: RequestAccepted | None = None
    problem: dict[str, Any] | None = None


class BatchAnswer(BaseModel):
    """One result per item, in the order of the items."""

    results: tuple[BatchResult, ...]


class TicketSeen(BaseModel):
    """What intake knows of the ticket that the request opened or joined."""

    number: str
    status: str


class StatusSeen(BaseModel):
    """How the request stands, in the customer's language."""

    code: str = Field(description="status of the ticket; before that received, or dismissed")
    text: str
    next: str = Field(description="what comes next")


class Dismissed(BaseModel):
    """Somebody verified that there is nothing to do."""

    at: datetime
    by: str | None = Field(description="who verified it; null for customers")
    reason_code: str


class RequestLine(BaseModel):
    """A request in a list, as it stands."""

    request_id: UUID
    reference: str
    received_at: datetime
    channel: str
    type: str | None
    subject: str | None
    order_number: str | None
    status: StatusSeen
    joined: bool
    ticket: TicketSeen | None


class RequestView(BaseModel):
    """A request as it was received, and what became of it."""

    request_id: UUID
    reference: str
    customer_id: UUID
    channel: str
    external_id: str | None
    type: str | None
    subject: str | None
    text: str
    product: dict[str, str | None] | None
    expected_resolution_at: datetime | None
    occurred_at: datetime
    occurred_at_clamped: bool
    received_at: datetime
    in_reply_to: str | None
    external_id_reused: bool
    entered_by: str = Field(description="who wrote it down: customer, bot, agent or system")
    conversation_id: str | None
    completes: str | None = Field(description="the request whose missing fields this one brought")
    completeness: float = Field(description="as of now, with what was added since")
    missing_fields: tuple[str, ...]
    prompts: tuple[PromptOut, ...]
    status: StatusSeen
    joined: bool = Field(description="it joined the ticket of an earlier request; its number is an alias of that ticket's")
    ticket: TicketSeen | None = Field(description="null until a ticket has taken it up")
    dismissed: Dismissed | None
    links: Links
