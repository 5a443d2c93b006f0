"""What callers send and get: the only place where JSON becomes values."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.intake.acceptance import Attachment, Contact, ProductNamed, Scalar, Submission
from shared.events.codes import Channel, Locale, RequestType
from shared.http.fields import Day, Instant, Integer, Line, RequestModel, Text

MAX_BATCH: Final = 500
MAX_ATTACHMENTS: Final = 10
MAX_METADATA: Final = 50
MAX_METADATA_TEXT: Final = 1_000
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


class CustomerIn(RequestModel):
    """The customer as the source knows him; every field is optional."""

    name: Line | None = None
    phone: Line | None = Field(default=None, examples=["+8613800138000"])
    email: Line | None = Field(default=None, examples=["wang.wei@example.com"])
    app_user_id: Line | None = Field(default=None, description="account in your app or shop, as you proved it")
    locale: Locale | None = Field(default=None, description="language for messages; guessed from the text when left out")


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
        )


def _contact(customer: CustomerIn) -> Contact:
    locale = None if customer.locale is None else customer.locale.value
    return Contact(customer.name, customer.phone, customer.email, customer.app_user_id, locale)


def _product(product: ProductIn) -> ProductNamed:
    return ProductNamed(product.model, product.serial_number, product.purchase_date, product.order_number)


class BatchIn(RequestModel):
    """Up to 500 requests, each accepted or refused by itself."""

    requests: Annotated[tuple[RequestIn, ...], Field(min_length=1, max_length=MAX_BATCH)]


# --- answers -------------------------------------------------------------------------------------------------------------------------


class Links(BaseModel):
    """Where to look next."""

    self: str
    track: str = Field(description="the customer's view of what became of it")


class RequestAccepted(BaseModel):
    """The request is stored and will be answered for."""

    request_id: UUID
    reference: str = Field(description="service number for the customer to keep", examples=["AS-20261125EEA182H"])
    received_at: datetime
    completeness: float = Field(ge=0, le=1)
    missing_fields: tuple[str, ...] = Field(description="what to ask the customer for, as paths in the body")
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
    completeness: float
    missing_fields: tuple[str, ...]
    ticket: TicketSeen | None = Field(description="null until a ticket has taken it up")
    links: Links
