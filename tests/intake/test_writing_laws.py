"""What is written by hand for speed is what the general writer gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.intake.acceptance import Contact, ProductNamed, Submission
from services.intake.handlers import announcement
from services.intake.handlers.writing import write_received, write_registered
from services.intake.store.customers import NewCustomer
from services.intake.store.requests import Stored
from shared.events.envelope import Event, Written

texts = st.text(st.characters(codec="utf-8"), max_size=40)
zones = st.sampled_from([UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("Asia/Kolkata"), timezone(timedelta(hours=-3, minutes=-30))])
moments = st.builds(datetime.fromtimestamp, st.floats(0, 7e9, allow_nan=False), zones)
products = st.builds(
    ProductNamed,
    model=st.none() | texts,
    serial_number=st.none() | texts,
    purchase_date=st.none() | st.dates(),
    order_number=st.none() | texts,
)
submissions = st.builds(
    Submission,
    channel=texts,
    text=texts | st.just("长" * 20_001),
    customer=st.builds(Contact, phone=st.none() | st.just("13800138000") | texts, email=st.none() | st.emails() | texts),
    external_id=st.none() | texts,
    type=st.none() | texts,
    subject=st.none() | texts,
    product=st.none() | products,
    expected_resolution_at=st.none() | moments,
    conversation_id=st.none() | texts,
)
stored = st.builds(
    Stored,
    request_id=st.uuids(),
    reference=texts,
    customer_id=st.uuids(),
    submission=submissions,
    locale=texts,
    occurred_at=moments,
    received_at=moments,
    in_reply_to=st.none() | texts,
    completeness=st.floats(0, 1).map(lambda share: round(share, 2)),
    missing_fields=st.lists(texts, max_size=3).map(tuple),
    entered_by=texts,
)
customers = st.builds(NewCustomer, customer_id=st.uuids(), name=st.none() | texts, locale=texts, registered_at=moments)


def is_the_same(written: Written, event: Event) -> bool:
    payload = event.__pydantic_serializer__.to_json(event, warnings="error")
    return written[:4] == (type(event), event.key, event.occurred_at, payload)


@given(request=stored, key=st.binary(min_size=1, max_size=32))
def test_a_request_is_written_as_its_contract_writes_it(request: Stored, key: bytes) -> None:
    assert is_the_same(write_received(request, key), announcement.received(request, key))


@given(customer=customers)
def test_a_new_customer_is_written_as_its_contract_writes_it(customer: NewCustomer) -> None:
    assert is_the_same(write_registered(customer), announcement.registered(customer))
