"""Customer files as callers change and read them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.intake.identity.file import Tier
from services.intake.schemas.requests import MAX_ACCOUNTS, AccountIn, AccountScheme
from shared.events.codes import DEFAULT_LOCALE, Locale
from shared.http.fields import Boolean, Code, Line, RequestModel

IdentityScheme = Literal["app_user", "email", "phone"] | AccountScheme


class ConsentsIn(RequestModel):
    """What the customer allows from now on; what is left out stays."""

    status: Boolean | None = Field(default=None, description="messages about how his requests stand")
    survey: Boolean | None = None
    marketing: Boolean | None = None

    def said(self) -> dict[str, bool]:
        """The consents that are named."""
        return {name: value for name, value in self if value is not None}


class CustomerNew(RequestModel):
    """A customer whom somebody enters."""

    name: Line | None = None
    locale: Locale = DEFAULT_LOCALE
    phone: Line | None = Field(default=None, examples=["+8613800138000"])
    email: Line | None = Field(default=None, examples=["wang.wei@example.com"])
    app_user_id: Line | None = None
    accounts: Annotated[tuple[AccountIn, ...], Field(max_length=MAX_ACCOUNTS)] = ()
    consents: ConsentsIn = ConsentsIn()
    tier: Tier = Tier.STANDARD
    tier_reason: Code | None = Field(default=None, description="needed when the tier is not standard", examples=["contract"])

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"example": {"name": "王伟", "locale": "zh-CN", "phone": "13800138000", "email": "wang.wei@example.com"}},
    )

    @model_validator(mode="after")
    def _someone(self) -> Self:
        if not (self.name or self.phone or self.email or self.app_user_id or self.accounts):
            raise PydanticCustomError("nobody", "Should have a name, or something that the customer is known by")
        return self

    @model_validator(mode="after")
    def _graded_for_a_reason(self) -> Self:
        if self.tier is not Tier.STANDARD and self.tier_reason is None:
            raise PydanticCustomError("tier_without_reason", "A tier needs a tier_reason")
        return self


class CustomerPatch(RequestModel):
    """What is to be changed; what is left out stays. `null` clears a name or a primary address."""

    name: Line | None = None
    locale: Locale | None = None
    consents: ConsentsIn = ConsentsIn()
    tier: Tier | None = None
    tier_reason: Code | None = Field(default=None, description="needed with a tier", examples=["contract"])
    primary_email: Line | None = Field(default=None, description="an address of the file that is written to first")
    primary_phone: Line | None = None

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"example": {"locale": "en", "consents": {"survey": False}, "tier": "gold", "tier_reason": "contract"}},
    )

    @model_validator(mode="after")
    def _graded_for_a_reason(self) -> Self:
        if (self.tier is None) != (self.tier_reason is None):
            raise PydanticCustomError("tier_without_reason", "A tier needs a tier_reason, and the other way round")
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_changed", "Should change something")
        for name in ("locale", "tier"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise PydanticCustomError("not_null", "locale and tier cannot be cleared")
        return self


class IdentityNew(RequestModel):
    """What else the customer is known by."""

    scheme: IdentityScheme
    scope: Line | None = Field(default=None, description="app, page, company or provider, for the schemes that have one")
    value: Line

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"example": {"scheme": "phone", "value": "+8613800138000"}},
    )


class VerificationIn(RequestModel):
    """How the customer has proven that it is his."""

    method: Literal["one_time_code", "signed_link", "document", "call_back", "channel"]


class MergeIn(RequestModel):
    """The customer who answers for both from now on, and why."""

    into: UUID
    reason: Code = Field(examples=["same_person"])
    despite_accounts: Boolean = Field(default=False, description="merge them although both have accounts in the app, and not the same")


class ReasonIn(RequestModel):
    """Why, as a code."""

    reason: Code = Field(examples=["two_persons"])


class AcceptIn(RequestModel):
    """Which of the two answers for both from now on; left out: who was registered first."""

    into: UUID | None = None
    reason: Code = Field(examples=["same_person"])
    despite_accounts: Boolean = False


# --- answers -------------------------------------------------------------------------------------------------------------------------


class ConsentsOut(BaseModel):
    """What counts: of a person with several files, the strictest of them until he says something new."""

    status: bool
    survey: bool
    marketing: bool


class IdentityOut(BaseModel):
    """What the customer is known by."""

    identity_id: str = Field(description="its name in addresses, within this file")
    scheme: str
    scope: str | None
    value: str = Field(description="masked for those without the scope customer:read")
    recognises: bool = Field(description="false: an address only; nobody is recognised by it")
    shared: bool = Field(description="of a household or a company; recognises nobody")
    primary: bool
    evidence: str = Field(description="shown by a source, claimed by himself, entered by staff")
    stands_in: str | None = Field(description="channel on which this customer stands for everybody unknown who shows it")
    verified_at: datetime | None
    linked_at: datetime


class TicketLine(BaseModel):
    """A ticket of the customer."""

    number: str
    status: str


class CustomerLine(BaseModel):
    """A customer in a list."""

    customer_id: UUID
    version: int
    name: str | None
    locale: str
    tier: str
    registered_at: datetime


class CustomerFile(CustomerLine):
    """A customer's file. Asked for by the id of a customer who was merged, it is that of whoever answers for him."""

    merged_into: UUID | None = Field(description="the id that was asked for is that of a customer who was merged into this one")
    merged: tuple[UUID, ...] = Field(description="customers who were merged into this one; each can be undone")
    tier_reason: str | None
    groups: dict[str, str] = Field(description="tenure: new or old; value: high or ordinary", examples=[{"tenure": "new"}])
    consents: ConsentsOut
    identities: tuple[IdentityOut, ...]
    products: tuple[dict[str, str | None], ...] = Field(description="what his requests said of things that he owns, newest first")
    tickets: tuple[TicketLine, ...] = Field(description="the newest 50")


class ContactLine(BaseModel):
    """He wrote to us, or we to him."""

    kind: str = Field(description="request or notification")
    id: UUID
    at: datetime
    type: str | None = Field(description="type of the request, or kind of the notification")
    channel: str | None
    number: str | None = Field(description="reference of the request, or number of the ticket")
    status: str | None = Field(description="of a notification: pending, delivered or failed; of a request: dismissed, or null")
    failure: str | None
    entered_by: str | None


class ChangeLine(BaseModel):
    """A line of the audit trail: who changed what. Names of fields and codes, no personal value."""

    version: int
    type: str
    at: datetime
    actor: str
    data: dict[str, Any]


class SharedOut(BaseModel):
    """What both customers are known by; masked."""

    scheme: str
    value: str


class SuggestionOut(BaseModel):
    """Two customers who may be one person."""

    suggestion_id: UUID
    status: str
    suggested_at: datetime
    customers: tuple[CustomerLine, ...]
    in_common: tuple[SharedOut, ...]
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
