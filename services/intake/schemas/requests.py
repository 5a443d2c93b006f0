"""Requests as callers send them."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, HttpUrl, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.intake.acceptance import Account, Attachment, Contact, ProductNamed, Scalar, Submission
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
            product=None if self.product is None else product_named(self.product),
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


def product_named(product: ProductIn) -> ProductNamed:
    """The same as a value that decisions take."""
    return ProductNamed(product.model, product.serial_number, product.purchase_date, product.order_number)


class BatchIn(RequestModel):
    """Up to 500 requests, each accepted or refused by itself."""

    requests: Annotated[tuple[RequestIn, ...], Field(min_length=1, max_length=MAX_BATCH)]
