"""What intake tells the bus of a request, and of a customer who was met with it."""

from __future__ import annotations

from services.intake.acceptance import ProductNamed, cut_for_event
from services.intake.store.customers import NewCustomer
from services.intake.store.requests import Stored
from shared.events.intake import CustomerRegistered, Product, RequestReceived
from shared.events.proof import proof


def received(request: Stored, signing_key: bytes) -> RequestReceived:
    """A request was stored."""
    sent = request.submission
    text, truncated = cut_for_event(sent.text)
    return RequestReceived(
        occurred_at=request.occurred_at,
        request_id=request.request_id,
        reference=request.reference,
        customer_id=request.customer_id,
        channel=sent.channel,
        external_id=sent.external_id,
        type=sent.type,
        locale=request.locale,
        subject=sent.subject,
        text=text,
        truncated=truncated,
        product=None if sent.product is None else _product(sent.product),
        expected_resolution_at=sent.expected_resolution_at,
        received_at=request.received_at,
        occurred_at_clamped=request.occurred_at_clamped,
        in_reply_to=request.in_reply_to,
        external_id_reused=request.external_id_reused,
        completeness=request.completeness,
        missing_fields=request.missing_fields,
        entered_by=request.entered_by,
        conversation_id=sent.conversation_id,
        proofs=proofs_of(request, signing_key),
    )


def proofs_of(request: Stored, signing_key: bytes) -> tuple[str, ...]:
    """What the customer may show on the tracking page: the address and the number that he gave with this request."""
    given = (request.submission.customer.email, request.submission.customer.phone)
    return tuple(digest for text in given if text and (digest := proof(signing_key, request.reference, text)) is not None)


def _product(product: ProductNamed) -> Product:
    bought = product.purchase_date
    return Product(
        model=product.model,
        serial_number=product.serial_number,
        purchase_date=None if bought is None else bought.isoformat(),
        order_number=product.order_number,
    )


def registered(customer: NewCustomer) -> CustomerRegistered:
    """A customer was met for the first time."""
    return CustomerRegistered(
        occurred_at=customer.registered_at, customer_id=customer.customer_id, name=customer.name, locale=customer.locale
    )
