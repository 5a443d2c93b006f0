"""What is added to a request that was taken in, and that it was none."""

from __future__ import annotations

from typing import Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.intake.acceptance import Contact, Submission
from services.intake.schemas.requests import ProductIn, product_named
from shared.events.codes import Channel, RequestType
from shared.http.fields import Instant, Line, RequestModel, Text


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
            product=None if self.product is None else product_named(self.product),
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
