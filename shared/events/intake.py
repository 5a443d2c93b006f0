"""What intake tells: requests that came in, customers, and what became of notifications."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import Event, Fact
from shared.events.topics import INTAKE, Topic


class Product(Fact):
    """The thing that the request is about, as the customer named it."""

    model: str | None = None
    serial_number: str | None = None
    purchase_date: str | None = Field(default=None, description="ISO date")
    order_number: str | None = None


class RequestReceived(Event):
    """A customer's request or further message was accepted; it is durable and will be answered for."""

    TYPE: ClassVar[str] = "request.received.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    request_id: UUID
    reference: str = Field(description="service number that the customer keeps; the number of the ticket that it opens")
    customer_id: UUID
    channel: str
    external_id: str | None = Field(default=None, description="the channel's own id of the message")
    type: str | None = Field(default=None, description="request type; None = to be classified at triage")
    locale: str = Field(description="language for messages to this customer")
    subject: str | None = None
    text: str
    truncated: bool = Field(default=False, description="the text was cut for the event; whole in intake")
    product: Product | None = None
    expected_resolution_at: AwareDatetime | None = None
    received_at: AwareDatetime
    occurred_at_clamped: bool = Field(default=False, description="the source's time was up to 5 minutes ahead and was set to received_at")
    in_reply_to: str | None = Field(default=None, description="reference of an earlier request of the same customer")
    external_id_reused: bool = Field(default=False, description="other content under an external_id that was seen before")
    completeness: float = Field(ge=0, le=1)
    missing_fields: tuple[str, ...] = ()
    entered_by: str = Field(default="customer", description="who wrote it down: customer, bot, agent (for the customer), system")
    conversation_id: str | None = Field(default=None, description="the channel's own conversation, thread or call; opaque")
    proofs: tuple[str, ...] = Field(default=(), description="digests of what proves the customer on the tracking page; see proof.py")


class RequestDismissed(Event):
    """Somebody verified that there is nothing to do about a request: it was none. Told once, after the request and in its order."""

    TYPE: ClassVar[str] = "request.dismissed.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    request_id: UUID
    reference: str
    customer_id: UUID = Field(description="with whom the request was written")
    reason: str = Field(description="code: spam, test, duplicate, wrong_number")
    actor: str = Field(description="who verified it")


class CustomerRegistered(Event):
    """A customer was met for the first time."""

    TYPE: ClassVar[str] = "customer.registered.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    customer_id: UUID
    name: str | None = None
    locale: str
    tier: str = "standard"


class Consents(Fact):
    """What the customer allows. Messages about his own request (status, replies) need none beyond `status`."""

    status: bool = True
    survey: bool = True
    marketing: bool = False


class CustomerUpdated(Event):
    """The customer file changed; holds it as it is afterwards."""

    TYPE: ClassVar[str] = "customer.updated.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    customer_id: UUID
    version: int = Field(ge=1)
    name: str | None = None
    locale: str
    tier: str
    consents: Consents


class CustomerGraded(Event):
    """The customer's tier changed."""

    TYPE: ClassVar[str] = "customer.graded.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    customer_id: UUID
    tier: str = Field(description="code: standard, silver, gold, vip")
    previous_tier: str
    reason: str = Field(description="code, e.g. value, contract, manual, merged, unmerged")
    actor: str


class CustomerMerged(Event):
    """Two customer files are one person: everything of ``customer_id`` is from now on found under ``into_customer_id``."""

    TYPE: ClassVar[str] = "customer.merged.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    customer_id: UUID
    into_customer_id: UUID
    actor: str


class CustomerUnmerged(Event):
    """A merge was undone: the file stands alone again."""

    TYPE: ClassVar[str] = "customer.unmerged.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    customer_id: UUID
    from_customer_id: UUID
    actor: str


class NotificationDelivered(Event):
    """A message to the customer left the house."""

    TYPE: ClassVar[str] = "notification.delivered.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    notification_id: UUID
    customer_id: UUID
    kind: str
    channel: str
    ticket_number: str | None = None


class NotificationFailed(Event):
    """A message to the customer could not be delivered and will not be tried again."""

    TYPE: ClassVar[str] = "notification.failed.v1"
    TOPIC: ClassVar[Topic] = INTAKE
    KEY: ClassVar[str] = "customer_id"

    notification_id: UUID
    customer_id: UUID
    kind: str
    channel: str | None = None
    reason: str = Field(description="code: no_address, no_consent, refused, undeliverable, expired, superseded, void")
    ticket_number: str | None = None
