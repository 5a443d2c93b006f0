"""What is written by hand for speed is what the general writer gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.tickets.workflow import gratitude
from services.tickets.workflow.announce import announce_opening
from services.tickets.workflow.evolution import opened
from services.tickets.workflow.opening import Place, open_request
from services.tickets.workflow.opening import Request as Opening
from services.tickets.workflow.writing import write_opening
from shared.events.codes import Channel, RequestType
from tests.tickets.builders import POLICY, a_ticket

texts = st.text(st.characters(codec="utf-8"), max_size=40)
zones = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))])
seconds = st.floats(0, 7e9, allow_nan=False)
moments = st.builds(lambda since, zone: datetime.fromtimestamp(since, zone), seconds, zones)
openings = st.builds(
    Opening,
    request_id=st.uuids(),
    reference=texts,
    customer_id=st.uuids(),
    channel=st.sampled_from(Channel),
    locale=st.sampled_from(["zh-CN", "zh-TW", "en"]),
    tier=texts,
    type=st.none() | st.sampled_from(RequestType) | texts,
    product_model=st.none() | texts,
    digest=texts,
    entered_by=st.sampled_from(["customer", "bot", "agent", "system"]),
)
places = st.builds(Place, team=st.none() | texts, agent=st.none() | texts, code=st.none() | texts)


@given(request=openings, at=moments, place=places, number=st.none() | texts, continues=st.booleans())
def test_an_opening_is_written_as_its_contract_writes_it(
    request: Opening, at: datetime, place: Place, number: str | None, continues: bool
) -> None:
    after = a_ticket()._replace(customer_id=UUID(int=7)) if continues else None
    change = open_request(request, at, POLICY, after=after, number=number, place=place)
    ticket = opened(change)

    written, event = write_opening(ticket, change), announce_opening(ticket, change)

    assert written.payload == event.__pydantic_serializer__.to_json(event, warnings="error")
    assert (written.contract, written.key, written.occurred_at) == (type(event), event.key, event.occurred_at)


@given(phrase=st.from_regex(gratitude._ONE, fullmatch=True))
def test_no_phrase_of_thanks_is_put_aside_unread(phrase: str) -> None:
    assert gratitude._HINT.search(phrase) is not None
